from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from artifacts.records import REASON
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from search.studies.study import (
    RETRY_OF,
    finished_trials,
    open_study,
    sequence_number,
    stage_of,
)
from search.trials import heartbeat, queue

WANTED = 6


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return open_study(RunDirectory(tmp_path), ARCHITECTURE)


def again(study: optuna.Study, tmp_path: Path) -> optuna.Study:
    """The same study, as another process would open it."""
    return open_study(RunDirectory(tmp_path), stage_of(study))


def take(study: optuna.Study) -> optuna.Trial:
    trial = queue.claim_trial(study)
    assert trial is not None
    return trial


def test_no_more_are_queued_than_there_are_slots_and_never_more_than_are_wanted(
    study: optuna.Study,
) -> None:
    for slots in (2, 2, 4, 100, 100):
        queue.queue_trials(study, WANTED, slots)
        assert len(queue.waiting_trials(study)) == min(slots, WANTED)
    drawn = [sequence_number(study, trial) for trial in queue.waiting_trials(study)]
    assert drawn == list(range(WANTED))


def test_each_ticket_is_claimed_by_one_however_many_try(
    study: optuna.Study, tmp_path: Path
) -> None:
    queue.queue_trials(study, WANTED, WANTED)

    def claim_all(_: int) -> list[int]:
        mine, opened = [], again(study, tmp_path)
        while (trial := queue.claim_trial(opened)) is not None:
            mine.append(trial.number)
        return mine

    with ThreadPoolExecutor(4) as pool:
        claimed = [number for mine in pool.map(claim_all, range(4)) for number in mine]
    assert sorted(claimed) == list(range(WANTED))
    assert queue.claim_trial(study) is None
    assert len(study.trials) == WANTED


def test_who_claimed_is_written_with_the_trial(study: optuna.Study) -> None:
    queue.queue_trials(study, 1, 1)
    known = take(study).user_attrs
    assert (known[heartbeat.PID], known[heartbeat.PARENT]) == (os.getpid(), os.getppid())


def test_what_was_given_back_is_queued_again_once_with_its_parameters_and_its_draw(
    study: optuna.Study,
) -> None:
    queue.queue_trials(study, WANTED, 2)
    first, second = take(study), take(study)
    drawn = first.suggest_int("n", 0, 9)
    study.tell(second, 0.5)
    assert queue.give_back(study, study.trials[first.number])
    assert not queue.give_back(study, study.trials[first.number])
    for _ in range(3):
        queue.queue_trials(study, WANTED, 2)
    assert [t.state for t in study.trials].count(TrialState.WAITING) == 2
    retry = take(study)
    assert retry.user_attrs[RETRY_OF] == first.number
    assert sequence_number(study, retry) == 0
    assert retry.suggest_int("n", 0, 9) == drawn
    assert sequence_number(study, take(study)) == 2


def test_one_that_is_interrupted_again_is_repeated_from_where_it_was_last(
    study: optuna.Study,
) -> None:
    queue.queue_trials(study, 1, 1)
    for asked in ("a", "b"):
        trial = take(study)
        trial.suggest_int(asked, 0, 9)
        queue.give_back(study, study.trials[trial.number])
        queue.queue_trials(study, 1, 1)
    retry = take(study)
    assert retry.user_attrs[RETRY_OF] == 1
    params = study.trials[retry.number].system_attrs["fixed_params"]
    assert sorted(params) == ["a", "b"]


def test_what_was_queued_first_keeps_its_parameters_through_an_interruption(
    study: optuna.Study,
) -> None:
    study.enqueue_trial({"n": 7})
    queue.give_back(study, study.trials[take(study).number])
    queue.queue_trials(study, 1, 1)
    assert take(study).suggest_int("n", 0, 9) == 7


def test_interruptions_and_kills_at_any_moment_leave_the_asked_number(
    study: optuna.Study,
) -> None:
    study.enqueue_trial({"n": 1})
    for moment in range(40):
        queue.queue_trials(study, WANTED, 2)
        trial = queue.claim_trial(study)
        if trial is None:
            break
        if moment % 3 == 0:
            queue.give_back(study, study.trials[trial.number])
        else:
            study.tell(trial, 0.5)
    counted = finished_trials(study)
    assert sorted(sequence_number(study, trial) for trial in counted) == list(range(WANTED))
    assert not queue.waiting_trials(study)
    assert not queue.running_trials(study)


def test_a_trial_that_takes_its_workers_along_is_given_up_after_some(study: optuna.Study) -> None:
    for deaths in range(1, queue.MOST_DEATHS + 1):
        assert finished_trials(study) == []
        queue.queue_trials(study, 1, 1)
        queue.give_back(study, study.trials[take(study).number], died=True)
        assert len(study.trials) == deaths
    (counted,) = finished_trials(study)
    assert counted.user_attrs[REASON] == "its worker died or fell silent, 3 times"
    queue.queue_trials(study, 1, 1)
    assert not queue.waiting_trials(study)


def test_a_trial_that_ended_by_itself_is_left_as_it_is(study: optuna.Study) -> None:
    queue.queue_trials(study, 1, 1)
    trial = take(study)
    seen = study.trials[trial.number]
    study.tell(trial, 0.5)
    assert not queue.fail_trial(study, seen, "the worker died")
    assert study.trials[0].state == TrialState.COMPLETE
    assert [t.number for t in finished_trials(study)] == [0]


def test_a_study_is_open_for_claims_when_it_is_said_to_be(
    study: optuna.Study, tmp_path: Path
) -> None:
    for is_open in (True, False):
        queue.open_for_claims(study, is_open)
        assert again(study, tmp_path).user_attrs[queue.OPEN] is is_open


def test_a_stage_that_was_closed_has_no_tickets(study: optuna.Study) -> None:
    queue.queue_trials(study, WANTED, 2)
    queue.open_for_claims(study, True)
    take(study)
    queue.open_for_claims(study, False)
    assert queue.claim_trial(study) is None
    assert len(queue.waiting_trials(study)) == 1


def test_workers_of_two_processes_share_the_tickets(study: optuna.Study, tmp_path: Path) -> None:
    queue.queue_trials(study, WANTED, WANTED)
    code = (
        "import sys, pathlib; from artifacts.stages import ARCHITECTURE\n"
        "from artifacts.run_directory import RunDirectory\n"
        "from search.studies.study import open_study; from search.trials import queue\n"
        "study = open_study(RunDirectory(pathlib.Path(sys.argv[1])), ARCHITECTURE)\n"
        "while (trial := queue.claim_trial(study)) is not None: study.tell(trial, 0.5)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * WANTED
