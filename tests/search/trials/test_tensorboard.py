from __future__ import annotations

import sys
from pathlib import Path

import pytest

from artifacts.records import HYPERPARAMETERS
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.errors import UserError
from search.config.run_config import resolve
from search.studies.study import (
    open_study,
)
from search.trials import queue
from search.trials.tensorboard import EventLog, require_tensorboard
from search.trials.trial import OpenTrial, TrialResult, run_trial


def accumulated(folder: Path):  # type: ignore[no-untyped-def]
    """What TensorBoard reads of a trial."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def session(folder: Path, tag: str):  # type: ignore[no-untyped-def]
    from tensorboard.plugins.hparams import metadata

    content = accumulated(folder).SummaryMetadata(f"_hparams_/{tag}").plugin_data.content
    parse = {
        "session_start_info": metadata.parse_session_start_info_plugin_data,
        "session_end_info": metadata.parse_session_end_info_plugin_data,
    }
    return parse[tag](content)


def test_curves_can_be_read_while_a_trial_runs(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "architecture/3")
    log.row({"epoch": 1, "loss": 0.75, "val_auc": 0.5})
    log.row({"epoch": 2, "loss": 0.5, "val_auc": 0.625})
    scalars = accumulated(tmp_path).Scalars("val_auc")
    assert [(event.step, event.value) for event in scalars] == [(1, 0.5), (2, 0.625)]
    assert accumulated(tmp_path).Tags()["scalars"] == ["loss", "val_auc"]


def test_a_trial_is_listed_by_what_it_tried_and_was_worth(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "training/1")
    log.row({"report": 1, "kid": 0.25})
    tried = {"optimizer": "adam", "learning_rate": 0.5, "mixup": False, "batch": 8, "none": None}
    log.end(tried, 0.875, complete=True)
    began = session(tmp_path, "session_start_info")
    assert began.group_name == "training/1"
    assert dict(began.hparams.items()).keys() == {"optimizer", "learning_rate", "mixup", "batch"}
    assert began.hparams["learning_rate"].number_value == 0.5
    assert began.hparams["mixup"].bool_value is False
    assert [event.value for event in accumulated(tmp_path).Scalars("objective")] == [0.875]


@pytest.mark.parametrize(("complete", "status"), [(True, 1), (False, 2)])
def test_how_it_ended_is_told(tmp_path: Path, complete: bool, status: int) -> None:
    log = EventLog(tmp_path, "architecture/0")
    log.end({}, None, complete=complete)
    assert session(tmp_path, "session_end_info").status == status
    assert "objective" not in accumulated(tmp_path).Tags()["scalars"]


def test_what_is_no_number_is_left_out_and_curves_beside_have_tags_of_their_own(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path, "architecture/0")
    log.row({"without": "Face2Face", "epoch": 1, "val_auc": 0.5})
    log.row({"without": "", "epoch": 1, "val_auc": 0.75, "loss": float("nan"), "note": "x"})
    tags = accumulated(tmp_path).Tags()["scalars"]
    assert tags == ["without Face2Face/val_auc", "val_auc"]


def test_a_trial_writes_its_events_while_it_runs_and_how_it_ended(tmp_path: Path) -> None:
    config = resolve({"store": "s.h5", "run_dir": tmp_path, "tensorboard": True})
    run = RunDirectory(tmp_path)
    study = open_study(run, ARCHITECTURE)

    def objective(trial: OpenTrial) -> TrialResult:
        trial.record({"epoch": 1, "val_auc": 0.25})
        written = accumulated(run.events(ARCHITECTURE, trial.optuna.number))
        assert [event.value for event in written.Scalars("val_auc")] == [0.25]
        if trial.optuna.number:
            raise FloatingPointError("the loss is nan")
        return TrialResult(0.5, {HYPERPARAMETERS: {"width": 8}})

    for _ in range(2):
        queue.queue_trials(study, len(study.trials) + 1, slots=1)
        run_trial(config, ARCHITECTURE, 3, objective)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "FAIL"]
    good, bad = (run.events(ARCHITECTURE, number) for number in (0, 1))
    assert session(good, "session_start_info").hparams["width"].number_value == 8
    assert [event.value for event in accumulated(good).Scalars("objective")] == [0.5]
    assert [session(folder, "session_end_info").status for folder in (good, bad)] == [1, 2]


def test_a_run_without_the_flag_writes_none(tmp_path: Path) -> None:
    config = resolve({"store": "s.h5", "run_dir": tmp_path})
    study = open_study(RunDirectory(tmp_path), ARCHITECTURE)
    queue.queue_trials(study, 1, slots=1)
    run_trial(config, ARCHITECTURE, 3, lambda trial: TrialResult(0.5, {}))
    assert not (tmp_path / "tensorboard").exists()


def test_a_worker_without_tensorboard_still_does_its_trials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    config = resolve({"store": "s.h5", "run_dir": tmp_path, "tensorboard": True})
    study = open_study(RunDirectory(tmp_path), ARCHITECTURE)
    queue.queue_trials(study, 1, slots=1)
    outcome = run_trial(config, ARCHITECTURE, 3, lambda trial: TrialResult(0.5, {}))
    assert outcome.state == "complete"


def test_without_tensorboard_one_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_tensorboard()
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"pip install .*\[tensorboard\]"):
        require_tensorboard()
