"""Addresses a configuration may give: of a database, a cluster, a device."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEME = "postgresql"
_ALIASES = (SCHEME, "postgres", "postgresql+psycopg")

ANY_DEVICE = "any"
_DEVICE = re.compile(r"any|cpu|gpu:\d+")


def plain(url: str) -> str:
    """Return the URL of a server in one spelling.

    Raises:
        ValueError: it is not the URL of a PostgreSQL database.
    """
    parts = urlsplit(url)
    if parts.scheme not in _ALIASES or not parts.path.strip("/"):
        raise ValueError(
            "must be a PostgreSQL database, as postgresql://USER@HOST:5432/DATABASE; the journal "
            "file of a run needs no setting"
        )
    return urlunsplit(parts._replace(scheme=SCHEME))


def without_password(url: str) -> str:
    """Return the URL without its password."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "password"]
    return urlunsplit(
        parts._replace(netloc=login.partition(":")[0] + at + host, query=urlencode(query))
    )


def password_in(url: str) -> str:
    """Return the password in the URL, empty without one."""
    parts = urlsplit(url)
    return unquote(parts.password or "") or dict(parse_qsl(parts.query)).get("password", "")


def database(url: str) -> str:
    """Return the name of the database in a URL."""
    return unquote(urlsplit(url).path.strip("/"))


def cluster(address: str) -> str:
    """Return the checked address of a Dask scheduler.

    Raises:
        ValueError: it is no such address.
    """
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+", address):
        raise ValueError("must be the address of a Dask scheduler, as tcp://HOST:8786")
    return address


def device(name: str) -> str:
    """Return the checked name of a device.

    Raises:
        ValueError: no device of that kind exists.
    """
    if not _DEVICE.fullmatch(name):
        raise ValueError("must be any, cpu or gpu:N, as gpu:0")
    return name


def visible_devices(name: str) -> dict[str, str]:
    """Return the environment in which TensorFlow sees only that device; empty for ``any``."""
    if name == ANY_DEVICE:
        return {}
    return {"CUDA_VISIBLE_DEVICES": "-1" if name == "cpu" else name.removeprefix("gpu:")}
