"""Addresses that a configuration may give: of a database, a cluster, a device."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEME = "postgresql"
LOCAL_SERVER = "local-socket"
"""Name of the server that a URL without a host leads to."""

# The characters that delimit the parts of a URL stay out of the parts. With one of them in a
# password, a piece of the password would pass for the host, the port or the database.
_URL = re.compile(
    r"(?:postgresql|postgres|postgresql\+psycopg)://"
    r"(?:[^\s:@/?#\[\]]*(?::[^\s:@/?#\[\]]*)?@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]*)(?::(?P<port>[0-9]{1,5}))?"
    r"/[^\s:@/?#\[\]]+(?:\?[^\s@?#]*)?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[\w.-]+|/[^:@,]*|(?P<ipv6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)")
# Those that choose another server, a file to write or a program to run are left out.
_OPTIONS = (
    *("channel_binding", "host", "options", "password", "port", "sslcert", "sslcrl", "sslkey"),
    *("sslmode", "sslrootcert", "target_session_attrs"),
)
_FORM = "postgresql://USER@HOST:5432/DATABASE"

ANY_DEVICE = "any"
_DEVICE = re.compile(r"any|cpu|gpu:\d+")


def plain(url: str) -> str:
    """Return the URL of a database in one spelling.

    Raises:
        ValueError: It is not the URL of a PostgreSQL database. The message quotes no part of it,
            since any part may belong to a password.
    """
    # Control characters, also as %00, and bytes that are no text.
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in _decoded(url)):
        raise ValueError(f"must be printable text, as {_FORM}")
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in (SCHEME, "postgres", f"{SCHEME}+psycopg") or "/" not in rest:
        raise ValueError(
            f"must be a PostgreSQL database, such as {_FORM}; "
            "the journal file of a run needs no setting"
        )
    parts = _URL.fullmatch(url)
    if not parts or not _is_split(url) or re.search("%(?![0-9A-Fa-f]{2})", url):
        raise ValueError(
            f"must have the form {_FORM}: the port is a number, an IPv6 address stands in "
            "brackets, and in a user name or password %40 stands for @, %3A for :, %2F for /, "
            "%3F for ?, %23 for #, %25 for % and %20 for a space"
        )
    _check_port(parts["port"])
    plain_url = f"{SCHEME}://{rest}"
    _check_options(plain_url)
    return plain_url


def _decoded(url: str) -> str:
    return unquote(url, errors="surrogateescape")


def _is_split(url: str) -> bool:
    """Return whether Python reads the parts of a URL; its errors would quote the password."""
    try:
        return bool(urlsplit(url))
    except ValueError:
        return False


def _check_options(url: str) -> None:
    """Check what follows the question mark of a URL."""
    given = _options(url)
    names = [name for name, _ in given]
    if len(set(names)) < len(names) or not set(names) <= set(_OPTIONS):
        raise ValueError(f"may have these options, each once: {', '.join(_OPTIONS)}")
    options, parts = dict(given), urlsplit(url)
    if ("host" in options and parts.hostname) or ("port" in options and parts.port):
        raise ValueError("must name host and port once")
    _check_port(options.get("port"))
    if "host" in options:
        host = _HOST.fullmatch(options["host"])
        if not host:
            raise ValueError("has a host that is neither a name, an address nor a folder")
        if host["ipv6"] is not None and not _is_split(f"//[{host['ipv6']}]"):
            raise ValueError("has a host that is no IPv6 address")


def _check_port(port: str | None) -> None:
    if port is not None and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("must have a port from 1 to 65535")


def _options(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def remove_password(url: str) -> str:
    """Return a URL of one spelling without the password it may hold."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in _options(url) if key != "password"]
    return urlunsplit(
        parts._replace(netloc=login.partition(":")[0] + at + host, query=urlencode(query))
    )


def password_in(url: str) -> str:
    """Return the password in the URL; empty without one."""
    return unquote(urlsplit(url).password or "") or dict(_options(url)).get("password", "")


def database(url: str) -> str:
    """Return the name of the database in a URL."""
    return unquote(urlsplit(url).path.strip("/"))


def server(url: str) -> str:
    """Return the server of a database as HOST:PORT; :data:`LOCAL_SERVER` without a host."""
    parts, options = urlsplit(url), dict(_options(url))
    host = parts.hostname or options.get("host", "")
    if not host:
        return LOCAL_SERVER
    host = host if host.startswith("/") else host.lower()
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port or options.get('port', 5432)}"


def cluster(address: str) -> str:
    """Return the checked address of a Dask scheduler.

    Raises:
        ValueError: it is no such address.
    """
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+", address):
        raise ValueError("must be the address of a Dask scheduler, such as tcp://HOST:8786")
    return address


def device(name: str) -> str:
    """Return the checked name of a device.

    Raises:
        ValueError: no device of that kind exists.
    """
    if not _DEVICE.fullmatch(name):
        raise ValueError("must be any, cpu or gpu:N, such as gpu:0")
    return name


def visible_devices(name: str) -> dict[str, str]:
    """Return the environment in which TensorFlow sees only that device; empty for ``any``."""
    if name == ANY_DEVICE:
        return {}
    return {"CUDA_VISIBLE_DEVICES": "-1" if name == "cpu" else name.removeprefix("gpu:")}
