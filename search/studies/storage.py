"""The storage location of studies: a journal file in the run, or a PostgreSQL server."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import optuna
from optuna.storages import BaseStorage

from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from data_prep.errors import UserError
from data_prep.text import one_line
from search.config.addresses import database, plain, remove_password
from search.studies import server
from search.studies.journal import open_journal
from search.studies.run_state import RunState

DAMAGE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
"""Errors of Optuna that lines of a damaged journal can cause."""

_LONGEST_QUOTE = 300
_RESUME = "finished trials are kept; to resume, repeat the command"


@dataclasses.dataclass(frozen=True)
class StorageLocation:
    """The storage location of the studies of one run.

    Attributes:
        run: Directory of the run, which holds the journal file.
        server: URL of the server that is used instead; empty for the journal file.
        name: Name of the run on that server.
    """

    run: RunDirectory
    # A password in it stays out of tracebacks.
    server: str = dataclasses.field(default="", repr=False)
    name: str = ""

    @staticmethod
    def read(run: RunDirectory) -> StorageLocation:
        """Read the storage location from the configuration of a run.

        Raises:
            UserError: The configuration or ``run.json`` is damaged.
        """
        url = _read_url(run)
        return StorageLocation(run, url, RunState.read(run).name if url else "")

    @property
    def address(self) -> str:
        """Address for messages, without a password."""
        return remove_password(self.server) if self.server else str(self.run.journal)

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
            UserError: The journal is damaged, or the server cannot be used or is not permitted.
        """
        with translate_storage_errors(self):
            if self.server:
                server.check_permitted(self.server, self.run.config)
                return server.connect(remove_password(self.server))
            return open_journal(self.run.journal)


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
        if isinstance(error, DAMAGE) and not location.server:
            said = one_line(str(error))[:_LONGEST_QUOTE]
            raise UserError(
                f"{location.run.journal} is damaged ({type(error).__name__}: {said}); restore it "
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


def _server_message(location: StorageLocation, error: BaseException) -> str:
    """Return one line about a server that is gone or refuses."""
    origin: BaseException | None = error
    while origin is not None and getattr(origin, "orig", None) is None:
        origin = origin.__cause__
    said = one_line(str(getattr(origin, "orig", None) or error))[:_LONGEST_QUOTE].rstrip(". ")
    if "authentication method requirement" in said:
        advice = "the password was not sent; set up SCRAM for this user on the server"
    elif "password" in said:
        advice = f"give the password by {server.PASSWORD} or ~/.pgpass"
    elif "does not exist" in said and "database" in said:
        advice = f"create it with: createdb {database(location.server)}"
    else:
        advice = _RESUME
    return f"storage {location.address}: {said}; {advice}"


def _read_url(run: RunDirectory) -> str:
    """Return the URL of the server that the configuration of a run names; empty for none."""
    url, config = run.setting("storage") or "", run.config
    if not isinstance(url, str):
        raise UserError(f"{config}: storage must be text")
    try:
        return plain(url) if url else ""
    except ValueError as error:
        raise UserError(f"{config}: storage {error}") from None
