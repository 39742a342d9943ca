"""Optuna studies of a run: storage, and what becomes of dead trials."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import REASON, VAL_LOG_LOSS
from data_prep.errors import UserError

INTERRUPTED = "interrupted; retried"
PID = "pid"
RETRY_OF = "retry_of"
DRAW = "draw"
DIRECTIONS: Mapping[str, Literal["minimize", "maximize"]] = {
    "architecture": "maximize",
    "gan": "minimize",
    "training": "maximize",
}

_ORPHAN_GRACE_SECONDS = 5.0

optuna.logging.set_verbosity(optuna.logging.WARNING)


def storage(journal: Path) -> JournalStorage:
    """The journal storage of a run; safe for several processes of one host.

    Args:
        journal: absolute path of the journal file; made if missing.

    Raises:
        UserError: the journal is damaged.
    """
    lock = JournalFileOpenLock(str(journal))
    with _readable(journal):
        return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))


@contextlib.contextmanager
def _readable(journal: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{journal} is damaged ({type(error).__name__}: {error}); restore it from a copy or "
            "start a new run"
        ) from None


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
    opened = storage(journal)
    with _readable(journal):
        return optuna.create_study(
            study_name=stage,
            storage=opened,
            direction=DIRECTIONS[stage],
            load_if_exists=True,
        )


def trials(journal: Path) -> dict[str, list[FrozenTrial]]:
    """All trials of a run by stage, of the stages begun so far; also while a run is going on."""
    if not journal.exists():
        return {}
    opened = storage(journal)
    with _readable(journal):
        begun = set(optuna.get_all_study_names(opened))
    return {
        stage: open_study(journal, stage).get_trials(deepcopy=False)
        for stage in DIRECTIONS
        if stage in begun
    }


def draw(study: optuna.Study, trial: FrozenTrial | optuna.Trial) -> int:
    """The number a trial would have in a run that was never interrupted; it seeds the trial.

    A retry has the draw of the trial it repeats; others are counted without retries.
    """
    if DRAW in trial.user_attrs:
        return int(trial.user_attrs[DRAW])
    # Of the storage: a pruner may show a sampler a part of the study.
    earlier = study._storage.get_all_trials(study._study_id, deepcopy=False)[: trial.number]
    return trial.number - sum(RETRY_OF in other.user_attrs for other in earlier)


def ranking(trial: FrozenTrial) -> tuple[float, float]:
    """Sort key of complete detector trials: highest validation AUC, then lowest log-loss."""
    assert trial.value is not None
    return (-trial.value, trial.user_attrs.get(VAL_LOG_LOSS, float("inf")))


def best(study: optuna.Study, count: int | None = None) -> list[FrozenTrial]:
    """The best complete trials, best first, ties by number; all of them without a count."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if study.direction == optuna.study.StudyDirection.MINIMIZE:
        return sorted(complete, key=lambda trial: (trial.value or 0.0, trial.number))[:count]
    return sorted(complete, key=lambda trial: (*ranking(trial), trial.number))[:count]


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count towards the asked number: all that ended but those interrupted."""
    ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=ended)
        if trial.user_attrs.get(REASON) != INTERRUPTED
    ]


def has_begun(study: optuna.Study) -> bool:
    """Whether any trial was ever started."""
    return any(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))


def reap_interrupted(study: optuna.Study) -> int:
    """Fail the running trials of a run that was stopped, and queue each again; how many.

    Call while no worker of this run lives and the run directory is locked. A worker that outlives
    its run by a moment is given that moment, so that no trial runs twice at a time.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    deadline = time.monotonic() + _ORPHAN_GRACE_SECONDS
    queued = {
        trial.user_attrs.get(RETRY_OF)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    }
    for trial in running:
        while _alive(trial.user_attrs.get(PID)) and time.monotonic() < deadline:
            time.sleep(0.1)
        # Queued first: a kill between the two steps must not lose it.
        if trial.number not in queued:
            params = trial.system_attrs.get("fixed_params", {}) | trial.params
            attributes = {RETRY_OF: trial.number, DRAW: draw(study, trial)}
            study.enqueue_trial(params, user_attrs=attributes)
        _fail(study, trial, INTERRUPTED)
    return len(running)


def reap_dead(study: optuna.Study, reason: str) -> None:
    """Fail the running trials whose worker process has died, with the reason."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _alive(trial.user_attrs.get(PID)):
            _fail(study, trial, reason)


def _fail(study: optuna.Study, trial: FrozenTrial, reason: str) -> None:
    """Mark a running trial failed, unless it ended by itself in the meantime."""
    with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):
        study._storage.set_trial_user_attr(trial._trial_id, REASON, reason)
        study.tell(trial.number, state=TrialState.FAIL)


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
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not stat.parent.parent.exists()
