"""A tiny learnable store, and one real run on it that many tests look at."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from typer.testing import CliRunner

from artifacts.quiet import import_tensorflow
from data_prep.preparation.clip import Preparation
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.video import Media

import_tensorflow()

TIME, SIDE = 4, 32

TINY_CONFIG = """\
store = "{store}"
run_dir = "{run_dir}"
preset = "quick"
seed = {seed}

[space]
streams = ["spatial", "noise_residual"]
backbones = ["small_cnn"]

[architecture]
trials = {architecture}
samples = 32
batch_size = 8
learning_rate = 0.001

[gan]
trials = {gan}
steps = 10

[training]
trials = {training}
epoch_samples = 16
max_samples = 96
frames = 0
"""

MakeClips = Callable[..., list[Clip]]
MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def make_clips() -> MakeClips:
    """Clips of random noise; a fake carries a bright square. ``make_clips(groups, seed=0)``.

    Each group is a person with one real and one fake clip, in train, val and test in turn.
    """

    def make(groups: int, seed: int = 0) -> list[Clip]:
        rng = np.random.default_rng(seed)
        clips = []
        for person in range(groups):
            split = ("train", "train", "val", "test")[person % 4]
            for label in (0, 1):
                colour = rng.integers(40, 120, (TIME, SIDE, SIDE, 3))
                if label:
                    colour[:, 8:20, 8:20] += 100
                grey = np.rint(colour.mean(axis=-1, keepdims=True))
                clips.append(
                    Clip(
                        key=f"set/{'fake' if label else 'real'}/c23/{person:03d}",
                        label=label,
                        method="Drawn" if label else "real",
                        quality="c23",
                        group=f"person{person:03d}",
                        split=split,
                        path=f"{person:03d}.mp4",
                        sha256="0" * 64,
                        frame_indices=np.arange(TIME),
                        frame_times=np.arange(TIME) / 25.0,
                        boxes=np.tile(np.float32([4, 4, 28, 28]), (TIME, 1)),
                        landmarks=np.full((TIME, 5, 2), np.nan, np.float32),
                        scores=np.ones(TIME, np.float32),
                        coverage=1.0,
                        frames=np.concatenate([colour, grey], axis=-1).astype(np.uint8),
                        media=dataclasses.asdict(Media("h264", 64, 64, 25.0, TIME, 1.0, 1000)),
                    )
                )
        return clips

    return make


@pytest.fixture(scope="session")
def make_store(make_clips: MakeClips) -> Callable[..., Path]:
    """Write a store of such clips: ``make_store(path, groups=16, seed=0)``."""

    def make(path: Path, groups: int = 16, seed: int = 0) -> Path:
        clip = dataclasses.asdict(Preparation(frames=TIME, size=SIDE))
        write_store(path, make_clips(groups, seed), [], {"clip": clip, "synthetic": True})
        return path

    return make


@pytest.fixture(scope="session")
def store_path(make_store: Callable[..., Path], make_once: MakeOnce) -> Path:
    """A tiny store: 16 people, 8 of them in training; one for all processes."""
    return make_once("store", lambda folder: make_store(folder / "tiny.h5")) / "tiny.h5"


@pytest.fixture
def store(store_path: Path) -> Store:
    """The tiny store, open."""
    with Store(store_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def write_config(store_path: Path) -> Callable[..., Path]:
    """Write a tiny configuration: ``write_config(folder, architecture=2, gan=1, training=1)``."""

    def write(
        folder: Path,
        *,
        store: Path | None = None,
        architecture: int = 2,
        gan: int = 1,
        training: int = 1,
        seed: int = 0,
    ) -> Path:
        path = folder / "config.toml"
        text = TINY_CONFIG.format(
            store=store or store_path,
            run_dir=folder / "run",
            architecture=architecture,
            gan=gan,
            training=training,
            seed=seed,
        )
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def dfsearch() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own: ``dfsearch("run", path, ...)``."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "search.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, "COLUMNS": "200"},
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return run


@pytest.fixture(scope="session")
def in_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in this process, which has TensorFlow already: as ``dfsearch(...)``.

    For what is not about the process. What a process would end with a traceback on is raised.
    """

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        from search.cli.__main__ import app

        command = list(map(str, arguments))
        before = signal.getsignal(signal.SIGTERM)
        try:
            with contextlib.chdir(cwd or Path.cwd()):
                shown = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
        finally:
            signal.signal(signal.SIGTERM, before)
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        return subprocess.CompletedProcess(command, shown.exit_code, shown.stdout, shown.stderr)

    return run


@pytest.fixture(scope="session")
def finished_run(
    write_config: Callable[..., Path],
    dfsearch: Callable[..., subprocess.CompletedProcess[str]],
    make_once: MakeOnce,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The run directory of a tiny run that went through every stage; a copy for each process."""

    def make(folder: Path) -> None:
        done = dfsearch("run", write_config(folder))
        assert done.returncode == 0, done.stderr

    made = make_once("finished-run", make) / "run"
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("finished") / "run"))


class Server:
    """A PostgreSQL server of the tests; ``url`` is of its database, with the password."""

    PASSWORD = "pa ss/w@rd"

    def __init__(self, folder: Path, as_user: list[str]) -> None:
        self._data = folder / "data"
        self._as_user = as_user
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        secret = folder / "password"
        secret.write_text(self.PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-A", "scram-sha-256", "-U", "search", "--pwfile", str(secret))
        self.start()

    @property
    def url(self) -> str:
        """Of the database that is there from the beginning."""
        secret = urllib.parse.quote(self.PASSWORD, safe="")
        return f"postgresql://search:{secret}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
        log = str(self._data / "log")
        self._run("pg_ctl", "start", "-w", "-l", log, "-o", f"{options} -c fsync=off")

    @property
    def host(self) -> str:
        """As the list of known servers has it."""
        return f"127.0.0.1:{self.port}"

    def log_in_by(self, method: str, user: str) -> None:
        """Add a user whose password is as that of the other, and how the server asks for it."""
        kept = "md5" if method == "md5" else "scram-sha-256"
        create = f"SET password_encryption = '{kept}'; CREATE ROLE {user} LOGIN PASSWORD"
        with psycopg.connect(self.url, autocommit=True) as opened:
            opened.execute(f"{create} '{self.PASSWORD}'")
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {user} 127.0.0.1/32 {method}\n{rules.read_text()}")
        self._run("pg_ctl", "reload")

    def stop(self) -> None:
        """At once, as if it had crashed."""
        self._run("pg_ctl", "stop", "-m", "immediate")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, program, "-D", str(self._data), *arguments]
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server, started for the tests; skips where none is installed."""
    found = [shutil.which("initdb"), *Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    initdb = next(filter(None, found), None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed: no initdb")
    as_user = ["env", f"PATH={Path(initdb).resolve().parent}:{os.environ['PATH']}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.getuid() == 0:
            # It refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            who = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
            as_user = ["setpriv", *who, *as_user]
        server = Server(folder, as_user)
        yield server
        server.stop()
