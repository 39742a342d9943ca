"""Every metric of an evaluation as tables of a report: of a split, its methods and its kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from artifacts.metrics.metrics import Evaluation
from artifacts.report.parts import (
    EXACT,
    Cell,
    Column,
    Items,
    Missing,
    Part,
    Row,
    Table,
    count,
    number,
    with_interval,
)

_SPLITS = {"val": "validation"}
_WORDS = {
    "auc": "AUC",
    "eer": "EER",
    "brier": "Brier score",
    "f1": "F1",
    "log_loss": "log-loss",
    "average_precision": "average precision",
    "ece": "calibration error (ECE)",
    "tpr_at_1_percent_fpr": "fakes found at 1% false alarms",
    "tpr_at_0_1_percent_fpr": "fakes found at 0.1% false alarms",
}


def metric_parts(evaluation: Evaluation) -> list[Part]:
    """Return every metric of a split with its interval, then by method, quality and codec."""
    values = evaluation.to_json()
    rows = [
        Row(
            (
                Cell(_WORDS.get(name, name.replace("_", " "))),
                number(values[name]),
                _edges(interval, exact=name in evaluation.bounds),
            )
        )
        for name, interval in evaluation.intervals.items()
        if isinstance(values.get(name), int | float)
    ]
    caption = (
        f"Metrics of the {_SPLITS.get(evaluation.split, evaluation.split)} split: "
        f"{evaluation.reals} reals (face coverage {evaluation.coverage_real:.3f}) and "
        f"{evaluation.fakes} fakes ({evaluation.coverage_fake:.3f}); intervals over people."
    )
    parts = evaluation.by_method, evaluation.by_quality, evaluation.by_codec
    if evaluation.bounds or any(row.get("bounds") for part in parts for row in part.values()):
        caption += (
            " Those called exact are bounds (Clopper and Pearson, 1934): no draw of people has an "
            "error of the kind, which does not say that there is none."
        )
    metric, edges = Column("metric", number=False), Column("95% interval")
    return [
        Table(caption, (metric, Column("value"), edges), tuple(rows)),
        *([Items(tuple(evaluation.notes))] if evaluation.notes else []),
        _by_method(evaluation.by_method),
        *_by_kind("quality", evaluation.by_quality),
        *_by_kind("codec", evaluation.by_codec),
    ]


def _edges(interval: Any, *, exact: bool) -> Cell:
    if interval is None:
        return Cell("")
    return Cell(f"{interval[0]:.3f} to {interval[1]:.3f}{EXACT if exact else ''}")


def _by_method(methods: Mapping[str, Mapping[str, Any]]) -> Part:
    if not methods:
        return Missing("Methods", "the split names no manipulation method.")
    rows = [
        Row((Cell(name), count(row["videos"]), _of(row, "auc"), _of(row, "recall")))
        for name, row in sorted(methods.items(), key=lambda item: item[1]["auc"])
    ]
    columns = ("fakes", "AUC", "found at the threshold")
    return Table(
        "Each manipulation method against all reals, the hardest first.",
        (Column("method", number=False), *map(Column, columns)),
        tuple(rows),
        sortable=True,
    )


def _by_kind(kind: str, parts: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    """Return the videos of each quality or codec; nothing if all have the same."""
    if not parts:
        return []
    figures = ("auc", "recall", "false_alarm_rate")
    rows = [
        Row(
            (
                Cell(name or "unknown"),
                count(row["reals"]),
                count(row["fakes"]),
                *(_of(row, figure) for figure in figures),
            )
        )
        for name, row in parts.items()
    ]
    columns = ("reals", "fakes", "AUC", "fakes found", "false alarms")
    return [
        Table(
            f"The videos of each {kind} alone, at the frozen threshold.",
            (Column(kind, number=False), *map(Column, columns)),
            tuple(rows),
            sortable=True,
        )
    ]


def _of(row: Mapping[str, Any], figure: str) -> Cell:
    exact = figure in row.get("bounds", {})
    return with_interval(row.get(figure), row.get(f"{figure}_ci"), exact=exact)
