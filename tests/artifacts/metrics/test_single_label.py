from __future__ import annotations

import json

import numpy as np
import pytest

from artifacts.metrics.per_video import ScoredClips
from artifacts.metrics.single_label import evaluate_single_label


def _clips(label: int, probabilities: list[float]) -> ScoredClips:
    count = len(probabilities)
    return ScoredClips(
        labels=np.full(count, label),
        probabilities=np.array(probabilities),
        groups=np.arange(count).astype(str),
        methods=np.full(count, "swap" if label else "real"),
        coverage=np.ones(count),
        kinds={"quality": np.array(["c23", "c40"])[np.arange(count) % 2]},
    )


def test_of_reals_alone_there_are_false_alarms() -> None:
    found = evaluate_single_label(
        _clips(0, [0.1, 0.2, 0.3, 0.9]), clips=4, split="all", threshold=0.5, quarantined=2
    )
    assert found.false_alarm_rate == 0.25
    assert found.recall is None
    assert found.auc is None
    assert (found.reals, found.fakes, found.quarantined) == (4, 0, 2)
    low, high = found.intervals["false_alarm_rate"] or (1, 0)
    assert low <= 0.25 <= high
    assert found.by_quality["c40"]["false_alarm_rate"] == 0.5
    assert "AUC and other comparisons of the labels need fakes" in found.notes[0]
    json.dumps(found.to_json(), allow_nan=False)


def test_of_fakes_alone_there_is_recall_of_each_method() -> None:
    found = evaluate_single_label(
        _clips(1, [0.6, 0.7, 0.9]), clips=3, split="all", threshold=0.5, quarantined=0
    )
    assert found.recall == 1
    assert found.intervals["recall"] == pytest.approx((0.025 ** (1 / 3), 1))
    assert found.bounds == {"recall": 3}
    assert found.false_alarm_rate is None
    assert found.by_method["swap"]["recall"] == 1
    assert found.by_method["swap"]["auc"] is None
