"""Videos prepared in worker processes, each kept in a part file until the store is written.

A part is written under a temporary name and renamed, so it is complete or missing. Finished parts
of a killed run are reused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import time
from collections.abc import Collection, Generator, Iterator, Sequence, Set
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import av
import cv2
import joblib

from data_prep.datasets import Video
from data_prep.errors import UserError, VideoError
from data_prep.files import NO_LOCKS
from data_prep.layouts.files import quote
from data_prep.preparation.clip import Preparation
from data_prep.preparation.part_work import (
    DIED,
    Task,
    check_attempts,
    digest,
    identity,
    quarantine_task,
    work,
)
from data_prep.store.format import REAL, Quarantined
from data_prep.store.writer import is_store
from data_prep.text import one_line
from data_prep.workers import in_workers, run_on_cluster

_LOCK, _DONE = "lock", "done"

# Errors of a full disk or an exhausted quota.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Part files of another format are not read; raise it when their content changes.
_PART_FORMAT = 3


@contextlib.contextmanager
def parts_folder(store_path: Path) -> Iterator[Path]:
    """Yield the folder for parts beside the store, locked against a second run.

    It outlives a failed run if it holds a finished clip.
    """
    folder = _folder(store_path)
    try:
        with _locked(folder, store_path) as lock:
            if (folder / _DONE).exists() and is_store(store_path):
                _remove(folder, {".npz", ".busy"})
            (folder / _DONE).unlink(missing_ok=True)
            _remove(folder, {".tmp"})
            try:
                yield folder
            finally:
                # Once it is removed, the next run may have made it again.
                if _is_at(lock, folder / _LOCK) and not any(folder.glob("*.npz")):
                    remove_parts(folder)
    except OSError as error:
        raise UserError(f"{quote(store_path)} cannot be written: {_why(error)}") from None


def _folder(store_path: Path) -> Path:
    # Absolute: workers on a cluster have working directories of their own.
    return store_path.absolute().with_name(f"{store_path.name}.parts")


@contextlib.contextmanager
def _locked(folder: Path, store_path: Path) -> Iterator[int]:
    """Make the folder and hold its lock, a file that names its holder; yield its handle."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = one_line(lock.read()) or "on this machine or another"
                raise UserError(
                    f"{quote(store_path)} is being prepared by another run, {holder}; wait for it "
                    "or stop it"
                ) from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                raise UserError(
                    f"{quote(folder)} cannot be locked against a second run: "
                    f"{error.strerror}; name a store on another file system"
                ) from None
            # The run that had it before may have removed it when it ended.
            if not _is_at(lock.fileno(), folder / _LOCK):
                continue
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {platform.node()} since {time.ctime()}")
            lock.flush()
            yield lock.fileno()
            return


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _why(error: OSError) -> str:
    """Return one line for an error number; HDF5 has several lines."""
    reason = os.strerror(error.errno) if error.errno else one_line(str(error))
    if error.errno in _NO_ROOM:
        return f"{reason}; finished clips are kept; free disk space, then repeat the command"
    return f"{reason}; finished clips are kept"


def remove_parts(folder: Path) -> None:
    """Remove the files of runs in the folder, and the folder if it is empty then."""
    with contextlib.suppress(OSError):
        mark_done(folder)
    _remove(folder, {".npz", ".busy", ".tmp"})
    (folder / _DONE).unlink(missing_ok=True)
    (folder / _LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def mark_done(folder: Path) -> None:
    """Mark the parts as superseded once the store exists."""
    (folder / _DONE).touch()


def remove_done(store_path: Path) -> None:
    """Remove the parts of a store that is there, left by a run that was killed after writing it."""
    if (_folder(store_path) / _DONE).exists():
        with contextlib.suppress(UserError), parts_folder(store_path):
            pass


def _remove(folder: Path, suffixes: Set[str]) -> None:
    for path in folder.iterdir():
        if path.suffix in suffixes:
            path.unlink(missing_ok=True)


def plan(
    videos: Sequence[Video],
    folder: Path,
    preparation: Preparation,
    *,
    decoder_threads: int = 1,
    time_limit: float = 600.0,
    paired: bool = True,
) -> tuple[dict[str, Task], list[Quarantined]]:
    """Return a task for every video by key, and the videos that are missing by now.

    Originals come before their fakes, which then find their guides made.

    Args:
        videos: videos to prepare.
        folder: folder for the parts.
        preparation: settings of the clips.
        decoder_threads: threads of the decoder of one worker.
        time_limit: seconds for one video.
        paired: crop a fake like its original if the frames correspond.
    """
    identities: dict[Path, list[Any]] = {}
    states: dict[str, Any] = {}
    masked = "mask" in preparation.modalities
    lost = []
    for video in videos:
        try:
            if masked:
                states[video.key] = [video.label, identity(video.mask) if video.mask else None]
            identities[video.path] = identity(video.path)
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            lost.append(Quarantined(str(video.path), "decode", reason))
        except VideoError as error:
            lost.append(Quarantined(str(video.path), error.step, error.reason))

    kept = [video for video in videos if video.path in identities]
    originals = {video.original for video in kept if paired and video.original in identities}
    version = [_PART_FORMAT, av.__version__, cv2.__version__, preparation.to_dict()]
    tasks: dict[str, Task] = {}
    for video in sorted(kept, key=lambda video: (video.label != REAL, video.key)):
        own = identities[video.path]
        original = video.original if video.original in originals else None
        pair = [own, identities[original]] if original else [own]
        still = video.still and preparation.frames > 1
        content = [version, pair, still, *([states[video.key]] if masked else [])]
        part = folder / f"{digest(content)}.npz"
        guides = None
        if original or video.path in originals:
            guides = folder / digest([version, pair[-1]])
        tasks[video.key] = Task(
            video.path,
            part,
            preparation,
            decoder_threads,
            time_limit,
            original,
            guides,
            video.label,
            video.mask,
            still,
        )
    _try_again(tasks.values())
    return tasks, lost


def _try_again(tasks: Collection[Task]) -> None:
    """Forget the videos that an earlier run gave up, and the fakes made without them."""
    hopeless = {task.path for task in tasks if check_attempts(task)}
    for task in tasks:
        task.mark.unlink(missing_ok=True)
        if task.original in hopeless:
            task.part.unlink(missing_ok=True)
            task.guide_file(None).unlink(missing_ok=True)


def run(
    tasks: Sequence[Task], jobs: int, cluster: str | None = None
) -> Generator[Quarantined | None]:
    """Run every task; yield None for a prepared video, else its quarantine entry.

    The results come in the order of finishing.

    When a worker dies, the videos in work are prepared again one at a time. A video that kills its
    worker again is quarantined, and the others continue in parallel.

    Args:
        tasks: tasks to run.
        jobs: worker processes on this machine.
        cluster: address of the scheduler of a Dask cluster to do them on instead.
    """
    if cluster is not None:
        yield from _on_cluster(tasks, cluster)
        return
    waiting = {task.part: task for task in tasks}
    while waiting:
        try:
            with contextlib.closing(_in_workers(list(waiting.values()), jobs)) as outcomes:
                for part, failure in outcomes:
                    del waiting[part]
                    yield failure
        except BrokenProcessPool:
            for task in _suspects(waiting.values()) or list(waiting.values())[:jobs]:
                del waiting[task.part]
                yield _alone(task)


def _suspects(tasks: Collection[Task]) -> list[Task]:
    """Return the tasks in work when a worker died.

    A fake that waited for a hanging original is not a suspect.
    """
    begun = [task for task in tasks if task.mark.exists()]
    hopeless = {task.path for task in begun if check_attempts(task)}
    for task in begun:
        if task.original in hopeless:
            task.mark.unlink()
    return begun


def _alone(task: Task) -> Quarantined | None:
    try:
        (outcome,) = _in_workers([task], jobs=1)
    except BrokenProcessPool:
        return quarantine_task(task, check_attempts(task) or DIED)
    return outcome[1]


def _in_workers(tasks: Sequence[Task], jobs: int) -> Generator[tuple[Path, Quarantined | None]]:
    # joblib runs a single job in this process, which a crash would take down. So there are at
    # least two workers; one of them is idle when one task is sent at a time.
    yield from in_workers(
        max(2, jobs),
        (joblib.delayed(work)(task) for task in tasks),
        pre_dispatch=1 if jobs == 1 else 2 * jobs,
        batch_size=1,
    )


def _on_cluster(tasks: Sequence[Task], address: str) -> Generator[Quarantined | None]:
    """Run the tasks on a Dask cluster whose workers see the same files under the same names."""
    by_part = {task.part: task for task in tasks}
    with contextlib.closing(run_on_cluster(address, work, tasks)) as outcomes:
        for part, failure in outcomes:
            if failure is None and not part.exists():
                raise UserError(
                    f"a worker of {address} prepared {quote(by_part[part].path)}, but its clip "
                    "is missing; workers must share the folder of the store with this machine"
                )
            yield failure
