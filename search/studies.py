"""Optuna studies of a run: storage, samplers, pruners, and what becomes of dead trials."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import REASON

INTERRUPTED = "interrupted; retried"
PID = "pid"
RETRY_OF = "retry_of"
STAGES = ("architecture", "gan", "training")

_DIRECTIONS: Mapping[str, Literal["minimize", "maximize"]] = {
    "architecture": "maximize",
    "gan": "minimize",
    "training": "maximize",
}
_ORPHAN_GRACE_SECONDS = 5.0

optuna.logging.set_verbosity(optuna.logging.WARNING)


def storage(journal: Path) -> JournalStorage:
    """The journal storage of a run; safe for several processes of one host.

    Args:
        journal: absolute path of the journal file.
    """
    lock = JournalFileOpenLock(str(journal))
    return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))


def recover(journal: Path) -> None:
    """Make a journal readable again after a kill; call while no other process uses it.

    A line cut in the middle of a write is dropped (its writer never saw it succeed), and a lock
    whose owner is dead is removed.
    """
    Path(f"{journal}.lock").unlink(missing_ok=True)
    if not journal.exists():
        return
    with journal.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)


def open_study(journal: Path, stage: str) -> optuna.Study:
    """Open or make the study of a stage, for asking questions about it."""
    return optuna.create_study(
        study_name=stage,
        storage=storage(journal),
        direction=_DIRECTIONS[stage],
        load_if_exists=True,
    )


def sampler(name: str, seed: int, stage: str, slot: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial, seeded by run, stage and slot.

    Trials run in processes that come and go, so a sampler seeded once would draw the same numbers
    again in each of them.
    """
    digest = hashlib.sha256(f"{seed}/{stage}/{slot}".encode()).digest()
    draw = int.from_bytes(digest[:4], "big")
    if name == "random":
        return optuna.samplers.RandomSampler(seed=draw)
    return optuna.samplers.TPESampler(seed=draw, n_startup_trials=8)


def pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """The pruner of a stage, by name."""
    if name == "none":
        return optuna.pruners.NopPruner()
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=2, max_resource=epochs)
    return optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2)


def trials(journal: Path) -> dict[str, list[FrozenTrial]]:
    """All trials of a run by stage, of the stages begun so far; also while a run is going on."""
    if not journal.exists():
        return {}
    store = storage(journal)
    begun = {study.study_name: study for study in store.get_all_studies()}
    return {
        stage: store.get_all_trials(begun[stage]._study_id, deepcopy=False)
        for stage in STAGES
        if stage in begun
    }


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count towards the asked number: all that ended but those interrupted."""
    ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=ended)
        if trial.user_attrs.get(REASON) != INTERRUPTED
    ]


def reap_interrupted(study: optuna.Study) -> int:
    """Fail the running trials of a run that was killed, and queue each again; how many.

    Call while the run directory is locked, so that no other run owns them. A worker that outlives
    its run by a moment is given that moment, so that no trial runs twice at a time.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    deadline = time.monotonic() + _ORPHAN_GRACE_SECONDS
    for trial in running:
        while _alive(trial.user_attrs.get(PID)) and time.monotonic() < deadline:
            time.sleep(0.1)
        if _fail(study, trial, INTERRUPTED):
            study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})
    return len(running)


def reap_dead(study: optuna.Study, reason: str) -> None:
    """Fail the running trials whose worker process has died, with the reason."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _alive(trial.user_attrs.get(PID)):
            _fail(study, trial, reason)


def _fail(study: optuna.Study, trial: FrozenTrial, reason: str) -> bool:
    """Mark a running trial failed; False if it ended by itself in the meantime."""
    try:
        study._storage.set_trial_user_attr(trial._trial_id, REASON, reason)
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        return False
    return True


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def best(
    study: optuna.Study, count: int, key: Callable[[FrozenTrial], object]
) -> list[FrozenTrial]:
    """The best complete trials, lowest key first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(complete, key=key)[:count]  # type: ignore[arg-type]
