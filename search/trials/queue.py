"""Trials that wait to be run: queued by the run alone, each claimed by one worker.

A worker that asked a study for a trial would get one whether it is wanted or not. So the run queues
what a stage still lacks, and whoever works on it, here or on another host, takes what is queued.
"""

from __future__ import annotations

import contextlib

import optuna
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import REASON
from search.studies import study as studies
from search.trials import heartbeat

OPEN = "open"
"""Attribute of a study whose trials may be claimed."""
DIED = "died"
"""Attribute of an interrupted trial whose worker died or fell silent."""
MOST_DEATHS = 3

_ENDED = optuna.exceptions.UpdateFinishedTrialError


def open_for_claims(study: optuna.Study, is_open: bool) -> None:
    """Let workers claim trials of a stage, or no more."""
    if bool(study.user_attrs.get(OPEN)) != is_open:
        study.set_user_attr(OPEN, is_open)


def waiting_trials(study: optuna.Study) -> list[FrozenTrial]:
    """What can be claimed, in the order it is to be."""
    queued = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return sorted(queued, key=lambda trial: (studies.draw(study, trial), trial.number))


def running_trials(study: optuna.Study) -> list[FrozenTrial]:
    """What is claimed and has not ended."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def queue_trials(study: optuna.Study, wanted: int, places: int) -> None:
    """Queue what a stage lacks; only the run does, holding the lock of its folder.

    First what was interrupted, with its parameters and its draw; then new draws, as many as there
    are places to run them, so that one worker finds its trials in the order they were drawn. That
    a retry is due follows from the trials alone: a kill at any moment loses and doubles none.

    Args:
        study: of the stage.
        wanted: trials the stage is to have.
        places: how many may wait or run at a time.
    """
    trials = study.get_trials(deepcopy=False)
    under_way = [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    lacking = wanted - len(studies.finished(study)) - len(under_way)
    held = {studies.draw(study, t) for t in trials if not studies.is_interrupted(t)}
    due = {studies.draw(study, t): t for t in trials if studies.is_interrupted(t)}
    retried = [number for number in sorted(due) if number not in held][: max(0, lacking)]
    for number in retried:
        trial = due[number]
        params = trial.system_attrs.get("fixed_params", {}) | trial.params
        attributes = {studies.RETRY_OF: trial.number, studies.DRAW: number}
        study.enqueue_trial(params, user_attrs=attributes)
    lacking -= len(retried)
    places -= len(under_way) + len(retried)
    following = sum(studies.RETRY_OF not in trial.user_attrs for trial in trials)
    for number in range(following, following + min(lacking, places)):
        study.enqueue_trial({}, user_attrs={studies.DRAW: number})


def claim_trial(study: optuna.Study) -> optuna.Trial | None:
    """Take the first trial that waits; ``None`` where none is left.

    Exactly one of all who try gets it. The study's sampler begins it as ``study.ask`` would. A
    stage that has been closed has none: who asks may have seen it open some time ago.
    """
    if not study.user_attrs.get(OPEN, True):
        return None
    for ticket in waiting_trials(study):
        with contextlib.suppress(_ENDED):
            if study._storage.set_trial_state_values(ticket._trial_id, TrialState.RUNNING):
                trial = optuna.Trial(study, ticket._trial_id)
                for name, value in heartbeat.process_attributes().items():
                    trial.set_user_attr(name, value)
                return trial
    return None


def give_back(study: optuna.Study, trial: FrozenTrial, *, died: bool = False) -> bool:
    """Fail a running trial as interrupted, so that the run queues it again; whether it was so.

    Args:
        study: of the stage.
        trial: that runs no more.
        died: its worker was lost, and not stopped by someone. One that has been lost with its
            worker so often that it seems to be why is not tried again, and counts.
    """
    if died:
        number = studies.draw(study, trial)
        deaths = 1 + sum(
            DIED in other.user_attrs and studies.draw(study, other) == number
            for other in study.get_trials(deepcopy=False)
        )
        if deaths >= MOST_DEATHS:
            return fail_trial(study, trial, f"its worker died or fell silent, {deaths} times")
        with contextlib.suppress(_ENDED):
            study._storage.set_trial_user_attr(trial._trial_id, DIED, True)
    return fail_trial(study, trial, studies.INTERRUPTED)


def fail_trial(study: optuna.Study, trial: FrozenTrial, reason: str) -> bool:
    """Mark a running trial failed, unless it ended by itself in the meantime; whether it was so."""
    with contextlib.suppress(_ENDED):
        study._storage.set_trial_user_attr(trial._trial_id, REASON, reason)
        # The storage is told and not the study, whose sampler has no part in this.
        return study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    return False
