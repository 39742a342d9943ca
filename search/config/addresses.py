"""Addresses a configuration may give: of a database, a cluster, a device."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEME = "postgresql"
_ALIASES = (SCHEME, "postgres", "postgresql+psycopg")

ANY_DEVICE = "any"
_DEVICE = re.compile(r"any|cpu|gpu:\d+")


def plain(url: str) -> str:
    """The URL of a server in one spelling.

    Raises:
        ValueError: it is not one of a PostgreSQL database.
    """
    parts = urlsplit(url)
    if parts.scheme not in _ALIASES or not parts.path.strip("/"):
        raise ValueError(
            "must be a PostgreSQL database, as postgresql://USER@HOST:5432/DATABASE; the journal "
            "file of a run needs no setting"
        )
    return urlunsplit(parts._replace(scheme=SCHEME))


def without_password(url: str) -> str:
    """The URL without the password it may hold."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "password"]
    return urlunsplit(
        parts._replace(netloc=login.partition(":")[0] + at + host, query=urlencode(query))
    )


def password_in(url: str) -> str:
    """The password in the URL; empty where there is none."""
    parts = urlsplit(url)
    return unquote(parts.password or "") or dict(parse_qsl(parts.query)).get("password", "")


def database(url: str) -> str:
    """The name of the database in a URL."""
    return unquote(urlsplit(url).path.strip("/"))


def cluster(address: str) -> str:
    """The address of a Dask scheduler.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+", address):
        raise ValueError("must be the address of a Dask scheduler, as tcp://HOST:8786")
    return address


def device(name: str) -> str:
    """The name of a device.

    Raises:
        ValueError: there is none of that kind.
    """
    if not _DEVICE.fullmatch(name):
        raise ValueError("must be any, cpu or gpu:N, as gpu:0")
    return name


def visible_devices(name: str) -> dict[str, str]:
    """Environment in which TensorFlow sees that device alone; nothing for ``any``."""
    if name == ANY_DEVICE:
        return {}
    return {"CUDA_VISIBLE_DEVICES": "-1" if name == "cpu" else name.removeprefix("gpu:")}
