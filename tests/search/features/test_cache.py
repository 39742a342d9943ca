from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from search.features.cache import FREE_SHARE, Entry, FeatureCache, NoRoomError

SHAPE = (6, 50)
BYTES = 6 * 50 * 4
ENTRY = BYTES + 200  # and its header and checksum

KEEP = """
import sys, time
from pathlib import Path
import numpy as np
from search.features.cache import FeatureCache

def compute():
    print("begun", flush=True)
    yield np.ones((3, 50), np.float32)
    if sys.argv[3] == "half": time.sleep(600)
    time.sleep(float(sys.argv[4]))
    yield np.ones((3, 50), np.float32)

entry = FeatureCache(Path(sys.argv[1])).entry(sys.argv[2], (6, 50), "float32", compute)
print("done", flush=True)
if sys.argv[3] == "hold": time.sleep(600)
"""


def values(seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def entry(cache: FeatureCache, key: str, seed: int = 0) -> Entry:
    return cache.entry(key, SHAPE, "float32", lambda: np.split(values(seed), 3))


def keys(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.npy")}


def never() -> Iterator[npt.NDArray[np.float32]]:
    raise AssertionError("computed again")


@pytest.fixture
def other_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Another worker on the cache: ``other_process(folder, key, "half")``, told when it begins."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, key: str, how: str, seconds: float = 0.0) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KEEP, folder, key, how, seconds]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "uint8"])
def test_an_array_comes_back_to_the_last_bit(tmp_path: Path, dtype: str) -> None:
    wanted = (values() * 100).astype(np.dtype(dtype))
    cache = FeatureCache(tmp_path / "f")
    for compute in (lambda: np.split(wanted, 2), never):
        found = cache.entry("a", SHAPE, dtype, compute).array
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("damage", ["truncated", "longer", "garbage", "empty", "a bit", "a name"])
def test_a_damaged_entry_is_computed_again(tmp_path: Path, damage: str) -> None:
    cache = FeatureCache(tmp_path)
    entry(cache, "a").close()
    entry(cache, "b", seed=1).close()
    path = tmp_path / "a.npy"
    whole = path.read_bytes()
    # The file is another than the one this process has found whole.
    time.sleep(0.01)
    if damage == "a name":
        (tmp_path / "b.npy").replace(path)
    else:
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        path.write_bytes(
            {
                "truncated": whole[:-100],
                "longer": whole + b"more",
                "garbage": b"not an array",
                "empty": b"",
                "a bit": bytes(flipped),
            }[damage]
        )
    np.testing.assert_array_equal(entry(cache, "a").array, values())
    np.testing.assert_array_equal(cache.entry("a", SHAPE, "float32", never).array, values())


@pytest.mark.parametrize(("shape", "dtype"), [((3, 100), "float32"), (SHAPE, "int32")])
def test_an_entry_of_another_shape_or_dtype_is_computed_again(
    tmp_path: Path, shape: tuple[int, int], dtype: str
) -> None:
    cache = FeatureCache(tmp_path)
    entry(cache, "a").close()
    wanted = np.arange(300).reshape(shape).astype(dtype)
    found = cache.entry("a", shape, dtype, lambda: [wanted]).array
    np.testing.assert_array_equal(found, wanted)


def test_an_entry_is_read_through_once_and_then_trusted(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    entry(cache, "a").close()
    path = tmp_path / "a.npy"
    facts = path.stat()
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (cache.entry("a", SHAPE, "float32", never).array != values()).sum() == 1


def test_nothing_is_left_of_a_computation_that_fails_or_gives_too_little(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)

    def fails() -> Iterator[npt.NDArray[np.float32]]:
        yield values()[:3]
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        cache.entry("a", SHAPE, "float32", fails)
    with pytest.raises(ValueError, match="computed"):
        cache.entry("a", SHAPE, "float32", lambda: [values()[:3]])
    assert not list(tmp_path.rglob("*.npy"))


def test_the_longest_unused_entries_make_room_for_new_ones(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, budget=3 * ENTRY)
    for key in ("a", "b", "c", "a", "d"):
        entry(cache, key).close()
        time.sleep(0.01)
    assert keys(tmp_path) == {"a", "c", "d"}


def test_an_entry_in_use_is_never_removed(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, budget=2 * ENTRY)
    held = entry(cache, "a")
    for key in ("b", "c", "d"):
        entry(cache, key).close()
    assert keys(tmp_path) == {"a", "d"}
    with contextlib.closing(entry(cache, "d")), pytest.raises(NoRoomError, match="in use"):
        entry(cache, "e")
    held.close()
    entry(cache, "e").close()
    assert "a" not in keys(tmp_path)
    np.testing.assert_array_equal(held.array, values())


def test_an_entry_in_use_by_another_process_is_not_removed_until_that_dies(
    tmp_path: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    other = other_process(tmp_path, "theirs", "hold")
    assert other.stdout is not None
    assert other.stdout.readline() == "done\n"
    cache = FeatureCache(tmp_path, budget=ENTRY)
    with pytest.raises(NoRoomError, match="in use"):
        entry(cache, "ours")
    other.kill()
    other.wait()
    entry(cache, "ours").close()
    assert keys(tmp_path) == {"ours"}


def test_two_processes_compute_an_entry_once(
    tmp_path: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    other_process(tmp_path, "a", "once", 0.5)
    found = FeatureCache(tmp_path).entry("a", SHAPE, "float32", never)
    np.testing.assert_array_equal(found.array, 1)


def test_a_writer_that_is_killed_leaves_nothing_that_counts(
    tmp_path: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    other = other_process(tmp_path, "a", "half")
    (half,) = tmp_path.glob(".a.*.tmp.npy")
    cache = FeatureCache(tmp_path)
    entry(cache, "b").close()
    assert half.exists(), "its writer lives"
    other.send_signal(signal.SIGKILL)
    other.wait()
    entry(cache, "c").close()
    assert not half.exists()
    np.testing.assert_array_equal(entry(cache, "a").array, values())


def test_what_others_are_writing_counts_towards_the_budget(
    tmp_path: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    other_process(tmp_path, "a", "half")
    with pytest.raises(NoRoomError):
        entry(FeatureCache(tmp_path, budget=2 * ENTRY - 300), "b")
    entry(FeatureCache(tmp_path, budget=2 * ENTRY), "b").close()


def test_an_entry_over_the_budget_is_refused_and_removes_nothing(tmp_path: Path) -> None:
    entry(FeatureCache(tmp_path), "a").close()
    with pytest.raises(NoRoomError, match="fit"):
        entry(FeatureCache(tmp_path, budget=ENTRY // 2), "b")
    assert keys(tmp_path) == {"a"}


def test_the_disk_is_never_filled_whatever_the_budget(tmp_path: Path) -> None:
    entry(FeatureCache(tmp_path / "f"), "a").close()
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    assert FeatureCache(tmp_path / "f", budget=10**18).room() == pytest.approx(
        FREE_SHARE * free, rel=0.1
    )
    assert FeatureCache(tmp_path / "not there yet", budget=7).room() == 7


def test_a_disk_without_room_is_a_reason_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES // 2, hard))
    try:
        with pytest.raises(NoRoomError, match="no room on the disk"):
            entry(FeatureCache(tmp_path), "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.glob("*.npy"))
