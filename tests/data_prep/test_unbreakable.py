"""A preparation killed, held up or short of disk, whenever that is, ends with the same store."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution, PreparationProgress, PreparationSummary
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import Store

# More by hand: DFSEARCH_KILLS=10 pytest tests/data_prep/test_unbreakable.py -k again_and_again
KILLS = int(os.environ.get("DFSEARCH_KILLS", "1"))
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

# Stands in for decoders that hang: one politely, one in C code that never lets go of Python.
HANGING_DECODER = """
import av, ctypes, time
whole = av.open
def open(name, *more, **named):
    if name.endswith("asleep.mp4"):
        time.sleep(10**6)
    if name.endswith("stuck_swap.mp4"):
        ctypes.PyDLL(None).sleep(10**6)
    return whole(name, *more, **named)
av.open = open
"""
WAITING_DECODER = """
import av, os, time
whole = av.open
def open(*more, **named):
    while not os.path.exists(os.environ["DFSEARCH_TEST"] + "/go"):
        time.sleep(0.05)
    return whole(*more, **named)
av.open = open
"""
# Stands in for a file that is still being copied.
GROWING_FILE = """
import av
from pathlib import Path
whole = av.open
def open(name, *more, **named):
    video = whole(name, *more, **named)
    if name.endswith("growing.mp4"):
        path = Path(name)
        path.write_bytes(path.read_bytes() + b"more")
    return video
av.open = open
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
    return prepare(
        source, tmp_path_factory.mktemp("whole") / "store.h5", SMALL, execution=Execution(jobs=2)
    )


@pytest.fixture(scope="module")
def finished_parts(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts folder of a run that ended when all clips were made and the store was not."""
    store_path = tmp_path_factory.mktemp("parts") / "store.h5"

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(
            source,
            store_path,
            SMALL,
            execution=Execution(jobs=2),
            progress=PreparationProgress(preparing=stop),
        )
    return _parts(store_path)


@pytest.fixture(scope="module")
def old_store(
    source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, bool], str]:
    """Put an earlier store, a file or shards, somewhere; its fingerprint: ``(path, in_shards)``."""

    @functools.cache
    def make(in_shards: bool) -> Path:
        path = tmp_path_factory.mktemp("old") / "store"
        prepare(
            source,
            path,
            SMALL,
            shard_clips=5 if in_shards else None,
            split=SplitRequest(seed=1),
            execution=Execution(jobs=2),
        )
        return path

    def put(path: Path, in_shards: bool) -> str:
        (shutil.copytree if in_shards else shutil.copy)(make(in_shards), path)
        fingerprint = _fingerprint(path)
        assert fingerprint is not None
        return fingerprint

    return put


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
    """The lines that are no progress bars."""
    return [line for line in stderr.splitlines() if line and " elapsed " not in line]


def _finished(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells a part file from one made again."""
    found = {}
    for path in folder.glob("*.npz"):
        status = path.stat()
        found[path.name] = status.st_ino, status.st_mtime_ns
    return found


# Kills.


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
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
    summary = prepare(source, store_path, SMALL, overwrite=True, execution=Execution(jobs=2))
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
    summary = prepare(source, store_path, SMALL, execution=Execution(jobs=2))
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


# While it is being written, in every way; later, each pair of moment and way once.
_LATER = [(_is_written, True, False), (_is_written, False, True)]
_LATER += [(_is_half_removed, False, False), (_is_half_removed, True, True)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "overwrite", "in_shards"),
    [*itertools.product([_is_being_written], [False, True], [False, True]), *_LATER],
)
def test_killed_while_the_store_is_written_it_is_whole_or_not_there(
    moment: Callable[[Path, int | None], bool],
    overwrite: bool,
    in_shards: bool,
    source: Path,
    whole: PreparationSummary,
    old_store: Callable[[Path, bool], str],
    finished_parts: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "output"
    output.mkdir()
    store_path = output / "store"
    more = {"shard_clips": 5 if in_shards else None, "overwrite": overwrite}
    old = None
    if overwrite:
        old = old_store(store_path, in_shards)
        assert old != whole.fingerprint
    shutil.copytree(finished_parts, _parts(store_path))
    made = _finished(_parts(store_path))

    options = [*OPTIONS, *(["--shard-clips", "5"] if in_shards else [])]
    options += ["--overwrite"] if overwrite else []
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
        both = Execution(jobs=2)
        summary = prepare(source, store_path, SMALL, execution=both, **more)  # type: ignore[arg-type]
        assert summary.fingerprint == whole.fingerprint
    else:
        with pytest.raises(UserError, match="exists; pass overwrite"):
            prepare(source, store_path, SMALL, **more)  # type: ignore[arg-type]
    assert _fingerprint(store_path) == whole.fingerprint
    assert [path.name for path in output.iterdir()] == ["store"]
    if in_shards:
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


# Two runs at a time.


@pytest.mark.slow
def test_a_second_run_is_told_who_prepares_the_store(
    source: Path, whole: PreparationSummary, tmp_path: Path
) -> None:
    store_path = tmp_path / "two\nlines of ünïcode.h5"
    first = Running(_command(source, store_path), tmp_path, WAITING_DECODER)
    lock = _parts(store_path) / "lock"
    assert first.until(lambda: lock.exists() and lock.read_text() != "")
    (tmp_path / "second").mkdir()
    status, out, err = _run(_command(source, store_path), tmp_path / "second")
    (line,) = _errors(err)
    assert (status, out) == (2, "")
    assert line.startswith(f"error: {tmp_path}/two lines of ünïcode.h5 is being prepared by")
    assert f"process {first.process.pid} on {platform.node()} since " in line
    (tmp_path / "go").touch()
    status, out, err = first.outcome()
    assert (status, _errors(err)) == (0, [])
    assert json.loads(out)["fingerprint"] == whole.fingerprint
    assert not _parts(store_path).exists()


def test_a_lock_left_by_a_dead_run_is_no_obstacle(
    source: Path, finished_parts: Path, tmp_path: Path
) -> None:
    store_path = tmp_path / "store.h5"
    shutil.copytree(finished_parts, _parts(store_path))
    (_parts(store_path) / "lock").write_text("process 1 on another.host since long ago")
    (tmp_path / ".store.h5.tmp").write_bytes(b"half a store")
    (_parts(store_path) / "0123.4567.tmp").write_bytes(b"half a part")
    assert prepare(source, store_path, SMALL).resumed == 12
    assert [path.name for path in tmp_path.iterdir()] == ["store.h5"]


# A disk that is full, or that refuses.


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Callable[[str], list[str]]:
    """Run a script where ``$disk`` is the mount point of a disk of its own, gone afterwards."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def run(script: str) -> list[str]:
        # In a name space of its own, so that nothing else sees the mount.
        command = ["unshare", "--map-root-user", "--mount", "sh", "-e", "-c", script]
        environment = _environment(tmp_path, "") | {"disk": str(disk), "out": str(tmp_path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    try:
        run("mount -t tmpfs none $disk")
    except (AssertionError, FileNotFoundError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("megabytes", "kept", "in_shards"),
    # Full among the clips, which know nothing of shards; then while the store is written.
    [(6, range(2, 6), False), (18, range(12, 13), False), (18, range(12, 13), True)],
)
def test_a_full_disk_is_one_line_and_with_more_room_it_goes_on(
    megabytes: int,
    kept: range,
    in_shards: bool,
    source: Path,
    old_store: Callable[[Path, bool], str],
    on_small_disk: Callable[[str], list[str]],
    tmp_path: Path,
) -> None:
    old = old_store(tmp_path / "store", in_shards)
    again = shlex.join(_command(source, tmp_path / "disk" / "store", *LARGE))
    again += " --overwrite" + (" --shard-clips 5" if in_shards else "")
    full, files, finished = on_small_disk(
        f"""
        mount -t tmpfs -o size={megabytes}m none $disk
        cp -r $out/store $disk
        {again} 2> $out/full > $out/nothing && exit 1 || echo $?
        ls -A $disk | wc -l
        ls $disk/store.parts/*.npz | wc -l
        cp -r $disk/store $out/kept
        mount -o remount,size=100m $disk
        {again} > $out/summary 2> $out/errors
        mv $disk/* $out/after
        """
    )
    # The store and the folder of the parts.
    assert (full, files) == ("2", "2")
    assert int(finished) in kept
    (line,) = _errors((tmp_path / "full").read_text())
    assert line == (
        f"error: {tmp_path}/disk/store cannot be written: No space left on device; finished "
        "clips are kept; free disk space, then repeat the command"
    )
    assert (tmp_path / "nothing").read_text() == ""
    assert _fingerprint(tmp_path / "kept") == old
    assert _errors((tmp_path / "errors").read_text()) == []
    summary = json.loads((tmp_path / "summary").read_text())
    assert summary["fingerprint"] == _fingerprint(tmp_path / "after") != old


@pytest.mark.slow
@pytest.mark.parametrize("limit", [500_000, 5_000_000], ids=["parts", "store"])
def test_a_limit_on_the_size_of_files_is_said(limit: int, source: Path, tmp_path: Path) -> None:
    store_path = tmp_path / "store.h5"
    script = f"ulimit -f {limit // 1024}; exec {shlex.join(_command(source, store_path, *LARGE))}"
    # Of bash, in units of 1024 bytes.
    status, out, err = _run(["bash", "-c", script], tmp_path)
    (line,) = _errors(err)
    assert (status, out) == (2, "")
    assert line.startswith(f"error: {store_path} cannot be written: File too large; finished clips")
    assert not store_path.exists()
    assert len(_finished(_parts(store_path))) == (0 if limit < 1_000_000 else 12)


def test_a_disk_that_cannot_be_written_to_is_said(
    source: Path, on_small_disk: Callable[[str], list[str]], tmp_path: Path
) -> None:
    command = shlex.join(_command(source, tmp_path / "disk" / "store.h5"))
    (status,) = on_small_disk(
        f"""
        mount -t tmpfs -o ro none $disk
        {command} 2> $out/errors && exit 1 || echo $?
        """
    )
    assert status == "2"
    (line,) = _errors((tmp_path / "errors").read_text())
    assert line.startswith(
        f"error: {tmp_path}/disk/store.h5 cannot be written: Read-only file system"
    )


# Videos that hold up, or that change.


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_video_that_hangs_is_given_up_and_all_others_arrive(
    jobs: str, face_video: bytes, tmp_path: Path
) -> None:
    root = tmp_path / "people"
    rows = ["path,label,original"]
    for name in ("anna", "ben", "cleo", "asleep"):
        _place(root / f"{name}.mp4", face_video)
        _place(root / f"{name}_swap.mp4", face_video)
        rows += [f"{name}.mp4,real,", f"{name}_swap.mp4,fake,{name}.mp4"]
    _place(root / "stuck_swap.mp4", face_video)
    rows.append("stuck_swap.mp4,fake,ben.mp4")
    (root / "labels.csv").write_text("\n".join(rows))
    options = ["--frames", "4", "--size", "32", "--json", "--split-policy", "test"]
    command = _command(root, tmp_path / "store.h5", *options, "--jobs", jobs)
    run = Running([*command, "--clip-timeout", "10"], tmp_path, HANGING_DECODER)
    status, out, err = run.outcome()
    assert (status, _errors(err)) == (0, [])
    summary = json.loads(out)
    reason = "not prepared within 10 s; pass --clip-timeout to allow more"
    assert {(Path(entry["path"]).name, entry["reason"]) for entry in summary["quarantined"]} == {
        ("asleep.mp4", reason),
        ("stuck_swap.mp4", reason),
    }
    # The fake whose original hangs is there, by its own face track.
    assert (summary["clips"], summary["paired"], summary["guided"]) == (7, 4, 3)
    assert run.left() == []


def test_a_video_that_changes_while_it_is_read_is_left_out(
    source: Path, face_video: bytes, tmp_path: Path
) -> None:
    root = tmp_path / "people"
    shutil.copytree(source, root)
    _place(root / "real" / "growing.mp4", face_video)
    status, out, err = _run(_command(root, tmp_path / "store.h5"), tmp_path, GROWING_FILE)
    assert (status, _errors(err)) == (0, [])
    summary = json.loads(out)
    (entry,) = summary["quarantined"]
    assert summary["clips"] == 12
    assert (Path(entry["path"]).name, entry["step"]) == ("growing.mp4", "decode")
    assert entry["reason"] == "the file changed while it was prepared"


def test_a_video_that_vanishes_while_others_are_prepared_is_left_out(
    source: Path, tmp_path: Path
) -> None:
    root = tmp_path / "people"
    shutil.copytree(source, root)

    def vanish(done: int, total: int) -> None:
        (root / "fake" / "ben_swap.mp4").unlink(missing_ok=True)

    summary = prepare(
        root, tmp_path / "store.h5", SMALL, progress=PreparationProgress(preparing=vanish)
    )
    (entry,) = summary.quarantined
    assert summary.clips == 11
    assert (Path(entry.path).name, entry.step) == ("ben_swap.mp4", "decode")
    assert entry.reason == "the file cannot be read: No such file or directory"


def test_a_source_that_vanishes_while_it_is_prepared_is_one_line(
    source: Path, tmp_path: Path
) -> None:
    root = tmp_path / "people"
    shutil.copytree(source, root)

    def vanish(done: int, total: int) -> None:
        shutil.rmtree(root, ignore_errors=True)

    with pytest.raises(UserError) as raised:
        prepare(root, tmp_path / "store.h5", SMALL, progress=PreparationProgress(preparing=vanish))
    message = str(raised.value)
    assert message.startswith("no usable real clip: 6 of 6 real videos were quarantined, e.g. ")
    assert message.endswith("(the file cannot be read: No such file or directory)")
    assert list(tmp_path.iterdir()) == []
