"""The report as one HTML file that needs no other: Jinja2, Plotly's script inside."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import Any

import jinja2
import plotly.graph_objects as go
import plotly.offline
from markupsafe import Markup

from artifacts.report.parts import Figure, Section

# Colours that colour-blind readers can distinguish (Okabe and Ito, 2008), with contrast on white
# and on black.
_ON_LIGHT = ("#0072b2", "#b34700", "#00785a", "#a34a80", "#7a5c00", "#3f6f91", "#555555")
_ON_DARK = ("#56b4e9", "#e69f00", "#2fc79a", "#e08cbb", "#f0e442", "#9cc3de", "#bbbbbb")


@dataclasses.dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: title of the page.
        subtitle: time and versions, below the title.
        synthetic: Whether a program drew the data; the page states it first.
        sections: sections in their order.
    """

    title: str
    subtitle: str
    synthetic: bool
    sections: tuple[Section, ...]


def render(page: Page) -> str:
    """Render the page as HTML.

    Every text is escaped. The content policy of the page allows only its two scripts, by their
    hash, and no requests to any address.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("artifacts.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source, _, _ = jinja2.PackageLoader("artifacts.report").get_source(environment, "report.js")
    style, _, _ = jinja2.PackageLoader("artifacts.report").get_source(environment, "report.css")
    scripts = (plotly.offline.get_plotlyjs(), source)
    return environment.get_template("report.html").render(
        page=page,
        policy=_policy(scripts),
        # Files of this package and of Plotly, the only text that is not escaped.
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        drawn={"plots": _plots(page), "templates": _templates()},
    )


def _policy(scripts: tuple[str, ...]) -> str:
    """Return the content policy: run these scripts, load nothing from elsewhere."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    named = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {named}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _plots(page: Page) -> list[dict[str, Any]]:
    """Return the plots in the order of the page."""
    return [part.plain for part in _parts(page) if isinstance(part, Figure)]


def _parts(page: Page) -> list[Any]:
    return [part for section in page.sections for part in section.parts]


def _templates() -> dict[str, Any]:
    """Return the templates of plots on light and on dark ground."""
    return {
        "light": _template("#1c2126", "#d5d9de", "#6b737c", _ON_LIGHT),
        "dark": _template("#e6e8ea", "#3a4149", "#9aa3ad", _ON_DARK),
    }


def _template(ink: str, grid: str, line: str, colours: tuple[str, ...]) -> dict[str, Any]:
    axis = {"gridcolor": grid, "linecolor": line, "zerolinecolor": grid, "automargin": True}
    font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
    template = go.layout.Template(
        layout={
            "font": {"color": ink, "family": font, "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(colours),
            "margin": {"l": 56, "r": 16, "t": 24, "b": 48},
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
            "hoverlabel": {"namelength": -1},
            "xaxis": axis,
            "yaxis": axis,
        }
    )
    return dict(template.to_plotly_json())
