"""The password of a database goes to no stranger, and to no server in a form to keep."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from artifacts.run_directory import RunDirectory
from data_prep.store.store import Store
from search.config import run_config
from search.studies import server
from search.studies.run_state import RunState
from search.studies.server import HOSTS, known_servers_file

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]
PASSWORD = "correct horse battery"
_NO_TLS = (80877103, 80877104)
CLEAR_TEXT, MD5 = struct.pack("!ii", 8, 3), struct.pack("!ii4s", 12, 5, b"salt")


class Stranger:
    """A server that asks for a password in one way and keeps every byte that it receives."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"postgresql://search@{self.name}/studies"
        self.calls = 0
        self.received = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self.calls += 1
                with client, contextlib.suppress(OSError):
                    client.settimeout(20)
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        while (said := client.recv(4096)) and struct.unpack("!i", said[4:8])[0] in _NO_TLS:
            client.sendall(b"N")
        client.sendall(b"R" + self._request)
        while said:
            self.received += said
            said = client.recv(4096)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[Stranger]:
    found = Stranger(getattr(request, "param", CLEAR_TEXT))
    yield found
    found.close()


@pytest.fixture
def run_of(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """A run from another person, whose configuration names a database."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.delenv(HOSTS, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def made(url: str) -> Path:
        run = RunDirectory(tmp_path / "run")
        run.root.mkdir()
        config = run_config.resolve({"store": store_path, "run_dir": run.root, "preset": "quick"})
        text = run_config.dump(config)
        assert 'storage = ""' in text
        run.config.write_text(text.replace('storage = ""', f'storage = "{url}"'))
        with Store(store_path) as store:
            RunState.begin(run, store.fingerprint)
        return run.root

    return made


def test_no_command_calls_the_server_of_a_stranger(
    run_of: Callable[[str], Path], stranger: Stranger, in_process: Dfsearch
) -> None:
    run = run_of(stranger.url)
    for command in (["leaderboard"], ["leaderboard", "--json"], ["dashboard", "--no-browser"]):
        refused = in_process(command[0], run, *command[1:])
        assert refused.returncode == 2
        (line,) = refused.stderr.strip().splitlines()
        assert f"names the PostgreSQL server {stranger.name}" in line
        assert f"set {HOSTS}={stranger.name} or add that name to" in line
        assert str(known_servers_file()) in line
    for command in (["work", run], ["run", run / "config.toml"]):
        refused = in_process(*command)
        assert refused.returncode == 2, refused.stderr
        assert stranger.name in refused.stderr
    assert in_process("report", run, "--no-faces").returncode == 0
    assert stranger.name in (run / "report.html").read_text()
    assert stranger.calls == 0
    assert not known_servers_file().exists()


@pytest.mark.parametrize("stranger", [CLEAR_TEXT, MD5], indirect=True)
def test_a_permitted_server_that_asks_for_the_password_itself_does_not_get_it(
    run_of: Callable[[str], Path],
    stranger: Stranger,
    in_process: Dfsearch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = run_of(stranger.url)
    monkeypatch.setenv(HOSTS, f"other.example:1, {stranger.name}")
    refused = in_process("leaderboard", run)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "the password was not sent; set up SCRAM" in line
    assert stranger.calls > 0
    assert stranger.received.startswith(struct.pack("!i", len(stranger.received)))
    assert PASSWORD.encode() not in stranger.received
    assert b"md5" not in stranger.received


@pytest.mark.parametrize("method", ["password", "md5"])
def test_postgresql_without_scram_is_refused_in_one_line(
    postgresql: Any,
    store_path: Path,
    in_process: Dfsearch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    user = f"by_{method}"
    postgresql.log_in_by(method, user)
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)
    url = f"postgresql://{user}@{postgresql.host}/postgres"
    refused = in_process("run", store_path, tmp_path / "run", "--storage", url)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "the password was not sent; set up SCRAM" in line
    assert not (tmp_path / "run" / "config.toml").exists()


@pytest.mark.slow
def test_the_server_of_a_run_is_known_to_later_commands_and_its_password_to_no_file(
    postgresql: Any,
    store_path: Path,
    in_process: Dfsearch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    run = tmp_path / "run"
    arguments = [sys.executable, "-m", "search.cli", "run", store_path, run, "--preset", "quick"]
    arguments += ["--storage", postgresql.url]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([*map(str, arguments)], stdout=said, stderr=said)
        workers = wait_for(lambda: psutil.Process(process.pid).children(recursive=True), process)
        lines = [word for each in workers for word in each.cmdline()]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130, (tmp_path / "said").read_text()
    assert known_servers_file().read_text() == f"{postgresql.host}\n"
    assert known_servers_file().parent.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)
    assert in_process("leaderboard", run, "--json").returncode == 0
    secrets = (postgresql.PASSWORD, postgresql.url.split(":")[2].split("@")[0])
    files = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    for text in (*files, *lines):
        assert not any(secret in text for secret in secrets)


def wait_for(found: Callable[[], Any], process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + 120
    while not (value := found()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return value


@pytest.mark.parametrize(
    "password", ["Qx7@Qx7", "Qx7/Qx7", "Qx7:Qx7", "Qx7?Qx7", "Qx7#Qx7", "Qx7[Qx7", "Qx7%Qx7"]
)
def test_no_piece_of_a_password_with_a_delimiter_is_printed(
    in_process: Dfsearch, run_of: Callable[[str], Path], tmp_path: Path, password: str
) -> None:
    url = f"postgresql://me:{password}@127.0.0.1:9/studies"
    run = run_of(url)
    said = [
        in_process("run", tmp_path / "no.h5", tmp_path / "new", "--storage", url),
        *(in_process(verb, run) for verb in ("leaderboard", "dashboard", "work", "evaluate")),
        in_process("run", run / "config.toml"),
        in_process("report", run, "--no-faces"),
    ]
    assert all(done.returncode == 2 for done in said[:4])
    page = (run / "report.html").read_text()
    for text in (page, *(done.stdout + done.stderr for done in said)):
        assert "Qx7" not in text


def test_a_password_stays_out_of_what_python_shows(tmp_path: Path) -> None:
    url = "postgresql://me:Qx7@host/studies"
    config = run_config.resolve({"store": "s.h5", "run_dir": tmp_path, "storage": url})
    assert "Qx7" not in repr(config)
    for storage in ([url], {"url": url}, 7):
        with pytest.raises(Exception, match="storage") as refused:
            run_config.resolve({"store": "s.h5", "run_dir": tmp_path, "storage": storage})
        assert "Qx7" not in str(refused.value)


def test_a_library_that_cannot_refuse_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psycopg.pq.version", lambda: 150_004)
    with pytest.raises(server.UserError, match=r"libpq 15 here.*pip install"):
        server.connect("postgresql://me@127.0.0.1:9/old")
    assert os.environ.get("PGPASSWORD") is None
