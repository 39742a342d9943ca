"""Time limit that ends a trial that hangs, and cleanup after a dead worker."""

from __future__ import annotations

import contextlib
import faulthandler
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from artifacts.run_directory import write_text
from search.trials import queue
from search.trials.checkpoint_folder import CHECKPOINT
from search.trials.heartbeat import HEARTBEAT

ERROR = "error.txt"
_TRACEBACK = "traceback.txt"


@contextlib.contextmanager
def limit_time(folder: Path, minutes: float) -> Iterator[None]:
    """End this process if the block takes too long; write the traceback of every thread to a file.

    The watchdog is a thread of ``faulthandler``, which needs neither the interpreter's lock nor the
    cooperation of the code that hangs.

    Args:
        folder: Folder of the trial.
        minutes: Time limit; 0 for none.
    """
    if not minutes:
        yield
        return
    path = folder / _TRACEBACK
    with path.open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(minutes * 60, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink(missing_ok=True)


def has_hung(folder: Path) -> bool:
    """Return whether the time limit ended the process of the trial in this folder."""
    path = folder / _TRACEBACK
    return path.is_file() and path.stat().st_size > 0


def fail_dead_trial(
    study: optuna.Study, trial: FrozenTrial, folder: Path, minutes: float, cause: str
) -> bool:
    """Fail the trial of a dead worker, with its reason in ``error.txt``; return whether it was.

    Args:
        study: Study of the stage.
        trial: Trial that the worker ran.
        folder: Folder of the trial.
        minutes: Time limit of a trial.
        cause: How the worker ended.
    """
    hung = has_hung(folder)
    reason = f"hung: no end after {minutes:g} minutes" if hung else f"the worker died: {cause}"
    if not queue.fail_trial(study, trial, reason):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    left = (folder / _TRACEBACK).read_text(encoding="utf-8", errors="replace") if hung else ""
    write_text(folder / ERROR, f"{reason}\n{left}")
    for name in (_TRACEBACK, HEARTBEAT):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return True
