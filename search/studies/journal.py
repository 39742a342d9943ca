"""The journal file of a run: opened, repaired after a kill, written without cut lines."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from artifacts.optuna_internals import get_lock_file
from artifacts.run_directory import RunDirectory
from data_prep.files import check_regular

_LOCK_SECONDS = 2.0


def open_journal(path: Path) -> JournalStorage:
    """Open a journal, or create it; several processes and hosts may use it at once.

    Raises:
        UserError: The path leads to something other than a file.
    """
    with contextlib.suppress(FileNotFoundError):
        check_regular(path)
    return JournalStorage(_Journal(path))


def recover(run: RunDirectory) -> None:
    """Make the journal of a run usable again after a kill, also while other hosts use it.

    A line cut in the middle of a write is dropped: its writer never saw it succeed. A lock that
    stays unchanged for seconds is removed: processes that live hold it for a moment only.
    """
    journal = run.journal
    lock = Path(f"{journal}.lock")
    held, since = _stamp(lock), time.monotonic()
    while held and _stamp(lock) == held:
        if time.monotonic() - since > _LOCK_SECONDS:
            lock.unlink(missing_ok=True)
        time.sleep(0.05)
    if journal.exists():
        check_regular(journal)
        with get_lock_file(JournalFileOpenLock(str(journal))), journal.open("rb+") as file:
            _drop_cut_line(file)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Return a value that differs between files of one name; ``None`` without a file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


class _Journal(JournalFileBackend):
    """A journal that survives a kill or a full disk in the middle of a line.

    Text after a line that was cut off would join it. So the cut line is dropped first: its writer
    never saw it succeed.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._write_lock = path, JournalFileOpenLock(str(path))
        super().__init__(str(path), lock_obj=self._write_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with get_lock_file(self._write_lock), self._path.open("rb+", buffering=0) as file:
            end = _drop_cut_line(file)
            try:
                written = 0
                while written < len(lines):
                    written += file.write(lines[written:])
                os.fsync(file.fileno())
            except OSError as error:
                file.truncate(end)
                raise OSError(error.errno, error.strerror, str(self._path)) from None


def _drop_cut_line(file: Any) -> int:
    """Truncate a binary file after its last line end, and return that position."""
    end = size = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - 4096)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        end = begin + found + 1 if found >= 0 else begin
        if found >= 0:
            break
    if end < size:
        file.truncate(end)
    file.seek(end)
    return end
