"""An upgrade of Optuna that moves a private name fails here, with the name in the message."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages.journal import JournalFileOpenLock
from optuna.trial import TrialState

from artifacts import optuna_internals as internals

ROOT = Path(__file__).parents[2]
ROOMS = ("dfsearch", "search", "artifacts", "spaces", "data_prep")
_PRIVATE = re.compile(
    r"from optuna[\w.]*\._|(study|beside|opened)\._storage|\._(study_id|trial_id|file_path)\b"
    r"|_get_bracket_id|_trial_allocation_budget|self\._lock\b.*Journal|self\._pruners"
)


@pytest.fixture
def study() -> optuna.Study:
    made = optuna.create_study(study_name="architecture")
    made.enqueue_trial({"x": 0.5})
    return made


def test_a_waiting_trial_is_claimed_once_marked_and_failed(study: optuna.Study) -> None:
    (waiting,) = study.get_trials(states=(TrialState.WAITING,))
    assert internals.set_trial_state(study, waiting, TrialState.RUNNING)
    assert not internals.set_trial_state(study, waiting, TrialState.RUNNING)
    assert internals.running_trial(study, waiting).suggest_float("x", 0, 1) == 0.5
    internals.set_trial_attribute(study, waiting, "reason", "killed")
    assert internals.set_trial_state(study, waiting, TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError):
        internals.set_trial_state(study, waiting, TrialState.RUNNING)
    (stored,) = internals.stored_trials(study)
    assert (stored.state, stored.user_attrs) == (TrialState.FAIL, {"reason": "killed"})
    assert internals.trial_id(stored) == internals.trial_id(waiting)


def test_studies_are_known_by_the_numbers_of_their_storage(study: optuna.Study) -> None:
    storage = internals.storage_of(study)
    (frozen,) = storage.get_all_studies()
    assert internals.study_id(frozen) == internals.study_id(study)
    internals.set_study_attribute(study, "exhausted", True)
    assert study.user_attrs == {"exhausted": True}
    assert storage.get_study_name_from_id(internals.study_id(study)) == "architecture"
    made = internals.FrozenStudy(
        study_name="architecture",
        direction=None,
        directions=frozen.directions,
        user_attrs={},
        system_attrs={},
        study_id=7,
    )
    assert internals.study_id(made) == 7


def test_a_journal_is_locked_while_lines_are_written(tmp_path: Path) -> None:
    lock = JournalFileOpenLock(str(tmp_path / "studies.log"))
    with internals.get_lock_file(lock):
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_the_key_of_a_trial_chooses_its_bracket_of_hyperband(study: optuna.Study) -> None:
    keys = {number: f"key {number % 2}" for number in range(6)} | {5: None}
    study.pruner = internals.KeyedHyperband(
        lambda _, trial: keys[trial.number], min_resource=1, max_resource=27, reduction_factor=3
    )
    for number in range(6):
        trial = study.ask()
        for step in range(1, 4):
            trial.report(float(number), step)
            if number < 5:
                trial.should_prune()
        study.tell(trial, float(number))
    names = ("_get_bracket_id", "_pruners", "_trial_allocation_budgets")
    assert [name for name in names if not hasattr(study.pruner, name)] == []
    brackets = [study.pruner._get_bracket_id(study, trial) for trial in study.trials]
    assert brackets[5] == -1
    assert brackets[0] == brackets[2] == brackets[4]
    assert brackets[1] == brackets[3]
    assert len(study.pruner._pruners) == 4
    assert set(brackets[:2]) <= set(range(4))


def test_no_other_module_uses_a_private_name_of_optuna() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.name != "optuna_internals.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _PRIVATE.search(line)
    ]
    assert not found, "\n".join(found)
