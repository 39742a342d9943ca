from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from artifacts.records import REASON
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, GAN
from data_prep.errors import UserError
from search.studies.study import (
    INTERRUPTED,
    finished_trials,
    open_study,
    read_trials,
)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def test_looking_at_nothing_leaves_nothing(run: RunDirectory) -> None:
    assert read_trials(run) == {}
    assert not run.journal.exists()


def test_a_trial_that_was_interrupted_does_not_count(run: RunDirectory) -> None:
    study = open_study(run, ARCHITECTURE)
    for reason in (INTERRUPTED, "out of memory"):
        trial = study.ask()
        trial.set_user_attr(REASON, reason)
        study.tell(trial, state=TrialState.FAIL)
    kept = study.ask()
    kept.set_user_attr(REASON, INTERRUPTED)
    study.tell(kept, 0.5)
    assert [trial.number for trial in finished_trials(study)] == [1, 2]


def test_a_damaged_journal_is_one_line(run: RunDirectory) -> None:
    open_study(run, ARCHITECTURE)
    run.journal.write_bytes(b"{}\nnonsense\n" + run.journal.read_bytes())
    for look in (read_trials, lambda run: open_study(run, GAN)):
        with pytest.raises(UserError, match="is damaged"):
            look(run)


def test_trials_are_listed_by_stage_for_the_stages_begun(run: RunDirectory) -> None:
    study = open_study(run, GAN)
    study.tell(study.ask(), 0.2)
    assert list(read_trials(run)) == ["gan"]
    assert read_trials(run)["gan"][0].value == 0.2
