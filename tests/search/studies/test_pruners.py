from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from search.config.names import Pruner
from search.studies.pruners import pruner
from search.studies.study import (
    open_study,
)
from search.trials import queue

EPOCHS = 12


def interrupt(study: optuna.Study) -> None:
    """Fail the trial that runs, and queue it again."""
    (trial,) = queue.running_trials(study)
    assert queue.give_back(study, trial)
    queue.queue_trials(study, 100, slots=0)


def pruned_at(
    run: RunDirectory, name: Pruner, curves: list[list[float]], cut: int = -1
) -> list[int]:
    """After how many epochs each of some trials is stopped; the one of number ``cut`` is killed
    in its fourth epoch, and repeated by the next.
    """
    ended: list[int] = []
    while len(ended) < len(curves):
        study = open_study(run, ARCHITECTURE)
        study.sampler = optuna.samplers.RandomSampler(seed=0)
        study.pruner = pruner(name, EPOCHS)
        trial = study.ask()
        curve = curves[len(ended)]
        epoch, stopped = 0, False
        while epoch < len(curve) and not stopped:
            epoch += 1
            trial.report(curve[epoch - 1], epoch)
            stopped = trial.should_prune()
            if trial.number == cut and epoch == 4:
                break
        if trial.number == cut:
            interrupt(study)
            continue
        state = optuna.trial.TrialState.PRUNED if stopped else None
        study.tell(trial, None if stopped else curve[-1], state=state)
        ended.append(epoch)
    run.journal.unlink()
    return ended


def lines(*levels: float) -> list[list[float]]:
    return [[level + epoch / 1000 for epoch in range(EPOCHS)] for level in levels]


LEVELS = lines(0.5, 0.6, 0.7, 0.8, 0.55, 0.9, 0.4, 0.3, 0.65, 0.75, 0.2, 0.95)


@pytest.mark.parametrize("name", ["median", "halving", "hyperband"])
def test_bad_trials_are_stopped_early_and_the_best_never(tmp_path: Path, name: Pruner) -> None:
    ended = pruned_at(RunDirectory(tmp_path), name, LEVELS)
    assert ended[5] == ended[11] == EPOCHS
    assert any(epochs < EPOCHS for epochs in ended)
    assert min(ended) >= 2


def test_median_stops_what_is_worse_than_half(tmp_path: Path) -> None:
    ended = pruned_at(RunDirectory(tmp_path), "median", LEVELS)
    assert ended[4] == 2
    assert ended[:4] == [EPOCHS] * 4


def test_halving_lets_a_third_pass_each_rung(tmp_path: Path) -> None:
    ended = pruned_at(RunDirectory(tmp_path), "halving", LEVELS)
    # Rungs after 2 and 6 epochs; a trial not among the best third at one ends there.
    assert set(ended) <= {2, 6, EPOCHS}
    assert ended[6] == ended[7] == ended[10] == 2


def test_none_stops_nothing(tmp_path: Path) -> None:
    assert set(pruned_at(RunDirectory(tmp_path), "none", LEVELS)) == {EPOCHS}


@pytest.mark.parametrize("name", ["median", "halving", "hyperband"])
@pytest.mark.parametrize("cut", [3, 5])
def test_an_interruption_changes_no_decision(tmp_path: Path, name: Pruner, cut: int) -> None:
    whole = pruned_at(RunDirectory(tmp_path), name, LEVELS)
    assert pruned_at(RunDirectory(tmp_path), name, LEVELS, cut=cut) == whole


@pytest.mark.parametrize("name", ["median", "halving", "hyperband", "none"])
def test_stages_of_one_epoch_have_pruners_too(tmp_path: Path, name: Pruner) -> None:
    study = open_study(RunDirectory(tmp_path), ARCHITECTURE)
    study.pruner = pruner(name, 1)
    trial = study.ask()
    trial.report(0.5, 1)
    assert not trial.should_prune()
