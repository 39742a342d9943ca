"""Learning curves are of kept trials, and what is damaged is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import FrozenTrial

from artifacts.report.learning import learning_parts
from artifacts.report.parts import Figure, Missing
from artifacts.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def _write_history(run: RunDirectory, stage: str, number: int, text: str) -> Path:
    folder = run.trial(stage, number)
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(text)
    return folder


def test_learning_curves_are_of_kept_trials(
    run: RunDirectory, searched: dict[str, list[FrozenTrial]]
) -> None:
    columns = "epoch,loss,val_auc,val_log_loss\n"
    _write_history(run, "architecture", 0, f"{columns}1,0.7,0.6,0.7\n")
    kept = _write_history(run, "architecture", 1, f"{columns}1,0.6,0.7,0.6\n2,nan,0.9,0.5\n")
    (kept / "model.keras").touch()
    auc, loss = learning_parts(run, searched)
    assert isinstance(auc, Figure)
    assert isinstance(loss, Figure)
    (line,) = auc.figure.data
    assert (line.name, list(line.x), list(line.y)) == ("architecture 1", [1, 2], [0.7, 0.9])
    assert list(loss.figure.data[0].y) == [0.6]


def test_the_trainings_without_a_method_are_left_out(
    run: RunDirectory, searched: dict[str, list[FrozenTrial]]
) -> None:
    text = "without,epoch,loss,val_auc\nDrawn,1,0.7,0.1\nDrawn,2,0.7,0.2\n,1,0.6,0.8\n,2,0.5,0.9\n"
    _write_history(run, "architecture", 0, text)
    auc, loss = learning_parts(run, searched)
    assert isinstance(auc, Figure)
    assert isinstance(loss, Figure)
    (line,) = auc.figure.data
    assert (list(line.x), list(line.y)) == ([1, 2], [0.8, 0.9])
    assert auc.alternative.endswith("architecture 0 0.900.")


@pytest.mark.parametrize("text", ["", "epoch,loss,val_auc\n", "\x00", "epoch\n1,2,3\n"])
def test_a_damaged_history_is_passed_over(
    run: RunDirectory, searched: dict[str, list[FrozenTrial]], text: str
) -> None:
    _write_history(run, "architecture", 0, text)
    for part in learning_parts(run, searched):
        assert isinstance(part, Missing) or not part.figure.data
