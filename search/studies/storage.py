"""Where the studies of a run are kept: a journal file in its folder, or a PostgreSQL server."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import get_lock_file

from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from data_prep.errors import UserError
from data_prep.text import one_line
from search.config.addresses import SCHEME, database, password_in, plain, without_password
from search.studies.run_state import RunState

_PASSWORD = "PGPASSWORD"
_GO_ON = "what is finished is kept, and the same command goes on"
_LOCK_SECONDS = 2.0
# A server that is gone is noticed within about half a minute, also in the middle of a question.
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
class Place:
    """Where the studies of one run are.

    Attributes:
        journal: the journal file; absolute.
        server: URL of the server that is used instead, or nothing.
        run: name of the run among others on the server.
    """

    journal: Path
    server: str = ""
    run: str = ""

    @staticmethod
    def of(journal: Path) -> Place:
        """The place that ``config.toml`` beside the journal names.

        Raises:
            UserError: the configuration or ``run.json`` is damaged.
        """
        run = RunDirectory(journal.parent)
        server = _server_named_in(run.config)
        return Place(journal, server, RunState.read(run).name if server else "")

    @property
    def shown(self) -> str:
        """For messages; without a password."""
        return without_password(self.server) if self.server else str(self.journal)

    def study_name(self, stage: Stage) -> str:
        """What the study of a stage is called there."""
        return f"{self.run}/{stage}" if self.server else stage.name

    def reach(self) -> None:
        """Check that a server answers and lets us in.

        Raises:
            UserError: it does not.
        """
        if self.server:
            self.open()

    def open(self) -> BaseStorage:
        """The storage, made where it is missing; safe for several processes and hosts.

        Raises:
            UserError: the journal is damaged, or the server cannot be used.
        """
        with told(self):
            if self.server:
                return _on_server(self.server)
            return JournalStorage(_Journal(self.journal))


@contextlib.contextmanager
def told(place: Place) -> Iterator[None]:
    """Turn what a storage can meet into one clear line.

    Raises:
        UserError: the journal is damaged, or the server is gone or refuses.
    """
    try:
        yield
    except Exception as error:
        if is_of_server(error):
            raise UserError(_server_said(place, error)) from None
        damage = ValueError | KeyError | TypeError | UnicodeDecodeError
        if isinstance(error, damage) and not place.server:
            raise UserError(
                f"{place.journal} is damaged ({type(error).__name__}: {error}); restore it from a "
                "copy or start a new run"
            ) from None
        raise


@contextlib.contextmanager
def server_told(journal: Path) -> Iterator[None]:
    """Turn what a server can do in the middle of work into one clear line.

    Raises:
        UserError: it is gone or refuses.
    """
    try:
        yield
    except Exception as error:
        if is_of_server(error):
            raise UserError(_server_said(Place.of(journal), error)) from None
        raise


def is_of_server(error: BaseException) -> bool:
    """Whether an error is of a storage that is a server, not of what was asked of it."""
    if isinstance(error, optuna.exceptions.StorageInternalError):
        return True
    return any(kind.__module__ == "sqlalchemy.exc" for kind in type(error).__mro__)


def lend_password(url: str) -> None:
    """Let this process and those it starts use the password of a URL, which no file keeps."""
    password = password_in(url)
    if password:
        os.environ[_PASSWORD] = password


def recover(journal: Path) -> None:
    """Make a journal usable again after a kill, also while workers of other hosts use it.

    A line cut in the middle of a write is dropped (its writer never saw it succeed), and a lock
    whose owner is dead is removed: the living hold it for a moment.
    """
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
    """What tells a file from the next of its name; ``None`` where there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


class _Journal(JournalFileBackend):
    """A journal that neither a kill nor a full disk in the middle of a line damages.

    What is written behind a line that was cut off would make one line with it; so it is dropped
    first: its writer never saw it succeed.
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
    """Truncate a binary file behind its last line end, go there, and say where that is."""
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
    """One storage a process and server: connecting takes longer than most questions."""
    try:
        return _connected(url)
    except Exception as error:
        # Two runs that make the tables of a new database at once: the second finds them.
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


def _server_said(place: Place, error: BaseException) -> str:
    """One line of what a server, or the lack of it, did."""
    origin: BaseException | None = error
    while origin is not None and getattr(origin, "orig", None) is None:
        origin = origin.__cause__
    said = one_line(str(getattr(origin, "orig", None) or error))[:300].rstrip(". ")
    if "password" in said:
        advice = f"give the password by {_PASSWORD} or ~/.pgpass"
    elif "does not exist" in said and "database" in said:
        advice = f"make it with: createdb {database(place.server)}"
    else:
        advice = _GO_ON
    return f"storage {place.shown}: {said}; {advice}"


def _server_named_in(config: Path) -> str:
    """The server that a configuration file names; empty where there is none."""
    try:
        server = tomllib.loads(config.read_text(encoding="utf-8")).get("storage", "")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise UserError(f"{config} is not a TOML file: {error}") from None
    if not isinstance(server, str):
        raise UserError(f"{config}: storage must be text, got {server!r}")
    try:
        return plain(server) if server else ""
    except ValueError as error:
        raise UserError(f"{config}: storage {error}") from None
