from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import objective


def epoch(good: float, test: float) -> dict[str, float]:
    return {
        "objective": good,
        "val_auc": 0.5,
        "val_pseudo_auc": 1 - good,
        "val_pair_ranking": good,
        "last": 1.0,
        "test_auc": test,
    }


TRAININGS = [
    [epoch(0.1, 0.5), epoch(0.9, 0.8), epoch(0.5, 0.7)],
    [epoch(0.2, 0.6), epoch(0.6, 0.75), epoch(0.8, 0.78)],
]


def test_a_figure_that_ranks_like_the_test_correlates_and_selects_the_best() -> None:
    found = objective.summarise(TRAININGS)["test_auc"]
    assert found["objective"]["ranks"][0] == pytest.approx(1)
    assert found["val_pseudo_auc"]["ranks"][0] == pytest.approx(-1)
    assert found["objective"]["chooses"][0] == pytest.approx((0.8 + 0.78) / 2)
    assert found["val_pseudo_auc"]["chooses"][0] == pytest.approx((0.5 + 0.6) / 2)
    value, low, high = found["objective"]["chooses"]
    assert low <= value <= high


def test_a_constant_figure_has_no_correlation() -> None:
    assert np.isnan(objective.correlate(TRAININGS, "val_auc", "test_auc"))
    shown = objective.build_table(objective.summarise(TRAININGS), "title")
    assert "constant" in [str(cell) for column in shown.columns for cell in column.cells]


@pytest.mark.slow
def test_trainings_are_recorded_by_epoch_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_prep.preparation.clip import Preparation
    from data_prep.preparation.job import Execution
    from data_prep.preparation.prepare import prepare
    from data_prep.synthetic.synthesize import synthesize

    synthesize(tmp_path / "set", identities=8, frames=8, size=128, jobs=2)
    prepare(
        tmp_path / "set",
        tmp_path / "s.h5",
        preparation=Preparation(frames=4, size=48),
        execution=Execution(jobs=2),
    )
    progress: list[tuple[int, int]] = []
    matched = objective.make_matched_store(tmp_path / "s.h5", tmp_path)
    assert matched is not None

    def train_all(count: int) -> list[objective.Epochs]:
        kept = tmp_path / "kept.jsonl"
        settings = {
            "store": tmp_path / "s.h5",
            "run_dir": tmp_path,
            "space": {"backbones": ["small_cnn"]},
            "training": {"frames": 1},
        }
        tests = {"test": tmp_path / "s.h5", "matched": matched}
        return objective.train_all(settings, tests, count, 5, kept, lambda *at: progress.append(at))

    (epochs,) = train_all(1)
    assert [one["epoch"] for one in epochs] == [1, 2, 3, 4, 5]
    for one in epochs:
        parts = [one[name] for name in ("val_auc", "val_pseudo_auc", "val_pair_ranking")]
        assert one["objective"] == pytest.approx(sum(parts) / 3)
        assert all(0 <= one[name] <= 1 for name in objective.TESTS)
    json.dumps(epochs, allow_nan=False)
    monkeypatch.setattr(objective, "train", None)
    assert train_all(1) == [epochs]
    assert progress == [(1, 1), (1, 1)]
