"""A run's leaderboard knows what its rows are worth, with or without files to tell it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from artifacts.ensemble_record import EnsembleRecord, Member
from artifacts.leaderboard.comparison import check_same_store, compare
from artifacts.leaderboard.load import Leaderboard, load
from artifacts.leaderboard.rows import Row
from artifacts.leaderboard.validation_split import SCORES, Baseline, ValidationSplit, write_scores
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError
from search.studies.run_state import RunState

PEOPLE = 30
LABELS = np.tile(np.array([0, 1], np.uint8), PEOPLE)
GROUPS = np.repeat([f"person{number}" for number in range(PEOPLE)], 2)
NOISE = np.random.default_rng(0).normal(size=(4, len(LABELS)))

Trials = dict[str, list[FrozenTrial]]


def _quantity(name: str, strength: float) -> Baseline:
    return Baseline(name, strength > 0, abs(strength) * LABELS + NOISE[3])


SPLIT = ValidationSplit(
    LABELS,
    GROUPS,
    (
        _quantity("width", 0.2),
        _quantity("sharpness", -2.2),
        _quantity("file_size", 1.0),
        _quantity("fps", 0.1),
    ),
)
# The second is as good as the first for all that can be told, the third far below.
SCORES_OF = {
    ("architecture", 0): 0.3 * LABELS + NOISE[0],
    ("architecture", 1): 2.1 * LABELS + NOISE[1],
    ("training", 0): 2.2 * LABELS + NOISE[2],
}


def _auc(scores: npt.NDArray[np.floating]) -> float:
    fakes, reals = scores[LABELS == 1], scores[LABELS == 0]
    return float((fakes[:, None] > reals).mean())


@pytest.fixture
def trials() -> Trials:
    """Two architectures and one that was pruned, a training of the second, and a GAN."""
    studies = {
        stage: optuna.create_study(direction="minimize" if stage == "gan" else "maximize")
        for stage in ("architecture", "gan", "training")
    }
    for (stage, _), scores in SCORES_OF.items():
        trial = studies[stage].ask()
        chosen = {"detector/spatial/backbone": "small_cnn", "detector/temporal/kind": "mean"}
        if stage == "training":
            chosen = {"architecture": "1", "optimizer": "adam", "learning_rate": 0.001}
            chosen |= {"batch_size": 8, "samples": 3}
        trial.set_user_attr("hyperparameters", chosen)
        studies[stage].tell(trial, _auc(scores))
    pruned = studies["architecture"].ask()
    pruned.set_user_attr("epoch_samples", 10)
    pruned.report(0.5, 2)
    studies["architecture"].tell(pruned, state=TrialState.PRUNED)
    studies["gan"].tell(studies["gan"].ask(), 0.4)
    return {stage: study.get_trials() for stage, study in studies.items()}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunDirectory]:
    """A run directory with what such trials leave: ``make_run("name")``."""

    def make(name: str, *, kept: bool = True) -> RunDirectory:
        run = RunDirectory(tmp_path / name)
        run.root.mkdir()
        run.config.write_text('store = "gone.h5"\n')
        RunState.begin(run, "0" * 64)
        if kept:
            SPLIT.write(run)
            for (stage, number), scores in SCORES_OF.items():
                folder = run.trial(stage, number)
                folder.mkdir(parents=True)
                write_scores(folder, scores)
        return run

    return make


def _by_name(board: Leaderboard) -> dict[str, Row]:
    return {row.name: row for row in board.rows}


def test_rows_have_intervals_ties_and_scores_without_training_among_them(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    board = load(make_run("run"), trials)
    rows = _by_name(board)
    best, close, far = (rows[name] for name in ("training/0", "architecture/1", "architecture/0"))
    assert (best.rank, close.rank, far.rank) == (1, 2, 3)
    assert (best.is_tied, close.is_tied, far.is_tied) == (True, True, False)
    for row in (best, close, far):
        assert row.field("val_auc") is not None
        assert row.field("val_auc_ci") is not None
        assert row.field("val_auc_ci")[0] < row.field("val_auc") < row.field("val_auc_ci")[1]
        assert row.field("val_eer") is not None
    untrained = [row for row in board.rows if row.stage == "untrained"]
    assert [row.record.hyperparameters["quantity"] for row in untrained] == [
        "sharpness",
        "file_size",
        "width",
    ]
    sharpness, file_size, _ = untrained
    assert sharpness.field("val_auc") == _auc(SPLIT.baselines[1].scores)
    assert sharpness.field("what") == "sharpness alone: lower is fake"
    assert (sharpness.rank, sharpness.is_tied) == (None, True)
    places = {row.name: place for place, row in enumerate(board.rows)}
    assert places["untrained/0"] < places["training/0"] < places["architecture/1"]
    assert places["architecture/1"] < places[file_size.name] < places["architecture/0"]
    assert set(board.scores) == {*(f"{s}/{n}" for s, n in SCORES_OF), *map(_name, untrained)}
    equal, without = board.notes
    assert "over 30 identity groups" in equal
    assert without.endswith("these baselines: sharpness")


def _name(row: Row) -> str:
    return row.name


def test_lineage_streams_and_words_are_told_and_the_pruned_has_no_interval(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    rows = _by_name(load(make_run("run"), trials))
    assert rows["training/0"].field("lineage") == "architecture/1"
    assert rows["training/0"].field("backbone") == "small_cnn mean"
    assert rows["training/0"].field("what").startswith("spatial small_cnn mean (trial 1): adam")
    pruned = rows["architecture/2"]
    assert (pruned.field("samples"), pruned.field("val_auc_ci"), pruned.is_tied) == (20, None, None)
    assert rows["gan/0"].field("kid") == 0.4


def test_latencies_measured_at_the_end_stand_by_their_rows(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    run = make_run("run")
    measured = trials["architecture"][0]
    measured.set_user_attr("latency_ms", 7.5)
    write_json(run.latencies, {"architecture/0": 99.0, "training/0": 12.5})
    rows = _by_name(load(run, trials))
    assert rows["architecture/0"].field("latency_ms") == 7.5
    assert rows["training/0"].field("latency_ms") == 12.5
    assert rows["architecture/1"].field("latency_ms") is None
    damaged = ("", "[]", '{"training/0": "fast"}', '{"training/0": NaN}', "\x00", "[" * 100_000)
    for damage in damaged:
        run.latencies.write_text(damage)
        assert _by_name(load(run, trials))["training/0"].field("latency_ms") is None


def test_an_ensemble_is_held_against_the_best_as_well(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    run = make_run("run")
    mean = (SCORES_OF["architecture", 1] + SCORES_OF["training", 0]) / 2
    member = Member(stage="training", trial=0, weight=1.0, objective=0.9, hyperparameters={})
    EnsembleRecord(
        members=(member,),
        objective=_auc(mean),
        validation={"val_auc": _auc(mean)},
        seconds=1,
        reason="exported",
    ).write(run)
    run.trial("ensemble", 0).mkdir(parents=True)
    write_scores(run.trial("ensemble", 0), mean)
    best = load(run, trials).rows[0]
    assert (best.stage, best.rank, best.is_tied) == ("ensemble", 1, True)
    assert best.field("lineage") == "training/0"


def test_an_older_run_lacks_the_cells_and_says_why(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    board = load(make_run("run", kept=False), trials)
    assert [row.rank for row in board.rows] == [1, 2, 3, None, None]
    assert all(row.field("val_auc_ci") is None for row in board.rows)
    (note,) = board.notes
    assert "no store at" in note
    assert (board.split, board.scores) == (None, {})


def test_a_trial_that_kept_no_scores_is_counted(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    run = make_run("run")
    (run.trial("training", 0) / SCORES).unlink()
    board = load(run, trials)
    rows = _by_name(board)
    # The best of all is unknown to the bootstrap, so no one is held against another.
    assert rows["training/0"].field("val_auc_ci") is None
    assert rows["architecture/1"].field("val_auc_ci") is not None
    assert rows["architecture/1"].is_tied is None
    assert board.notes[-1].startswith("1 complete trial without stored scores")


def test_a_run_that_has_just_begun_shows_what_needs_no_training(
    make_run: Callable[..., RunDirectory],
) -> None:
    board = load(make_run("run"), {})
    assert [row.stage for row in board.rows] == ["untrained"] * 3
    assert all(row.is_tied is None for row in board.rows)
    assert board.notes == ()


def test_with_few_people_nothing_is_called_a_tie(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    run = make_run("run")
    few = dataclasses.replace(SPLIT, groups=np.repeat(["a", "b", "c", "d"], len(LABELS) // 4))
    few.write(run)
    board = load(run, trials)
    assert all(row.is_tied is None for row in board.rows)
    assert board.notes == (
        "no intervals and ties: validation has 4 people with the rarer label, and they need 5",
    )


def _with_scores(row: Row, auc: float, objective: float) -> Row:
    """The row with values added to its scores, where it has them."""
    old = row.record.validation
    validation = dataclasses.replace(
        old, auc=old.auc and old.auc + auc, objective=old.objective and old.objective + objective
    )
    return dataclasses.replace(row, record=dataclasses.replace(row.record, validation=validation))


def test_runs_on_one_store_are_ranked_together_by_auc(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    boards = {name: load(make_run(name), trials) for name in ("a", "b")}
    # Another objective has higher values, which cannot be compared with those of the first run.
    worse = [_with_scores(row, auc=-0.01, objective=10) for row in boards["b"].rows]
    boards["b"] = dataclasses.replace(boards["b"], rows=tuple(worse))
    found = compare(boards)
    ranked = [(row.run, row.name) for row in found.rows if row.rank is not None]
    assert ranked[:2] == [("a", "training/0"), ("b", "training/0")]
    assert len(ranked) == 6
    assert sum(row.stage == "untrained" for row in found.rows) == 3
    assert all(row.run == "" for row in found.rows if row.stage == "untrained")
    second = next(row for row in found.rows if row.rank == 2)
    assert second.is_tied
    assert second.field("val_auc_ci") == _by_name(boards["a"])["training/0"].field("val_auc_ci")


def test_runs_on_other_clips_are_not_compared(make_run: Callable[..., RunDirectory]) -> None:
    runs = {name: make_run(name, kept=False) for name in ("a", "b")}
    check_same_store(runs)
    RunState.begin(runs["b"], "1" * 64)
    with pytest.raises(UserError, match="a and b are runs on different stores"):
        check_same_store(runs)


def test_a_run_without_intervals_does_not_keep_others_from_theirs(
    make_run: Callable[..., RunDirectory], trials: Trials
) -> None:
    boards = {
        "old": load(make_run("old", kept=False), trials),
        "new": load(make_run("new"), trials),
    }
    found = compare(boards)
    assert {row.run for row in found.rows if row.field("val_auc_ci")} == {"new", ""}
    assert any("no store at" in note for note in found.notes)
