"""Figures of one manipulation method, one quality or one codec."""

from __future__ import annotations

from typing import Any

import numpy as np

from artifacts.metrics.measures import Measured, compute_measures
from artifacts.metrics.per_video import ScoredClips

_OF_A_METHOD = ("auc", "recall")
_OF_A_KIND = ("auc", "recall", "false_alarm_rate")


def measure_methods(
    scored: ScoredClips, threshold: float, whole: Measured, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Return videos, AUC against all reals, recall, intervals and bounds of each method.

    Args:
        scored: Scored videos; the AUC is None without a real.
        threshold: At and above it a video is called fake.
        whole: Figures of all videos, reused if there is a single method.
        seed: Seed of the bootstrap.
    """
    fake = scored.labels == 1
    found = {}
    for method in sorted(set(scored.methods[fake].tolist())):
        ours = (scored.methods == method) & fake
        chosen = ours | ~fake
        figures = whole if chosen.all() else _figures(scored.select(chosen), threshold, seed)
        found[method] = {"videos": int(ours.sum())} | _named(figures, _OF_A_METHOD)
    return found


def measure_kinds(
    scored: ScoredClips, kind: str, threshold: float, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Return counts, AUC, recall, false alarm rate, intervals and bounds of each kind.

    Args:
        scored: Scored videos.
        kind: Name in :attr:`ScoredClips.kinds`: quality or codec.
        threshold: At and above it a video is called fake.
        seed: Seed of the bootstrap.

    Returns:
        A figure is None without the labels it needs. The result is empty with one kind only.
    """
    values = scored.kinds.get(kind)
    if values is None or len(np.unique(values)) < 2:
        return {}
    found = {}
    for value in np.unique(values).tolist():
        chosen = scored.select(values == value)
        figures = _figures(chosen, threshold, seed)
        fakes = int((chosen.labels == 1).sum())
        counts = {"videos": len(chosen.labels), "reals": len(chosen.labels) - fakes}
        found[value] = counts | {"fakes": fakes} | _named(figures, _OF_A_KIND)
    return found


def _figures(scored: ScoredClips, threshold: float, seed: int) -> Measured:
    return compute_measures(scored.labels, scored.probabilities, scored.groups, threshold, seed)


def _named(figures: Measured, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: figures.values.get(name) for name in names}
    edges = {f"{name}_ci": figures.intervals.get(name) for name in names}
    bounds = {name: figures.bounds[name] for name in names if name in figures.bounds}
    return values | edges | {"bounds": bounds}
