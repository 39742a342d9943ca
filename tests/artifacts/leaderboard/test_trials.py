"""Trials of real studies become records in the order of merit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from artifacts.leaderboard.rows import Row, rank_rows
from artifacts.leaderboard.trials import trial_rows
from artifacts.records import (
    GanFigures,
    ModelCost,
    TrainingEffort,
    TrialRecord,
    ValidationFigures,
)
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
    stopped = {"reason": "val_auc 0.700", "epoch_samples": 10}
    _add(architecture, None, TrialState.PRUNED, (0.6, 0.99, 0.7), **stopped)
    _add(architecture, None, TrialState.FAIL, reason="out of memory")
    _add(architecture, None, TrialState.RUNNING, (0.55,))
    architecture.enqueue_trial({})
    _add(gan, 0.2)
    _add(gan, -0.01)
    _add(gan, None, TrialState.PRUNED, (0.9, 0.5))
    _add(training, 0.85, val_log_loss=0.1)
    return {stage: study.get_trials() for stage, study in studies.items()}


def ranked(trials: Mapping[str, Iterable[FrozenTrial]]) -> list[Row]:
    return rank_rows(trial_rows(trials))


def _names(rows: list[Row]) -> list[tuple[str, int]]:
    return [(row.stage, row.record.trial) for row in rows]


def test_detectors_come_by_auc_then_log_loss_across_stages(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = [row for row in ranked(trials) if row.rank is not None]
    assert _names(found) == [
        ("architecture", 2),
        ("architecture", 1),
        ("training", 0),
        ("architecture", 0),
    ]
    assert [row.rank for row in found] == [1, 2, 3, 4]
    assert [row.field("val_auc") for row in found] == [0.9, 0.9, 0.85, 0.8]


def test_gan_trials_come_next_by_kid_and_have_no_rank(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = ranked(trials)
    assert _names(found)[4:6] == [("gan", 1), ("gan", 0)]
    for row in found:
        if row.stage == "gan":
            assert row.rank is None
            assert row.field("val_auc") is None
            assert row.field("kid") is not None


def test_what_did_not_complete_comes_last_with_its_state_and_reason(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = ranked(trials)
    rest = {(row.stage, row.record.trial): row for row in found[6:]}
    assert {name: row.record.state for name, row in rest.items()} == {
        ("architecture", 3): "pruned",
        ("architecture", 4): "failed",
        ("architecture", 5): "running",
        ("architecture", 6): "waiting",
        ("gan", 2): "pruned",
    }
    assert all(row.rank is None for row in rest.values())
    assert rest["architecture", 3].record.reason == "val_auc 0.700"
    assert rest["architecture", 4].record.reason == "out of memory"
    assert rest["architecture", 4].field("val_auc") is None


def test_a_trial_that_was_stopped_shows_the_last_it_reported(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = {(row.stage, row.record.trial): row for row in ranked(trials)}
    assert found["architecture", 3].field("val_auc") == 0.7
    assert found["architecture", 5].field("val_auc") == 0.55
    assert found["gan", 2].field("kid") == 0.5


def test_a_trial_stopped_while_methods_were_left_out_has_no_auc_of_all() -> None:
    study = optuna.create_study(direction="maximize")
    _add(study, None, TrialState.PRUNED, (0.6,), method_auc={"Drawn": 0.6})
    _add(study, None, TrialState.PRUNED, (0.7,), method_auc={"Drawn": 0.7}, val_auc=0.9)
    first, second = ranked({"training": study.get_trials()})
    figures = [row.record.validation for row in (first, second)]
    assert [(one.objective, one.auc) for one in figures] == [(0.7, 0.9), (0.6, None)]


def test_a_record_holds_what_the_trial_left(trials: dict[str, list[FrozenTrial]]) -> None:
    record = TrialRecord(
        stage="architecture",
        trial=0,
        state="complete",
        hyperparameters={"a": 1},
        validation=ValidationFigures(objective=0.8, auc=0.8, log_loss=0.5),
        cost=ModelCost(params=10),
        effort=TrainingEffort(seconds=1.5),
    )
    assert ranked(trials)[3] == Row(record, rank=4)


def test_samples_are_those_recorded_or_else_the_last_reported(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = {(row.stage, row.record.trial): row for row in ranked(trials)}
    assert found["architecture", 3].field("samples") == 20
    assert found["architecture", 0].field("samples") is None
    assert found["gan", 2].field("samples") is None
    study = optuna.create_study(direction="maximize")
    _add(study, 0.8, samples=4, samples_asked=6, best_samples=3, peak_mb=900.5)
    # Where methods are left out, the reports are of these.
    _add(study, 0.7, reported=(0.7, 0.6), method_auc={"Drawn": 0.6})
    recorded, left_out = ranked({"architecture": study.get_trials()})
    assert recorded.record.effort == TrainingEffort(None, 4, 6, 3, 900.5)
    assert left_out.field("samples") is None


def test_a_record_knows_which_column_is_the_second_objective() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.8, 1.5], [0.7, 20.25]):
        trial = study.ask()
        trial.set_user_attr("file_mb", 1.5)
        trial.set_user_attr("latency_ms", 20.25)
        study.tell(trial, values)
    first, second = ranked({"architecture": study.get_trials()})
    assert (first.field("cost"), second.field("cost")) == ("file_mb", "latency_ms")
    assert ranked({"architecture": []}) == []


def test_what_needs_no_training_stands_by_its_auc_without_a_rank(
    trials: dict[str, list[FrozenTrial]],
) -> None:
    found = ranked(trials)
    others = [
        Row(TrialRecord("untrained", number, "complete", validation=ValidationFigures(auc=auc)))
        for number, auc in enumerate((0.95, 0.87, 0.1))
    ]
    together = rank_rows([*others, *found])
    assert _names(together)[:7] == [
        ("untrained", 0),
        ("architecture", 2),
        ("architecture", 1),
        ("untrained", 1),
        ("training", 0),
        ("architecture", 0),
        ("untrained", 2),
    ]
    assert [row.rank for row in together[:7]] == [None, 1, 2, None, 3, 4, None]


def test_ranks_may_follow_the_auc_whatever_was_optimised() -> None:
    study = optuna.create_study(direction="maximize")
    _add(study, 0.9, val_auc=0.6)
    _add(study, 0.5, val_auc=0.8)
    by_objective = ranked({"architecture": study.get_trials()})
    by_auc = rank_rows(by_objective, by_auc=True)
    assert [row.record.trial for row in by_objective] == [0, 1]
    assert [(row.record.trial, row.rank) for row in by_auc] == [(1, 1), (0, 2)]


def test_a_gan_leaves_the_error_of_its_kid_and_its_discriminators_auc() -> None:
    study = optuna.create_study(study_name="gan", direction="minimize")
    _add(study, 0.3, kid_error=0.02, kid_features="random", detector_auc=0.6)
    _add(study, 0.4, kid_error=float("nan"), kid_features="random")
    sure, unsure = ranked({"gan": study.get_trials()})
    assert sure.record.gan == GanFigures(0.3, 0.02, "random", 0.6)
    assert (unsure.field("kid_error"), unsure.field("detector_auc")) == (None, None)


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
    found = ranked({"training": study.get_trials()})
    assert [(row.rank, row.field("objective"), row.field("val_auc")) for row in found] == [
        (1, 0.8, 0.6),
        (2, 0.7, 0.95),
    ]
    assert found[0].field("val_pair_ranking") == 0.75
    assert found[0].field("val_pseudo_auc") is None
