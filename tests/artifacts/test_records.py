"""Trials of real studies become records in the order of merit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from artifacts import records
from artifacts.records import TrialRecord, ranked
from artifacts.stages import DETECTOR_STAGES


def _add(
    study: optuna.Study,
    value: float | None = None,
    state: TrialState = TrialState.COMPLETE,
    reported: tuple[float, ...] = (),
    **attributes: object,
) -> None:
    trial = study.ask()
    for step, intermediate in enumerate(reported):
        trial.report(intermediate, step)
    for name, attribute in attributes.items():
        trial.set_user_attr(name, attribute)
    if state != TrialState.RUNNING:
        study.tell(trial, value, state)


@pytest.fixture(params=["memory", "journal"])
def trials(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, list[FrozenTrial]]:
    storage = None
    if request.param == "journal":
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "studies.log")))
    studies = {
        stage: optuna.create_study(
            study_name=stage,
            storage=storage,
            direction="minimize" if stage == "gan" else "maximize",
        )
        for stage in ("architecture", "gan", "training")
    }
    architecture, gan, training = studies.values()
    _add(architecture, 0.8, val_log_loss=0.5, params=10, seconds=1.5, hyperparameters={"a": 1})
    _add(architecture, 0.9, val_log_loss=0.4)
    _add(architecture, 0.9, val_log_loss=0.3)
    _add(architecture, None, TrialState.PRUNED, (0.6, 0.99, 0.7), reason="val_auc 0.700")
    _add(architecture, None, TrialState.FAIL, reason="out of memory")
    _add(architecture, None, TrialState.RUNNING, (0.55,))
    architecture.enqueue_trial({})
    _add(gan, 0.2)
    _add(gan, -0.01)
    _add(gan, None, TrialState.PRUNED, (0.9, 0.5))
    _add(training, 0.85, val_log_loss=0.1)
    return {stage: study.get_trials() for stage, study in studies.items()}


def _names(found: list[TrialRecord]) -> list[tuple[str, int]]:
    return [(record.stage, record.trial) for record in found]


def test_detectors_come_by_auc_then_log_loss_across_stages(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = [record for record in ranked(trials) if record.rank is not None]
    assert _names(found) == [
        ("architecture", 2),
        ("architecture", 1),
        ("training", 0),
        ("architecture", 0),
    ]
    assert [record.rank for record in found] == [1, 2, 3, 4]
    assert [record.val_auc for record in found] == [0.9, 0.9, 0.85, 0.8]


def test_gan_trials_come_next_by_kid_and_have_no_rank(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = ranked(trials)
    assert _names(found)[4:6] == [("gan", 1), ("gan", 0)]
    for record in found:
        if record.stage == "gan":
            assert record.rank is None
            assert record.val_auc is None
            assert record.kid is not None


def test_what_did_not_complete_comes_last_with_its_state_and_reason(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = ranked(trials)
    rest = {(record.stage, record.trial): record for record in found[6:]}
    assert {name: record.state for name, record in rest.items()} == {
        ("architecture", 3): "pruned",
        ("architecture", 4): "failed",
        ("architecture", 5): "running",
        ("architecture", 6): "waiting",
        ("gan", 2): "pruned",
    }
    assert all(record.rank is None for record in rest.values())
    assert rest["architecture", 3].reason == "val_auc 0.700"
    assert rest["architecture", 4].reason == "out of memory"
    assert rest["architecture", 4].val_auc is None


def test_a_trial_that_was_stopped_shows_the_last_it_reported(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = {(record.stage, record.trial): record for record in ranked(trials)}
    assert found["architecture", 3].val_auc == 0.7
    assert found["architecture", 5].val_auc == 0.55
    assert found["gan", 2].kid == 0.5


def test_a_trial_stopped_while_methods_were_left_out_has_no_auc_of_all() -> None:
    study = optuna.create_study(direction="maximize")
    _add(study, None, TrialState.PRUNED, (0.6,), method_auc={"Drawn": 0.6})
    _add(study, None, TrialState.PRUNED, (0.7,), method_auc={"Drawn": 0.7}, val_auc=0.9)
    first, second = ranked({"training": study.get_trials()})
    assert [(one.objective, one.val_auc) for one in (first, second)] == [(0.7, 0.9), (0.6, None)]


def test_a_record_holds_what_the_trial_left(trials: dict[str, list[FrozenTrial]]) -> None:
    assert ranked(trials)[3] == TrialRecord(
        rank=4,
        stage="architecture",
        trial=0,
        state="complete",
        val_auc=0.8,
        val_log_loss=0.5,
        kid=None,
        params=10,
        seconds=1.5,
        reason="",
        hyperparameters={"a": 1},
        objective=0.8,
    )


def test_epochs_are_those_told_or_else_the_last_reported(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = {(record.stage, record.trial): record for record in ranked(trials)}
    assert found["architecture", 3].epochs == 2
    assert found["architecture", 0].epochs is None
    assert found["gan", 2].epochs is None
    study = optuna.create_study(direction="maximize")
    _add(study, 0.8, epochs=4, epochs_asked=6, best_epoch=3, peak_mb=900.5)
    # Where methods are left out, the reports are of these.
    _add(study, 0.7, reported=(0.7, 0.6), method_auc={"Drawn": 0.6})
    told, left_out = ranked({"architecture": study.get_trials()})
    assert (told.epochs, told.epochs_asked, told.best_epoch, told.peak_mb) == (4, 6, 3, 900.5)
    assert left_out.epochs is None


def test_a_record_knows_which_column_is_the_second_objective() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.8, 1.5], [0.7, 20.25]):
        trial = study.ask()
        trial.set_user_attr("file_mb", 1.5)
        trial.set_user_attr("latency_ms", 20.25)
        study.tell(trial, values)
    first, second = ranked({"architecture": study.get_trials()})
    assert (first.cost, second.cost) == ("file_mb", "latency_ms")
    assert ranked({"architecture": []}) == []


def test_what_needs_no_training_stands_by_its_auc_without_a_rank(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = ranked(trials)
    plain = dataclasses.replace(found[0], stage="untrained", rank=None, objective=None)
    others = [
        dataclasses.replace(plain, trial=number, val_auc=auc)
        for number, auc in enumerate((0.95, 0.87, 0.1))
    ]
    together = records.placed([*others, *found])
    assert _names(together)[:7] == [
        ("untrained", 0),
        ("architecture", 2),
        ("architecture", 1),
        ("untrained", 1),
        ("training", 0),
        ("architecture", 0),
        ("untrained", 2),
    ]
    assert [record.rank for record in together[:7]] == [None, 1, 2, None, 3, 4, None]


def test_ranks_may_follow_the_auc_whatever_was_optimised() -> None:
    study = optuna.create_study(direction="maximize")
    _add(study, 0.9, val_auc=0.6)
    _add(study, 0.5, val_auc=0.8)
    by_objective = ranked({"architecture": study.get_trials()})
    by_auc = records.placed(by_objective, by_auc=True)
    assert [record.trial for record in by_objective] == [0, 1]
    assert [(record.trial, record.rank) for record in by_auc] == [(1, 1), (0, 2)]


def test_a_gan_leaves_the_error_of_its_kid_and_its_discriminators_auc() -> None:
    study = optuna.create_study(study_name="gan", direction="minimize")
    _add(study, 0.3, kid_error=0.02, kid_features="random", detector_auc=0.6)
    _add(study, 0.4, kid_error=float("nan"), kid_features="random")
    sure, unsure = ranked({"gan": study.get_trials()})
    assert (sure.kid_error, sure.kid_features, sure.detector_auc) == (0.02, "random", 0.6)
    assert (unsure.kid_error, unsure.detector_auc) == (None, None)


def test_a_run_that_has_just_begun_has_no_records() -> None:
    assert ranked({}) == []
    assert ranked({"architecture": []}) == []


def test_stages_that_train_detectors_are_those_with_a_rank() -> None:
    assert tuple(map(str, DETECTOR_STAGES)) == ("architecture", "training")


def test_ranks_follow_the_objective_and_the_auc_stands_beside_it() -> None:
    study = optuna.create_study(direction="maximize")
    for value, auc in ((0.7, 0.95), (0.8, 0.6)):
        trial = study.ask()
        trial.set_user_attr("val_auc", auc)
        trial.set_user_attr("val_pair_ranking", 0.75)
        study.tell(trial, value)
    found = records.ranked({"training": study.get_trials()})
    assert [(record.rank, record.objective, record.val_auc) for record in found] == [
        (1, 0.8, 0.6),
        (2, 0.7, 0.95),
    ]
    assert found[0].val_pair_ranking == 0.75
    assert found[0].val_pseudo_auc is None
