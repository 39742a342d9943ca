"""Queue of the trials of a stage: filled by the run alone, each trial claimed by one worker.

A worker that asked a study for a trial would always get a new one. So the run queues the trials
that a stage still lacks, and workers, here or on other hosts, claim queued trials.
"""

from __future__ import annotations

import contextlib

import optuna
from optuna.trial import FrozenTrial, TrialState

from artifacts.optuna_internals import running_trial, set_trial_attribute, set_trial_state
from artifacts.records import REASON
from search.studies.study import (
    INTERRUPTED,
    RETRY_OF,
    SEQUENCE_NUMBER,
    finished_trials,
    is_interrupted,
    sequence_number,
)
from search.trials import heartbeat

OPEN = "open"
"""Attribute of a study: whether its trials may be claimed."""
DIED = "died"
"""Attribute of an interrupted trial: its worker died or fell silent."""
MOST_DEATHS = 3

_ENDED = optuna.exceptions.UpdateFinishedTrialError


def open_for_claims(study: optuna.Study, is_open: bool) -> None:
    """Allow or forbid workers to claim trials of a stage."""
    if bool(study.user_attrs.get(OPEN)) != is_open:
        study.set_user_attr(OPEN, is_open)


def waiting_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that can be claimed, in the order of their claims."""
    queued = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return sorted(queued, key=lambda trial: (sequence_number(study, trial), trial.number))


def running_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that are claimed and have not ended."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def queue_trials(study: optuna.Study, wanted: int, slots: int) -> None:
    """Queue the trials that a stage lacks; only the run calls this, with the lock of its folder.

    Interrupted trials come first, with their parameters and their number in the order of sampling.
    New trials follow, at most one for each free slot, so that a single worker samples in order.
    Whether a retry is due follows from the trials alone: a kill at any moment loses and doubles
    none.

    Args:
        study: Study of the stage.
        wanted: Number of trials the stage is to have.
        slots: Number of trials that may wait or run at a time.
    """
    trials = study.get_trials(deepcopy=False)
    under_way = [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    lacking = wanted - len(finished_trials(study)) - len(under_way)
    held = {sequence_number(study, t) for t in trials if not is_interrupted(t)}
    due = {sequence_number(study, t): t for t in trials if is_interrupted(t)}
    retried = [number for number in sorted(due) if number not in held][: max(0, lacking)]
    for number in retried:
        trial = due[number]
        params = trial.system_attrs.get("fixed_params", {}) | trial.params
        attributes = {RETRY_OF: trial.number, SEQUENCE_NUMBER: number}
        study.enqueue_trial(params, user_attrs=attributes)
    lacking -= len(retried)
    slots -= len(under_way) + len(retried)
    following = sum(RETRY_OF not in trial.user_attrs for trial in trials)
    for number in range(following, following + min(lacking, slots)):
        study.enqueue_trial({}, user_attrs={SEQUENCE_NUMBER: number})


def claim_trial(study: optuna.Study) -> optuna.Trial | None:
    """Claim the first waiting trial; return ``None`` if there is none.

    Exactly one worker gets each trial. The sampler of the study starts it as ``study.ask`` would. A
    closed stage has no trial to claim: a worker may have seen it open some time ago.
    """
    if not study.user_attrs.get(OPEN, True):
        return None
    for queued in waiting_trials(study):
        with contextlib.suppress(_ENDED):
            if set_trial_state(study, queued, TrialState.RUNNING):
                trial = running_trial(study, queued)
                for name, value in heartbeat.process_attributes().items():
                    trial.set_user_attr(name, value)
                return trial
    return None


def give_back(study: optuna.Study, trial: FrozenTrial, *, died: bool = False) -> bool:
    """Fail a running trial as interrupted, so that the run queues it again; return whether it was.

    Args:
        study: Study of the stage.
        trial: Trial that has stopped.
        died: Its worker was lost, not stopped by a user. A trial that has lost its worker
            :data:`MOST_DEATHS` times is probably the cause. It is not retried, and counts as
            failed.
    """
    if died:
        number = sequence_number(study, trial)
        deaths = 1 + sum(
            DIED in other.user_attrs and sequence_number(study, other) == number
            for other in study.get_trials(deepcopy=False)
        )
        if deaths >= MOST_DEATHS:
            return fail_trial(study, trial, f"its worker died or fell silent, {deaths} times")
        with contextlib.suppress(_ENDED):
            set_trial_attribute(study, trial, DIED, True)
    return fail_trial(study, trial, INTERRUPTED)


def fail_trial(study: optuna.Study, trial: FrozenTrial, reason: str) -> bool:
    """Mark a running trial as failed, unless it has ended; return whether it was failed."""
    with contextlib.suppress(_ENDED):
        set_trial_attribute(study, trial, REASON, reason)
        # The storage and not the study, so that the sampler is not called.
        return set_trial_state(study, trial, TrialState.FAIL)
    return False
