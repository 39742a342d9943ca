"""Scores of a detector in a report: curves with bands, errors, methods."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from scipy.special import ndtri

from artifacts.metrics.per_video import ScoredClips
from artifacts.report.curves import Band, Curves, Scored, curves
from artifacts.report.parts import (
    Cell,
    Column,
    Figure,
    Missing,
    Paragraph,
    Part,
    Row,
    Table,
)
from data_prep.store.format import LABEL_NAMES
from data_prep.store.store import FAKE, REAL

_SPLITS = {"test": "test", "val": "validation"}
_LINE, _BAND, _OTHER = "#2a86c8", "rgba(42, 134, 200, 0.22)", "#c96a1b"
_RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)

Floats = npt.NDArray[np.float64]


def score_parts(scores: Mapping[str, Scored], threshold: float) -> list[Part]:
    """Return curves of the test split beside validation, and the errors at the threshold.

    Args:
        scores: scores by split.
        threshold: frozen threshold; at and above it a clip is called fake.
    """
    drawn = {
        split: curves(scores[split].videos)
        for split in ("test", "val")
        if split in scores and scores[split].has_both_labels
    }
    if not drawn:
        return [Missing("Curves", "no split has scores of both reals and fakes.")]
    split = next(iter(drawn))
    scored, shown = scores[split].videos, drawn[split]
    people = len(np.unique(scored.groups))
    parts: list[Part] = [
        Paragraph(
            f"Of the {_SPLITS[split]} split: {len(scored.labels)} videos of {people} "
            f"{'people' if people != 1 else 'person'} (identity groups). Bands are 95% of a "
            "thousand draws of whole people, point by point."
            + ("" if people > 1 else " With one person there are none.")
            + (
                " The dashed line is validation, on which the model was chosen."
                if len(drawn) > 1
                else ""
            )
        )
    ]
    other = drawn.get("val") if split != "val" else None
    return [
        *parts,
        _roc(shown, other),
        _precision(shown, other, float((scored.labels == FAKE).mean())),
        _det(shown, other, scored),
        _calibration(shown, scored),
        _confusion(scored, threshold, _SPLITS[split]),
    ]


def _roc(shown: Curves, other: Curves | None) -> Figure:
    figure = _curve(shown.roc, other.roc if other else None)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="chance", line={"dash": "dot", "color": "#888888"}
    )
    figure.update_xaxes(title="reals called fake", range=[-0.01, 1.01], tickformat=".0%")
    figure.update_yaxes(title="fakes found", range=[-0.01, 1.02], tickformat=".0%")
    return Figure(
        "ROC: fakes found for the reals that are called fake with them.",
        f"ROC curve. {_told(shown.roc, (0.01, 0.1, 0.5), 'fakes found', 'reals called fake')}",
        figure,
        size="half",
    )


def _precision(shown: Curves, other: Curves | None, share: float) -> Figure:
    figure = _curve(shown.precision, other.precision if other else None)
    figure.update_xaxes(title="fakes found (recall)", range=[-0.01, 1.01], tickformat=".0%")
    figure.update_yaxes(title="fakes among those called fake", range=[0, 1.02], tickformat=".0%")
    return Figure(
        "Precision and recall. Precision depends on how many fakes there are: "
        f"{share:.0%} of these videos, and far fewer where most videos are real.",
        "Precision-recall curve. " + _told(shown.precision, (0.5, 0.9, 1.0), "precision", "recall"),
        figure,
        size="half",
    )


def _det(shown: Curves, other: Curves | None, scored: ScoredClips) -> Figure:
    """Plot both errors on normal deviates (Martin et al., 1997)."""
    rarest = 0.5 / max(min(int((scored.labels == label).sum()) for label in (REAL, FAKE)), 1)

    def deviates(rates: Floats) -> Floats:
        return np.asarray(ndtri(rates.clip(rarest, 1 - rarest)), np.float64)

    def turned(band: Band) -> Band:
        return Band(deviates(band.x), *(deviates(1 - y) for y in (band.y, band.low, band.high)))

    figure = _curve(turned(shown.roc), turned(other.roc) if other else None)
    rates = [rate for rate in _RATES if rarest <= rate <= 1 - rarest]
    ticks = {
        "tickvals": [float(ndtri(rate)) for rate in rates],
        "ticktext": [f"{100 * rate:g}%" for rate in rates],
        "range": [float(ndtri(rarest)) - 0.05, float(ndtri(0.99)) + 0.05],
    }
    figure.update_xaxes(title="reals called fake", **ticks)
    figure.update_yaxes(title="fakes missed", **ticks)
    return Figure(
        "DET: both errors against each other on the scale of normal deviates (Martin et al., "
        f"1997). It begins at {rarest:.1%}, half an error: so few videos "
        "cannot measure rarer errors.",
        "DET curve. "
        + _told(
            Band(shown.roc.x, 1 - shown.roc.y, 1 - shown.roc.high, 1 - shown.roc.low),
            (0.05, 0.1, 0.5),
            "fakes missed",
            "reals called fake",
        ),
        figure,
        size="half",
    )


def _calibration(shown: Curves, scored: ScoredClips) -> Figure:
    band = shown.calibration
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="perfect", line={"dash": "dot", "color": "#888888"}
    )
    known = np.isfinite(band.low)
    figure.add_scatter(
        x=band.x.tolist(),
        y=band.y.tolist(),
        mode="lines+markers",
        name="videos",
        line={"color": _LINE},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.where(known, band.high - band.y, 0).tolist(),
            "arrayminus": np.where(known, band.y - band.low, 0).tolist(),
        },
    )
    figure.update_xaxes(title="probability given", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(title="fakes among them", range=[-0.02, 1.05], tickformat=".0%")
    bins = len(band.x)
    shares = "; ".join(
        f"{share:.0%} at a probability of {given:.0%}"
        for given, share in zip(band.x, band.y, strict=True)
    )
    return Figure(
        f"Calibration: the videos in {bins} bins of equal number, with the probability that the "
        "model gives and the share of fakes. On the dotted line both are equal.",
        f"Calibration of {len(scored.labels)} videos. Share of fakes: {shares}.",
        figure,
        size="half",
    )


def _curve(shown: Band, other: Band | None) -> go.Figure:
    """Plot a curve with its band, and another one dashed."""
    figure = go.Figure()
    if np.isfinite(shown.low).any():
        figure.add_scatter(
            x=[*shown.x.tolist(), *shown.x[::-1].tolist()],
            y=[*shown.high.tolist(), *shown.low[::-1].tolist()],
            fill="toself",
            fillcolor=_BAND,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name="95% band",
        )
    figure.add_scatter(
        x=shown.x.tolist(),
        y=shown.y.tolist(),
        mode="lines",
        name="this split",
        line={"color": _LINE, "width": 2.5},
    )
    if other is not None:
        figure.add_scatter(
            x=other.x.tolist(),
            y=other.y.tolist(),
            mode="lines",
            name="validation",
            line={"color": _OTHER, "dash": "dash"},
        )
    return figure


def _told(band: Band, places: tuple[float, ...], what: str, at: str) -> str:
    """Describe a curve by its values at a few positions."""
    points = []
    for place in places:
        index = int(np.abs(band.x - place).argmin())
        edges = ""
        if np.isfinite(band.low[index]):
            edges = f" ({band.low[index]:.0%} to {band.high[index]:.0%})"
        points.append(f"{band.y[index]:.0%}{edges} {what} at {band.x[index]:.0%} {at}")
    return "; ".join(points) + "."


def _confusion(scored: ScoredClips, threshold: float, split: str) -> Table:
    called = scored.probabilities >= threshold
    rows = []
    for label in (REAL, FAKE):
        ours = called[scored.labels == label]
        cells = [Cell(f"{LABEL_NAMES[label]} ({len(ours)})")]
        for answer in (False, True):
            many = int((ours == answer).sum())
            cells.append(Cell(f"{many} ({many / max(len(ours), 1):.0%})", many))
        rows.append(Row(tuple(cells)))
    return Table(
        f"Confusion matrix of the {split} split at the frozen threshold of {threshold:.3f}.",
        (Column("video is", number=False), Column("called real"), Column("called fake")),
        tuple(rows),
    )
