"""Contributions of the streams of a detector, in a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from artifacts.report.parts import (
    Cell,
    Column,
    Figure,
    Missing,
    Paragraph,
    Part,
    Row,
    Table,
    number,
    with_interval,
)

_WEIGHTS = {
    "attention": "Weights are those of the attention over streams.",
    "gated": "Weights are the gates of the streams.",
    "concatenation": "Weights are shares of the streams' contributions to the logit.",
}


def stream_parts(found: Mapping[str, Any]) -> list[Part]:
    """Return the loss without each stream, and the weight of each.

    Args:
        found: content of ``streams.json``.
    """
    try:
        return _parts(found)
    except (KeyError, TypeError, ValueError, IndexError):
        return [Missing("Streams", "streams.json is damaged; remove it, and it is made anew.")]


def _parts(found: Mapping[str, Any]) -> list[Part]:
    streams = found["streams"]
    if len(streams) < 2:
        only = f"the detector has {streams[0]['stream']} alone" if streams else "it has none"
        return [Missing("Streams", f"{only}: there is nothing to compare.".replace("_", " "))]
    names = [str(row["stream"]).replace("_", " ") for row in streams]
    losses = [float(row["loss"]) for row in streams]
    edges = [row["loss_interval"] for row in streams]
    text = (
        f"Each stream in turn shows the same to the rest of the detector for all {found['clips']} "
        f"clips of the validation split, whose AUC with all streams is {found['auc']:.3f}. "
        "Losses do not add up: information that two streams share is not lost with one of them. "
        + _WEIGHTS.get(str(found["fusion"]), "")
    )
    worth = ", ".join(f"{name} {loss:+.3f}" for name, loss in zip(names, losses, strict=True))
    figure = go.Figure(
        go.Bar(
            x=losses,
            y=names,
            orientation="h",
            error_x=_bars(losses, edges),
            width=0.5,
        )
    )
    figure.update_xaxes(title="AUC lost without it")
    figure.update_yaxes(autorange="reversed")
    rows = [
        Row(
            (
                Cell(name),
                with_interval(row["loss"], row["loss_interval"]),
                number(row["auc_without"]),
                number(row["weight_real"]),
                number(row["weight_fake"]),
            )
        )
        for name, row in zip(names, streams, strict=True)
    ]
    columns = ("AUC lost without it", "AUC without it", "weight, reals", "weight, fakes")
    return [
        Paragraph(text.strip()),
        Figure(
            "AUC that is lost without each stream, with its 95% interval over people.",
            f"AUC lost without each stream: {worth}.",
            figure,
            height=120 + 50 * len(names),
        ),
        Table(
            "Contribution of each stream.",
            (Column("stream", number=False), *map(Column, columns)),
            tuple(rows),
        ),
    ]


def _bars(values: list[float], edges: list[Any]) -> dict[str, Any]:
    """Return intervals in the form of Plotly, from the value up and down."""
    pairs = [edge or (value, value) for value, edge in zip(values, edges, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "color": "#888888",
        "array": [high - value for value, (_, high) in zip(values, pairs, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, pairs, strict=True)],
    }
