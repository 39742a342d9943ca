from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from artifacts.records import REASON
from artifacts.stages import ARCHITECTURE, GAN
from data_prep.errors import UserError
from search.studies import study as studies


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "studies.log"


def test_looking_at_nothing_leaves_nothing(journal: Path) -> None:
    assert studies.trials(journal) == {}
    assert not journal.exists()


def test_a_trial_that_was_interrupted_does_not_count(journal: Path) -> None:
    study = studies.open_study(journal, ARCHITECTURE)
    for reason in (studies.INTERRUPTED, "out of memory"):
        trial = study.ask()
        trial.set_user_attr(REASON, reason)
        study.tell(trial, state=TrialState.FAIL)
    kept = study.ask()
    kept.set_user_attr(REASON, studies.INTERRUPTED)
    study.tell(kept, 0.5)
    assert [trial.number for trial in studies.finished(study)] == [1, 2]


def test_a_damaged_journal_is_one_line(journal: Path) -> None:
    studies.open_study(journal, ARCHITECTURE)
    journal.write_bytes(b"{}\nnonsense\n" + journal.read_bytes())
    for look in (studies.trials, lambda path: studies.open_study(path, GAN)):
        with pytest.raises(UserError, match="is damaged"):
            look(journal)


def test_trials_are_listed_by_stage_for_the_stages_begun(journal: Path) -> None:
    study = studies.open_study(journal, GAN)
    study.tell(study.ask(), 0.2)
    assert list(studies.trials(journal)) == ["gan"]
    assert studies.trials(journal)["gan"][0].value == 0.2
