from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.config import addresses

GOOD = {
    "postgresql://me@db.example/studies": "db.example:5432",
    "postgres://ME@DB.example:5433/studies": "db.example:5433",
    "postgresql+psycopg://me:a%40b%2Fc@10.0.0.1/studies": "10.0.0.1:5432",
    "POSTGRESQL://me@[::1]:5432/studies": "[::1]:5432",
    "postgresql://me@[fe80::1]/studies?sslmode=verify-full": "[fe80::1]:5432",
    "postgresql://me@/studies?host=::1&port=7": "[::1]:7",
    "postgresql:///studies?host=/var/run/postgresql": "/var/run/postgresql:5432",
    "postgresql:///studies": addresses.LOCAL_SERVER,
}


@pytest.mark.parametrize(("url", "server"), GOOD.items())
def test_a_database_has_one_spelling_and_one_server(url: str, server: str) -> None:
    plain = addresses.plain(url)
    assert plain.startswith("postgresql://")
    assert addresses.plain(plain) == plain
    assert addresses.server(plain) == server
    assert addresses.database(plain) == "studies"
    assert addresses.server(addresses.remove_password(plain)) == server


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mysql://me@host/db", "must be a PostgreSQL database"),
        ("", "must be a PostgreSQL database"),
        ("postgresql://host", "must be a PostgreSQL database"),
        ("postgresql://me@host:fivefour/db", "the port is a number"),
        ("postgresql://me@host:-1/db", "the port is a number"),
        ("postgresql://me@host:0/db", "from 1 to 65535"),
        ("postgresql://me@host:99999/db", "from 1 to 65535"),
        ("postgresql://me@host:\uff11\uff12/db", "the port is a number"),
        ("postgresql://me@::1/db", "in brackets"),
        ("postgresql://me@[::1/db", "in brackets"),
        ("postgresql://me@[1::2::3]/db", "in brackets"),
        ("postgresql://me@[]/db", "in brackets"),
        ("postgresql://me@ho\x00st/db", "printable text"),
        ("postgresql://me@host/d%00b", "printable text"),
        ("postgresql://me@host/db\n", "printable text"),
        ("postgresql://me:%FF@host/db", "printable text"),
        ("postgresql://me:\udcff@host/db", "printable text"),
        ("postgresql://me@ho st/db", "%20 for a space"),
        ("postgresql://me:100%@host/db", "%25 for %"),
        ("postgresql://me@host/db#part", "%23 for #"),
        ("postgresql://me@ho\u2100st/db", "must have the form"),
        ("postgresql://me@host/db?hostaddr=6.6.6.6", "may have these options"),
        ("postgresql://me@host/db?sslkeylogfile=/tmp/keys", "may have these options"),
        ("postgresql://me@host/db?service=x", "may have these options"),
        ("postgresql://me@host/db?host=other", "must name host and port once"),
        ("postgresql://me@/db?host=a&host=b", "each once"),
        ("postgresql://me@/db?host=a,b", "neither a name"),
        ("postgresql://me@/db?host=1::2::3", "no IPv6 address"),
        ("postgresql://me@/db?port=many", "from 1 to 65535"),
    ],
)
def test_another_address_is_refused_with_the_reason(url: str, named: str) -> None:
    with pytest.raises(ValueError, match=r"(must|may|has) ") as refused:
        addresses.plain(url)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


PIECE = "Qx7"
PASSWORDS = st.lists(
    st.sampled_from([PIECE, *"@:/?#[]%& =.", "%40", "12", "\u2100", "\n", "host="]), min_size=1
).map("".join)


@given(password=PASSWORDS, rest=st.sampled_from(["@host/db", "@[::1]:5/db", "/db", "@host"]))
def test_no_piece_of_a_password_is_quoted(password: str, rest: str) -> None:
    url = f"postgresql://me:{password}{rest}"
    try:
        plain = addresses.plain(url)
    except ValueError as error:
        assert PIECE not in str(error)
        return
    # An accepted URL has delimiters between its parts alone.
    assert PIECE not in password or addresses.password_in(plain)
    for shown in (addresses.remove_password, addresses.server, addresses.database):
        assert PIECE not in shown(plain)
