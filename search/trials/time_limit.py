"""A trial that hangs is ended, whatever holds the interpreter; what a dead worker leaves behind."""

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
    """End this process if the block takes longer, with the traceback of every thread in a file.

    The watchdog is a thread of ``faulthandler``, which needs neither the interpreter's lock nor the
    cooperation of what hangs.

    Args:
        folder: of the trial.
        minutes: 0 for no limit.
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
    """Whether the process that worked in the folder of a trial was ended for its time."""
    path = folder / _TRACEBACK
    return path.is_file() and path.stat().st_size > 0


def fail_dead_trial(
    study: optuna.Study, trial: FrozenTrial, folder: Path, minutes: float, said: str
) -> bool:
    """Fail a trial whose worker is dead, with the reason, also in ``error.txt``; whether it was so.

    Args:
        study: of the stage.
        trial: that the worker ran.
        folder: of the trial.
        minutes: that a trial may take.
        said: of the worker's end.
    """
    hung = has_hung(folder)
    reason = f"hung: no end after {minutes:g} minutes" if hung else f"the worker died: {said}"
    if not queue.fail_trial(study, trial, reason):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    left = (folder / _TRACEBACK).read_text(encoding="utf-8", errors="replace") if hung else ""
    write_text(folder / ERROR, f"{reason}\n{left}")
    for name in (_TRACEBACK, HEARTBEAT):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return True
