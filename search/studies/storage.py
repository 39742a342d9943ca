"""The storage location of studies: a journal file in the run, or a PostgreSQL server."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from artifacts.optuna_internals import get_lock_file
from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from data_prep.errors import UserError
from data_prep.text import one_line
from search.config.addresses import SCHEME, database, password_in, plain, without_password
from search.studies.run_state import RunState

_PASSWORD = "PGPASSWORD"
_RESUME = "finished trials are kept; to resume, repeat the command"
_LOCK_SECONDS = 2.0
# A server that is gone is noticed within about half a minute, also in the middle of a query.
_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "dfsearch",
    # Statements prepared on a server get lost behind a pooler of connections.
    "prepare_threshold": None,
}


@dataclasses.dataclass(frozen=True)
class StorageLocation:
    """The storage location of the studies of one run.

    Attributes:
        run: Directory of the run, which holds the journal file.
        server: URL of the server that is used instead; empty for the journal file.
        name: Name of the run on that server.
    """

    run: RunDirectory
    server: str = ""
    name: str = ""

    @staticmethod
    def read(run: RunDirectory) -> StorageLocation:
        """Read the storage location from the configuration of a run.

        Raises:
            UserError: The configuration or ``run.json`` is damaged.
        """
        server = _read_server(run)
        return StorageLocation(run, server, RunState.read(run).name if server else "")

    @property
    def address(self) -> str:
        """Address for messages, without a password."""
        return without_password(self.server) if self.server else str(self.run.journal)

    def study_name(self, stage: Stage) -> str:
        """Return the name of the study of a stage."""
        return f"{self.name}/{stage}" if self.server else stage.name

    def reach(self) -> None:
        """Check that a server answers and accepts the login.

        Raises:
            UserError: The server cannot be used.
        """
        if self.server:
            self.open()

    def open(self) -> BaseStorage:
        """Open the storage, or create it; several processes and hosts may use it at once.

        Raises:
            UserError: The journal is damaged, or the server cannot be used.
        """
        with translate_storage_errors(self):
            if self.server:
                return _on_server(self.server)
            return JournalStorage(_Journal(self.run.journal))


@contextlib.contextmanager
def translate_storage_errors(location: StorageLocation) -> Iterator[None]:
    """Turn errors of a storage into one clear line.

    Raises:
        UserError: The journal is damaged, or the server is gone or refuses.
    """
    try:
        yield
    except Exception as error:
        if is_server_error(error):
            raise UserError(_server_message(location, error)) from None
        damage = ValueError | KeyError | TypeError | UnicodeDecodeError
        if isinstance(error, damage) and not location.server:
            raise UserError(
                f"{location.run.journal} is damaged ({type(error).__name__}: {error}); restore it "
                "from a copy or start a new run"
            ) from None
        raise


@contextlib.contextmanager
def translate_server_errors(run: RunDirectory) -> Iterator[None]:
    """Turn errors of a server in the middle of work into one clear line.

    Raises:
        UserError: The server is gone or refuses.
    """
    try:
        yield
    except Exception as error:
        if is_server_error(error):
            raise UserError(_server_message(StorageLocation.read(run), error)) from None
        raise


def is_server_error(error: BaseException) -> bool:
    """Return whether an error comes from a storage server and not from a wrong request."""
    if isinstance(error, optuna.exceptions.StorageInternalError):
        return True
    return any(kind.__module__ == "sqlalchemy.exc" for kind in type(error).__mro__)


def export_password(url: str) -> None:
    """Put the password of a URL into the environment of this process and of those it starts."""
    password = password_in(url)
    if password:
        os.environ[_PASSWORD] = password


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
        with get_lock_file(JournalFileOpenLock(str(journal))), journal.open("rb+") as file:
            _drop_cut_line(file)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Return what distinguishes a file from the next of its name; ``None`` without a file."""
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
        super().__init__(str(path), lock_obj=JournalFileOpenLock(str(path)))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with get_lock_file(self._lock), Path(self._file_path).open("rb+", buffering=0) as file:
            end = _drop_cut_line(file)
            try:
                written = 0
                while written < len(lines):
                    written += file.write(lines[written:])
                os.fsync(file.fileno())
            except OSError as error:
                file.truncate(end)
                raise OSError(error.errno, error.strerror, self._file_path) from None


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


@functools.lru_cache(maxsize=4)
def _on_server(url: str) -> BaseStorage:
    """Return the one storage of this process for a server: connecting is slow."""
    try:
        return _connected(url)
    except Exception as error:
        # Two runs create the tables of a new database at once: the second one finds them.
        if "already exists" not in str(error) and "duplicate key" not in str(error):
            raise
        return _connected(url)


def _connected(url: str) -> BaseStorage:
    try:
        return optuna.storages.RDBStorage(
            url.replace(SCHEME, f"{SCHEME}+psycopg", 1),
            engine_kwargs={"pool_pre_ping": True, "connect_args": dict(_CONNECT)},
        )
    except ImportError:
        raise UserError(
            "a PostgreSQL storage needs psycopg: pip install 'deepfake-model-search[postgresql]'"
        ) from None


def _server_message(location: StorageLocation, error: BaseException) -> str:
    """Return one line about a server that is gone or refuses."""
    origin: BaseException | None = error
    while origin is not None and getattr(origin, "orig", None) is None:
        origin = origin.__cause__
    said = one_line(str(getattr(origin, "orig", None) or error))[:300].rstrip(". ")
    if "password" in said:
        advice = f"give the password by {_PASSWORD} or ~/.pgpass"
    elif "does not exist" in said and "database" in said:
        advice = f"create it with: createdb {database(location.server)}"
    else:
        advice = _RESUME
    return f"storage {location.address}: {said}; {advice}"


def _read_server(run: RunDirectory) -> str:
    """Return the server that the configuration of a run names; empty for none."""
    server, config = run.setting("storage") or "", run.config
    if not isinstance(server, str):
        raise UserError(f"{config}: storage must be text, got {server!r}")
    try:
        return plain(server) if server else ""
    except ValueError as error:
        raise UserError(f"{config}: storage {error}") from None
