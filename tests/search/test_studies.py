from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState

from artifacts.records import REASON
from data_prep.errors import UserError
from search import studies


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "studies.log"


def test_a_line_cut_by_a_kill_is_dropped_and_the_rest_stays(journal: Path) -> None:
    study = studies.open_study(journal, "architecture")
    study.tell(study.ask(), 0.5)
    before = journal.read_bytes()
    journal.write_bytes(before + b'{"op_code":4,"worker_id":"abc')
    studies.recover(journal)
    assert journal.read_bytes() == before
    again = studies.open_study(journal, "architecture")
    again.tell(again.ask(), 0.7)
    assert [trial.value for trial in studies.open_study(journal, "architecture").trials] == [
        0.5,
        0.7,
    ]


def test_the_lock_of_a_dead_writer_is_removed(journal: Path) -> None:
    studies.open_study(journal, "gan")
    Path(f"{journal}.lock").touch()
    studies.recover(journal)
    study = studies.open_study(journal, "gan")
    study.tell(study.ask(), 0.1)
    assert len(study.trials) == 1


def test_looking_at_nothing_leaves_nothing(journal: Path) -> None:
    studies.recover(journal)
    assert studies.trials(journal) == {}
    assert not journal.exists()


def test_an_interrupted_trial_does_not_count_and_is_queued_again(journal: Path) -> None:
    study = studies.open_study(journal, "architecture")
    trial = study.ask()
    trial.suggest_int("n", 0, 9)
    trial.set_user_attr(studies.PID, dead_pid())
    done = study.ask()
    study.tell(done, 0.5)

    assert studies.reap_interrupted(study) == 1
    assert [t.number for t in studies.finished(study)] == [done.number]
    states = [t.state for t in study.trials]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.WAITING]
    again = study.ask()
    assert again.suggest_int("n", 0, 9) == trial.params["n"]
    assert again.user_attrs[studies.RETRY_OF] == trial.number


def test_a_trial_whose_worker_lives_is_left_alone(journal: Path) -> None:
    study = studies.open_study(journal, "training")
    ours, dead = study.ask(), study.ask()
    ours.set_user_attr(studies.PID, os.getpid())
    dead.set_user_attr(studies.PID, dead_pid())
    studies.reap_dead(study, "the worker died: signal 9")
    assert study.trials[ours.number].state == TrialState.RUNNING
    assert study.trials[dead.number].state == TrialState.FAIL
    assert study.trials[dead.number].user_attrs[REASON] == "the worker died: signal 9"
    assert [t.number for t in studies.finished(study)] == [dead.number]


def test_a_queued_trial_interrupted_before_its_first_question_keeps_its_parameters(
    journal: Path,
) -> None:
    study = studies.open_study(journal, "architecture")
    study.enqueue_trial({"n": 7})
    study.ask()
    studies.reap_interrupted(study)
    studies.reap_interrupted(study)
    assert len(study.trials) == 2
    assert study.ask().suggest_int("n", 0, 9) == 7


def test_a_damaged_journal_is_one_line(journal: Path) -> None:
    studies.open_study(journal, "architecture")
    journal.write_bytes(b"{}\nnonsense\n" + journal.read_bytes())
    for look in (studies.trials, lambda path: studies.open_study(path, "gan")):
        with pytest.raises(UserError, match="is damaged"):
            look(journal)


def test_trials_are_listed_by_stage_for_the_stages_begun(journal: Path) -> None:
    study = studies.open_study(journal, "gan")
    study.tell(study.ask(), 0.2)
    assert list(studies.trials(journal)) == ["gan"]
    assert studies.trials(journal)["gan"][0].value == 0.2


def dead_pid() -> int:
    """The process id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
