"""A preparation killed, held up or short of disk, whenever that is, ends with the same store."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from data_prep.clip import Preparation
from data_prep.errors import UserError
from data_prep.prepare import PreparationSummary, prepare
from data_prep.store import Store

PEOPLE = ("anna", "ben", "cleo", "dora", "emma", "finn")
SMALL = Preparation(frames=4, size=32)
OPTIONS = ("--frames", "4", "--size", "32", "--jobs", "2", "--json")
# Clips that take about 1 MB each, for what depends on size.
LARGE = ("--frames", "16", "--size", "128", "--jobs", "2", "--json")

# Stands in for a disk that takes its time, so that a kill can be timed.
SLOW_DISK = """
import os, time
for name in ("fsync", "unlink"):
    def slow(*more, whole=getattr(os, name), **named):
        time.sleep(0.1)
        return whole(*more, **named)
    setattr(os, name, slow)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, face_video: bytes) -> Path:
    """Six people, one real and one fake video of each."""
    root = tmp_path_factory.mktemp("source") / "people"
    for name in PEOPLE:
        _place(root / "real" / f"{name}.mp4", face_video)
        _place(root / "fake" / f"{name}_swap.mp4", face_video)
    return root


def _place(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A trailing box makes the files differ without touching the picture.
    path.write_bytes(content + b"\0\0\0\x10free" + path.name[:8].encode().ljust(8))
    return path


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparationSummary:
    """What an uninterrupted run gives."""
    return prepare(source, tmp_path_factory.mktemp("whole") / "store.h5", SMALL, jobs=2)


@pytest.fixture(scope="module")
def finished_parts(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts folder of a run that ended when all clips were made and the store was not."""
    store_path = tmp_path_factory.mktemp("parts") / "store.h5"

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, store_path, SMALL, jobs=2, progress=stop)
    return _parts(store_path)


def _parts(store_path: Path) -> Path:
    return store_path.with_name(f"{store_path.name}.parts")


def _environment(mark: Path, customize: str) -> dict[str, str]:
    """Marks every process of a run, and has each begin with some code."""
    folder = mark / "customize"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(customize)
    paths = [str(folder), str(Path(__file__).parents[2])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DFSEARCH_TEST": str(mark)}


def _command(source: Path, store_path: Path, *options: str) -> list[str]:
    command = [sys.executable, "-m", "search.cli", "prepare", str(source), str(store_path)]
    return [*command, *(options or OPTIONS)]


class Running:
    """The command started in a session of its own."""

    def __init__(self, command: Sequence[str], mark: Path, customize: str = "") -> None:
        self._mark = mark
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(mark, customize),
            start_new_session=True,
        )

    def until(self, happened: Callable[[], bool]) -> bool:
        """Wait until something happened; False if the command ended before."""
        while self.process.poll() is None:
            if happened():
                return True
            time.sleep(0.001)
        return False

    def kill_all(self) -> None:
        """Kill the command and its workers at once, as a machine does that loses its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def outcome(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, out, err

    def left(self) -> list[str]:
        """Its processes that are still there after time to end."""
        deadline = time.monotonic() + 30
        while (found := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _processes(self) -> list[str]:
        mark = f"DFSEARCH_TEST={self._mark}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text())
        return found


def _run(command: Sequence[str], mark: Path, customize: str = "") -> tuple[int, str, str]:
    return Running(command, mark, customize).outcome()


def _errors(stderr: str) -> list[str]:
    """The lines beside the progress bar."""
    return [line for line in stderr.splitlines() if line and not line.startswith("preparing ")]


def _finished(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells a part file from one made again."""
    found = {}
    for path in folder.glob("*.npz"):
        status = path.stat()
        found[path.name] = status.st_ino, status.st_mtime_ns
    return found


# Kills.


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_again_and_again_it_ends_with_the_same_store(
    seed: int, source: Path, whole: PreparationSummary, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    output = tmp_path / "output"
    output.mkdir()
    store_path = output / "store.h5"
    folder = _parts(store_path)
    kills, before = 0, {}
    for wanted in range(1, 2 * len(PEOPLE), 3):
        run = Running(_command(source, store_path), tmp_path)
        if run.until(lambda wanted=wanted: len(list(folder.glob("*.npz"))) >= wanted):  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.1))
        kills += run.process.poll() is None
        run.kill_all()
        assert run.left() == []
        if store_path.exists():
            break
        now = _finished(folder)
        # Nothing that was finished is done again.
        assert now.items() >= before.items()
        before = now
    assert kills >= 2
    summary = prepare(source, store_path, SMALL, jobs=2, overwrite=True)
    assert summary.fingerprint == whole.fingerprint
    assert [path.name for path in output.iterdir()] == ["store.h5"]


@pytest.mark.slow
def test_a_kill_while_it_starts_is_no_obstacle(
    source: Path, whole: PreparationSummary, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    output.mkdir()
    store_path = output / "store.h5"
    run = Running(_command(source, store_path), tmp_path)
    assert run.until(lambda: (_parts(store_path) / "lock").exists())
    run.kill_all()
    assert run.left() == []
    summary = prepare(source, store_path, SMALL, jobs=2)
    assert summary.fingerprint == whole.fingerprint
    assert [path.name for path in output.iterdir()] == ["store.h5"]


def test_workers_end_with_a_killed_parent_and_what_they_finished_is_kept(
    source: Path, tmp_path: Path
) -> None:
    store_path = tmp_path / "store.h5"
    run = Running(_command(source, store_path), tmp_path)
    assert run.until(lambda: len(_finished(_parts(store_path))) >= 2)
    run.process.kill()
    run.process.communicate()
    assert run.left() == []
    finished = _finished(_parts(store_path))
    summary = prepare(source, store_path, SMALL)
    assert (summary.clips, summary.resumed) == (12, len(finished))


def _is_being_written(store_path: Path, before: int | None) -> bool:
    return (store_path.parent / ".store.tmp").exists() or (store_path / ".index.json.tmp").exists()


def _is_written(store_path: Path, before: int | None) -> bool:
    return _number(store_path) not in {None, before}


def _is_half_removed(store_path: Path, before: int | None) -> bool:
    return 0 < len(_finished(_parts(store_path))) < 2 * len(PEOPLE)


def _number(store_path: Path) -> int | None:
    """What tells a store from the one it replaces; None where there is none."""
    for path in (store_path / "index.json", store_path):
        if path.is_file():
            return path.stat().st_ino
    return None


@pytest.mark.slow
@pytest.mark.parametrize("shards", [(), ("--shard-clips", "5")], ids=["file", "shards"])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("moment", [_is_being_written, _is_written, _is_half_removed])
def test_killed_while_the_store_is_written_it_is_whole_or_not_there(
    moment: Callable[[Path, int | None], bool],
    overwrite: bool,
    shards: tuple[str, ...],
    source: Path,
    whole: PreparationSummary,
    finished_parts: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "output"
    output.mkdir()
    store_path = output / "store"
    more = {"shard_clips": 5 if shards else None, "overwrite": overwrite}
    old = None
    if overwrite:
        old = prepare(source, store_path, SMALL, seed=1, jobs=2, **more).fingerprint  # type: ignore[arg-type]
        assert old != whole.fingerprint
    shutil.copytree(finished_parts, _parts(store_path))
    made = _finished(_parts(store_path))

    options = [*OPTIONS, *shards, *(["--overwrite"] if overwrite else [])]
    run = Running(_command(source, store_path, *options), tmp_path, SLOW_DISK)
    before = _number(store_path)
    assert run.until(lambda: moment(store_path, before)), run.outcome()
    run.kill_all()
    assert run.left() == []

    if moment is _is_being_written:
        assert _fingerprint(store_path) == old
        assert _finished(_parts(store_path)) == made
    else:
        assert _fingerprint(store_path) == whole.fingerprint
    if moment is _is_being_written or overwrite:
        summary = prepare(source, store_path, SMALL, jobs=2, **more)  # type: ignore[arg-type]
        assert summary.fingerprint == whole.fingerprint
    else:
        with pytest.raises(UserError, match="exists; pass --overwrite"):
            prepare(source, store_path, SMALL, **more)  # type: ignore[arg-type]
    assert _fingerprint(store_path) == whole.fingerprint
    assert [path.name for path in output.iterdir()] == ["store"]
    if shards:
        index = json.loads((store_path / "index.json").read_text())
        named = {shard["file"] for shard in index["shards"]}
        assert {path.name for path in store_path.iterdir()} == {*named, "index.json"}


def _fingerprint(store_path: Path) -> str | None:
    """Of a store every clip of which can be read; None where there is none."""
    if _number(store_path) is None:
        return None
    with Store(store_path) as store:
        assert len(store.read(range(len(store)))) == 2 * len(PEOPLE)  # type: ignore[arg-type]
        return store.fingerprint
