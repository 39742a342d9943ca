"""Parts of a report: sections of figures, tables, pictures, facts and remarks."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import plotly.graph_objects as go

EXACT = " (exact)"
"""Beside an interval that is an exact bound, see :mod:`artifacts.metrics.bounds`."""


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclasses.dataclass(frozen=True)
class Missing:
    """A missing part and the reason, in one line."""

    what: str
    why: str
    kind: ClassVar[str] = "missing"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A plot.

    Attributes:
        caption: content of the plot and how to read it.
        alternative: content of the plot as text, for screen readers.
        figure: figure of Plotly.
        height: height in pixels.
        size: ``half``: next to another figure on a wide screen. ``wide``: scrolled on a narrow
            screen.
    """

    caption: str
    alternative: str
    figure: go.Figure
    height: int = 380
    size: Literal["", "half", "wide"] = ""
    kind: ClassVar[str] = "figure"

    @property
    def plain(self) -> dict[str, Any]:
        """Plot as JSON values for Plotly's script, with the colours of the page."""
        plot: dict[str, Any] = self.figure.to_plotly_json()
        layout = {name: value for name, value in plot["layout"].items() if name != "template"}
        layout["height"] = self.height
        return {"data": plot["data"], "layout": layout}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: visible text.
        order: sort key; ``None`` sorts by the text, if there is any.
    """

    text: str
    order: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table; ``mark`` names how it stands out: ``best``, ``untrained``, ``poor``."""

    cells: tuple[Cell, ...]
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table; numbers stand to the right."""

    name: str
    number: bool = True


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: content of the table.
        columns, rows: its content; the first cell of a row names it.
        sortable: whether a click on a column sorts it.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sortable: bool = False
    kind: ClassVar[str] = "table"


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        png: its file.
        alternative: content of the picture as text, for screen readers.
        caption: below it.
    """

    png: bytes
    alternative: str
    caption: str
    kind: ClassVar[str] = "picture"

    @property
    def source(self) -> str:
        """Picture as an address that needs no other file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclasses.dataclass(frozen=True)
class Facts:
    """Names with their values."""

    pairs: tuple[tuple[str, str], ...]
    kind: ClassVar[str] = "facts"


@dataclasses.dataclass(frozen=True)
class Items:
    """A list of sentences."""

    texts: tuple[str, ...]
    kind: ClassVar[str] = "items"


@dataclasses.dataclass(frozen=True)
class Code:
    """Text of a file or a command: title, text, and whether it is unfolded."""

    what: str
    text: str
    open: bool = False
    kind: ClassVar[str] = "code"


@dataclasses.dataclass(frozen=True)
class Figures:
    """The few figures that matter most, large: each its name, its value and a word to it."""

    cards: tuple[tuple[str, str, str], ...]
    kind: ClassVar[str] = "cards"


Part: TypeAlias = (
    "Heading | Paragraph | Missing | Figure | Table | Picture | Facts | Items | Code | Figures"
)


@dataclasses.dataclass(frozen=True)
class Section:
    """A section: its name in addresses, its title and its parts."""

    name: str
    title: str
    parts: tuple[Part, ...]


def section(name: str, title: str, parts: Sequence[Part]) -> Section:
    """Build a section of these parts."""
    return Section(name, title, tuple(parts))


def number(value: float | None, digits: int = 3) -> Cell:
    """Format a number as a cell; None gives an empty one."""
    return Cell("") if value is None else Cell(f"{value:.{digits}f}", value)


def count(value: int | None) -> Cell:
    """Format a whole number as a cell; None gives an empty one."""
    return Cell("") if value is None else Cell(f"{value:,}", value)


def with_interval(
    value: float | None, interval: Sequence[float] | None, *, exact: bool = False
) -> Cell:
    """Format a number with its 95% interval, or exact bound, as a cell sorted by the number."""
    if value is None:
        return Cell("")
    return Cell(interval_text(value, interval) + (EXACT if exact else ""), value)


def interval_text(value: float, interval: Sequence[float] | None) -> str:
    """Return text such as ``0.93 [0.88, 0.97]``."""
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
