"""PostgreSQL servers: the permitted ones, and connections to them.

A run directory from another person names a server, too. Without a list of permitted servers, a
command that reads the run would log in there with the password of this account.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

import optuna
import platformdirs
from optuna.storages import BaseStorage

from data_prep.errors import UserError
from search.config.addresses import SCHEME, password_in, remove_password, server

HOSTS = "DFSEARCH_STORAGE_HOSTS"
"""Environment variable with further permitted servers, comma-separated."""

PASSWORD = "PGPASSWORD"

_LEAST_LIBPQ = 160_000
_LONGEST_LIST = 100_000
_CONNECT = {
    # The password itself never reaches a server, and the server proves that it knows it. Servers
    # that ask for no password identify the user by the socket, a certificate or a ticket.
    "require_auth": "scram-sha-256,gss,sspi,none",
    # A server that is gone is noticed within about half a minute, also in the middle of a query.
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "dfsearch",
    # Statements prepared on a server get lost if there is a pooler of connections.
    "prepare_threshold": None,
}


def known_servers_file() -> Path:
    """Return the file that lists the servers of earlier runs of this account."""
    return platformdirs.user_state_path("dfsearch") / "storage_hosts"


def permit_server(url: str) -> None:
    """Permit the server of a URL that the user named to this process and those it starts."""
    if url and server(url) not in _named_servers():
        os.environ[HOSTS] = ",".join([*_named_servers(), server(url)])


def lend_password(url: str) -> None:
    """Put the password of a URL into the environment of this process and of those it starts."""
    if password := password_in(url):
        os.environ[PASSWORD] = password


def remember_server(url: str) -> None:
    """Permit the server of a URL to later commands of this account, if its home is writable."""
    file = known_servers_file()
    if not url or server(url) in _known_servers() or not file.is_absolute():
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as known:
            known.write(f"{server(url)}\n")


def check_permitted(url: str, config: Path) -> None:
    """Check that the user has named the server of a URL, or has used it before.

    Args:
        url: URL of a database.
        config: Configuration that names it.

    Raises:
        UserError: The server is unknown.
    """
    name = server(url)
    if not {name, name.removesuffix(":5432")} & {*_named_servers(), *_known_servers()}:
        raise UserError(
            f"{config} names the PostgreSQL server {name}, which this account has not used; if "
            f"you trust it, set {HOSTS}={name} or add that name to {known_servers_file()}"
        )


def _named_servers() -> list[str]:
    return [name.strip() for name in os.environ.get(HOSTS, "").split(",") if name.strip()]


def _known_servers() -> list[str]:
    try:
        with known_servers_file().open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_LIST).splitlines()
    except OSError:
        return []


@functools.lru_cache(maxsize=4)
def connect(url: str) -> BaseStorage:
    """Return the one storage of this process for a database: connecting is slow.

    Args:
        url: URL without a password, which is in the environment or in ``~/.pgpass``.

    Raises:
        UserError: psycopg is missing, or it cannot keep a password from a server.
    """
    try:
        return _connected(url)
    except Exception as error:
        # Two runs create the tables of a new database at once: the second one finds them.
        if "already exists" not in str(error) and "duplicate key" not in str(error):
            raise
        return _connected(url)


def _connected(url: str) -> BaseStorage:
    install = "pip install 'deepfake-model-search[postgresql]'"
    try:
        from psycopg import pq
    except ImportError:
        raise UserError(f"a PostgreSQL storage needs psycopg: {install}") from None
    if pq.version() < _LEAST_LIBPQ:
        raise UserError(
            f"psycopg uses libpq {pq.version() // 10_000} here, which cannot refuse servers that "
            f"ask for the password itself; libpq 16 can: {install}"
        )
    return optuna.storages.RDBStorage(
        remove_password(url).replace(SCHEME, f"{SCHEME}+psycopg", 1),
        engine_kwargs={"pool_pre_ping": True, "connect_args": dict(_CONNECT)},
    )
