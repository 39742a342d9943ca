"""Detector trials under every objective, limits, and an interruption; on a tiny store."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from artifacts import records
from artifacts.leaderboard import board as leaderboard
from artifacts.leaderboard.rows import rank_rows
from artifacts.leaderboard.trials import trial_rows
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from search.config.run_config import RunConfig, dump, resolve
from search.detectors import leave_one_method_out
from search.samples.samples import Samples
from search.stages import architecture
from search.studies.study import (
    SEQUENCE_NUMBER,
    is_interrupted,
    open_study,
)
from search.training import fit
from search.training.validation import EpochCallback
from search.trials import queue
from search.trials.checkpoint_folder import CHECKPOINT
from search.trials.trial import MODEL_FILE
from spaces.training.space import TrainingChoices

METHODS = ["Drawn", "Painted", "Sprayed"]


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.training.checkpoint.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("search.training.checkpoint.MOST_SHARE", float("inf"))


@pytest.fixture(scope="module")
def methods_store(
    make_clips: Callable[..., list[Clip]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Twelve people, whose fakes are of three methods; one method is drawn elsewhere."""
    clips = []
    for clip in make_clips(12):
        clips.append(clip)
        if clip.label:
            for number, method in enumerate(METHODS[1:], start=1):
                frames = np.roll(clip.frames, 8 * number, axis=2)
                key = f"{clip.key}-{method}"
                clips.append(dataclasses.replace(clip, key=key, method=method, frames=frames))
    path = tmp_path_factory.mktemp("methods") / "s.h5"
    write_store(path, clips, [], {"synthetic": True})
    return path


@pytest.fixture
def configured(methods_store: Path, tmp_path: Path) -> Callable[..., RunConfig]:
    """A configuration in a run directory of its own; ``configured(**settings)``."""

    def make(**settings: Any) -> RunConfig:
        stage = {"trials": 4, "samples": 32, "batch_size": 8, "learning_rate": 0.01}
        config = resolve(
            {
                "store": str(methods_store),
                "run_dir": str(tmp_path / "run"),
                "sampler": "random",
                "pruner": "none",
                "space": {"streams": ["spatial"], "backbones": ["small_cnn"]},
                "gan": {"trials": 0},
                "training": {
                    **{"trials": 0, "frames": 0, "augmentation": "none", "pseudo_fakes": 0.0},
                    "epoch_samples": 16,
                },
                **settings,
                "architecture": stage | settings.get("architecture", {}),
            }
        )
        config.run_dir.mkdir(exist_ok=True)
        RunDirectory(config.run_dir).config.write_text(dump(config))
        return config

    return make


def queued(config: RunConfig, number: int) -> optuna.Study:
    """The study of the architecture stage, with a trial waiting of what is quickly built."""
    study = open_study(RunDirectory(config.run_dir), ARCHITECTURE)
    params = {"filters": 0, "stages": 3, "frame_stride": 1}
    small = {f"detector/spatial/{name}": value for name, value in params.items()}
    small |= {"detector/temporal/kind": "mean"}
    study.enqueue_trial(small, user_attrs={SEQUENCE_NUMBER: number})
    return study


def run(config: RunConfig, trials: int) -> list[optuna.trial.FrozenTrial]:
    """Run so many trials of the architecture stage; all trials there are."""
    for number in range(trials):
        study = queued(config, number)
        architecture.run(config)
    return study.get_trials()


def folder(config: RunConfig, number: int) -> Path:
    return RunDirectory(config.run_dir).trial("architecture", number)


def test_each_method_is_left_out_in_turn_and_the_worst_counts(
    configured: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    frequency_of = fit._frequency

    def watched(samples: Samples, task: fit.TrainingTask, choices: TrainingChoices) -> Any:
        frequency = frequency_of(samples, task, choices)
        assert frequency is not None
        seen.append(set(samples.methods[frequency > 0]) - {"real"})
        return frequency

    monkeypatch.setattr(fit, "_frequency", watched)
    config = configured(objective="leave-one-method-out")
    (trial,) = run(config, 1)
    found = trial.user_attrs[records.METHOD_AUC]
    assert seen == [set(METHODS) - {method} for method in METHODS] + [set(METHODS)]
    assert sorted(found) == METHODS
    assert trial.value == min(found.values())
    assert trial.intermediate_values == {
        number: min(list(found.values())[:number]) for number in (1, 2, 3)
    }
    # The model that is kept has seen all methods, and is scored on all.
    assert (folder(config, 0) / MODEL_FILE).is_file()
    assert 0 <= trial.user_attrs[records.VAL_AUC] <= 1
    assert json.loads((folder(config, 0) / "metrics.json").read_text())["method_auc"] == found
    with (folder(config, 0) / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["without"] for row in rows] == [*np.repeat(METHODS, 2), "", ""]
    assert not (folder(config, 0) / CHECKPOINT).exists()
    table = leaderboard.to_table(trial_rows({"architecture": [trial]}), "run")
    assert "left out: " in str(list(table.columns[-1].cells))


def test_one_method_cannot_be_left_out(store_path: Path) -> None:
    with Store(store_path) as store, pytest.raises(UserError, match="there is Drawn"):
        leave_one_method_out.methods_of(store)


def test_two_objectives_make_a_front_and_are_pruned_by_the_first(
    configured: Callable[..., RunConfig],
) -> None:
    cost = "file_mb"
    config = configured(objective="auc+size", sampler="nsgaii", pruner="median")
    trials = run(config, 2)
    assert all(trial.state == TrialState.COMPLETE for trial in trials)
    for trial in trials:
        assert trial.values == [trial.user_attrs["val_auc"], trial.user_attrs[cost]]
    ranked = rank_rows(trial_rows({"architecture": trials}))
    front = {row.record.trial for row in ranked if row.on_front}
    best = {
        trial.number for trial in open_study(RunDirectory(config.run_dir), ARCHITECTURE).best_trials
    }
    assert front == best
    assert ranked[0].rank == 1
    assert ranked[0].record.validation.auc == max(trial.values[0] for trial in trials)
    heads = [column.header for column in leaderboard.to_table(ranked, "run").columns]
    assert {"MB", "front"} <= set(heads)
    assert json.loads(json.dumps(leaderboard.to_dicts(ranked)))[0]["on_front"] in (True, False)
    # The reports went to a study beside, which prunes.
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(RunDirectory(config.run_dir).journal))
    )
    beside = optuna.load_study(study_name="architecture proxy", storage=storage)
    assert [trial.value for trial in beside.trials] == [trial.values[0] for trial in trials]
    for trial in beside.trials:
        assert len(trial.intermediate_values) == 2


def test_what_would_be_too_large_is_never_built(
    configured: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: Any) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr("search.detectors.trial.build_detector", build)
    (trial,) = run(configured(limits={"params": 100, "file_mb": 0.1, "memory_gb": 0.5}), 1)
    assert trial.state == TrialState.PRUNED
    for name in ("params", "file_mb", "memory_gb"):
        assert f"{name} would be" in trial.user_attrs[records.REASON]
        assert trial.constraints[name] > 0
    assert trial.user_attrs[records.PARAMS] > 100
    assert trial.user_attrs[records.HYPERPARAMETERS]["detector/temporal/kind"] == "mean"


def test_what_is_too_slow_is_trained_and_not_kept(configured: Callable[..., RunConfig]) -> None:
    config = configured(limits={"latency_ms": 0.001, "params": 10**9})
    (trial,) = run(config, 1)
    assert trial.state == TrialState.PRUNED
    assert "latency_ms would be" in trial.user_attrs[records.REASON]
    assert trial.constraints["latency_ms"] > 0 > trial.constraints["params"]
    assert not (folder(config, 0) / MODEL_FILE).exists()


def test_out_of_memory_halves_the_batch_once(
    configured: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def short_of_memory(model: Any, store: Any, choices: Any, **how: Any) -> Any:
        sizes.append(choices.batch_size)
        if choices.batch_size > allowed:
            raise MemoryError
        return fit.fit(model, store, choices, **how)

    monkeypatch.setattr("search.detectors.trial.fit", short_of_memory)
    config = configured(objective="auc")
    allowed = 4
    run(config, 1)
    allowed = 2
    whole, failed = run(config, 1)
    assert sizes == [8, 4, 8, 4]
    assert whole.state == TrialState.COMPLETE
    assert whole.user_attrs[records.REASON] == "out of memory on batches of 8, trained on 4"
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs[records.REASON] == "out of memory"


@pytest.mark.parametrize(
    ("objective", "trainings"),
    [("auc", 1), pytest.param("leave-one-method-out", 4, marks=pytest.mark.slow)],
)
def test_a_trial_that_is_killed_resumes_where_it_was(
    configured: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
    objective: str,
    trainings: int,
) -> None:
    config = configured(
        objective=objective,
        architecture={"samples": 48},
        pruner="median",
    )
    study, trained = queued(config, 0), []
    original = EpochCallback.on_epoch_end

    def killed(callback: EpochCallback, epoch: int, logs: Any = None) -> None:
        original(callback, epoch, logs)
        trained.append(epoch)
        if len(trained) == min(5, trainings * 2):
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochCallback, "on_epoch_end", killed)
    with pytest.raises(KeyboardInterrupt):
        architecture.run(config)
    assert (folder(config, 0) / CHECKPOINT).is_dir()
    (dead,) = queue.running_trials(study)
    queue.give_back(study, dead)
    queue.queue_trials(study, 1, slots=1)
    architecture.run(config)
    first, again = study.get_trials()
    assert is_interrupted(first)
    assert again.state == TrialState.COMPLETE
    # The whole, after three methods where these are left out; three epochs each, none twice.
    assert trained == [0, 1, 2] * trainings
    assert not list(config.run_dir.rglob(CHECKPOINT))

    monkeypatch.setattr(EpochCallback, "on_epoch_end", original)
    whole = config.model_copy(update={"run_dir": config.run_dir.parent / "whole"})
    whole.run_dir.mkdir()
    RunDirectory(whole.run_dir).config.write_text(dump(whole))
    (expected,) = run(whole, 1)
    assert again.params == expected.params
    assert again.value == expected.value
    assert again.intermediate_values == expected.intermediate_values
    method_auc = again.user_attrs.get(records.METHOD_AUC)
    assert method_auc == expected.user_attrs.get(records.METHOD_AUC)
    kept, never = (
        keras.models.load_model(file / MODEL_FILE, compile=False)
        for file in (folder(config, 1), folder(whole, 0))
    )
    for one, other in zip(kept.get_weights(), never.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
