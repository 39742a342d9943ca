"""Check of the figures in a file, which may come from another person."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pydantic

from artifacts.metrics.metrics import Evaluation
from data_prep.bootstrap import Interval


@dataclasses.dataclass(frozen=True)
class _Method:
    """Figures of one method: see :attr:`Evaluation.by_method`."""

    videos: int
    auc: float
    recall: float
    auc_ci: Interval = None
    recall_ci: Interval = None
    bounds: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Kind:
    """Figures of one quality or codec: see :attr:`Evaluation.by_quality`."""

    videos: int
    reals: int
    fakes: int
    auc: float | None
    recall: float | None
    false_alarm_rate: float | None
    auc_ci: Interval = None
    recall_ci: Interval = None
    false_alarm_rate_ci: Interval = None
    bounds: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _PerClip:
    """Figures by clip: see :attr:`Evaluation.per_clip`."""

    values: dict[str, float]
    intervals: dict[str, Interval]
    bounds: dict[str, int]


_METHODS = pydantic.TypeAdapter(dict[str, _Method])
_KINDS = pydantic.TypeAdapter(dict[str, _Kind])
_PER_CLIP = pydantic.TypeAdapter(_PerClip)


def check_figures(evaluation: Evaluation) -> None:
    """Check that every interval has its metric, and the figures of every part are numbers.

    Raises:
        ValueError: The evaluation was not made by this program.
    """
    _check_named(evaluation.intervals, dataclasses.asdict(evaluation))
    _METHODS.validate_python(evaluation.by_method)
    _KINDS.validate_python(evaluation.by_quality)
    _KINDS.validate_python(evaluation.by_codec)
    if evaluation.per_clip:
        _check_named(evaluation.intervals, _PER_CLIP.validate_python(evaluation.per_clip).values)


def _check_named(intervals: Mapping[str, Interval], values: Mapping[str, Any]) -> None:
    """Check that each interval has a metric of its name, which earlier versions may lack."""
    for name in intervals:
        if name not in values or not isinstance(values[name], int | float | None):
            raise ValueError(f"there is an interval of {name!r} without that metric")
