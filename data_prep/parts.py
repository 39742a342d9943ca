"""Videos prepared in worker processes, each kept in a part file until the store is written.

A part is written under a temporary name and renamed, so it is there whole or not at all: what a
killed run had finished is not done again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import faulthandler
import fcntl
import functools
import hashlib
import json
import os
import platform
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Collection, Generator, Iterator, Sequence, Set
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import av
import cv2
import joblib
import numpy as np
import numpy.typing as npt

from data_prep.clip import Preparation, PreparedClip, make_detector, make_guide, prepare_clips
from data_prep.datasets import Video
from data_prep.errors import UserError, VideoError
from data_prep.faces.detection import FaceDetector
from data_prep.faces.tracks import FaceTrack
from data_prep.layouts.files import shown
from data_prep.pairs import NO_GUIDE, Guide, Original, read_guide, write_guide
from data_prep.store_format import MODALITIES, REAL, Quarantined
from data_prep.store_writer import is_store
from data_prep.text import one_line
from data_prep.video import Media
from data_prep.workers import follow_parent, on_cluster

_LOCK, _DONE = "lock", "done"

# What more room on the disk, or a larger share of it, would have prevented.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Part files of another format are not read; raise it when their content changes.
_PART_FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Task:
    """One video to prepare, and the part file its clips go to.

    Attributes:
        path: the video.
        part: its part file.
        preparation: how.
        decoder_threads: of the decoder.
        time_limit: seconds after which the video is given up.
        original: of a fake that is to be cropped as its original.
        guides: beginning of the names of guide files: the original's, or of a video that is the
            original of others its own.
    """

    path: Path
    part: Path
    preparation: Preparation
    decoder_threads: int
    time_limit: float
    original: Path | None = None
    guides: Path | None = None

    @property
    def mark(self) -> Path:
        """Exists while a worker is on it, and after the worker died; see :func:`_attempted`."""
        return self.part.with_suffix(".busy")

    def guide_file(self, positions: npt.NDArray[np.int64] | None) -> Path:
        """Where the guide of frames at ``positions`` is kept; of evenly spaced ones if None."""
        assert self.guides is not None
        which = "whole" if positions is None else _digest(positions.tolist())[:16]
        return self.guides.with_name(f"{self.guides.name}-{which}.guide.npz")


@contextlib.contextmanager
def parts_folder(store_path: Path) -> Iterator[Path]:
    """The folder for parts beside the store, locked against a second run.

    It outlives a run that fails as long as there is a finished clip in it.
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
        raise UserError(f"{shown(store_path)} cannot be written: {_why(error)}") from None


def _folder(store_path: Path) -> Path:
    return store_path.with_name(f"{store_path.name}.parts")


@contextlib.contextmanager
def _locked(folder: Path, store_path: Path) -> Iterator[int]:
    """Make the folder and hold its lock, a file that says who does; its handle."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = one_line(lock.read()) or "on this machine or another"
                raise UserError(
                    f"{shown(store_path)} is being prepared by another run, {holder}; wait for it "
                    "or stop it"
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
    """One line; HDF5 says in several what the number alone tells."""
    reason = os.strerror(error.errno) if error.errno else one_line(str(error))
    if error.errno in _NO_ROOM:
        return f"{reason}; clips finished so far are kept: make room, then repeat the command"
    return f"{reason}; clips finished so far are kept"


def remove_parts(folder: Path) -> None:
    """Remove what runs left in the folder, and the folder unless something else is in it."""
    with contextlib.suppress(OSError):
        mark_done(folder)
    _remove(folder, {".npz", ".busy", ".tmp"})
    (folder / _DONE).unlink(missing_ok=True)
    (folder / _LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def mark_done(folder: Path) -> None:
    """Say that the parts are of no use any more as soon as there is a store."""
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
    """A task for every video, by key, and the videos that are gone since they were listed.

    Originals come before their fakes, which then find their guides made.

    Args:
        videos: to prepare.
        folder: for the parts.
        preparation: how.
        decoder_threads: of one worker.
        time_limit: seconds for one video.
        paired: crop a fake as its original where the frames correspond.
    """
    identities: dict[Path, list[Any]] = {}
    lost = []
    for video in videos:
        try:
            identities[video.path] = _identity(video.path)
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            lost.append(Quarantined(str(video.path), "decode", reason))

    kept = [video for video in videos if video.path in identities]
    originals = {video.original for video in kept if paired and video.original in identities}
    version = [_PART_FORMAT, av.__version__, cv2.__version__, preparation.to_dict()]
    tasks: dict[str, Task] = {}
    for video in sorted(kept, key=lambda video: (video.label != REAL, video.key)):
        own = identities[video.path]
        original = video.original if video.original in originals else None
        pair = [own, identities[original]] if original else [own]
        part = folder / f"{_digest([version, pair])}.npz"
        guides = None
        if original or video.path in originals:
            guides = folder / _digest([version, pair[-1]])
        tasks[video.key] = Task(
            video.path, part, preparation, decoder_threads, time_limit, original, guides
        )
    _try_again(tasks.values())
    return tasks, lost


def _try_again(tasks: Collection[Task]) -> None:
    """Forget which videos an earlier run gave up, and what it made of fakes without them."""
    given_up = {task.path for task in tasks if _attempted(task)}
    for task in tasks:
        task.mark.unlink(missing_ok=True)
        if task.original in given_up:
            task.part.unlink(missing_ok=True)
            task.guide_file(None).unlink(missing_ok=True)


def _identity(path: Path) -> list[Any]:
    """What tells a file from another, and from itself after a change."""
    status = path.stat()
    return [os.fsencode(path).hex(), status.st_size, status.st_mtime_ns]


def _state(path: Path) -> list[Any] | None:
    try:
        return _identity(path)
    except OSError:
        return None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def run(
    tasks: Sequence[Task], jobs: int, cluster: str | None = None
) -> Generator[Quarantined | None]:
    """Do every task; None for a video made, else why it is left out, in the order of finishing.

    When a worker dies, the videos that were being worked on are done again one at a time: the
    one that kills its worker alone is quarantined, and the rest goes on in parallel.

    Args:
        tasks: to do.
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
            suspects = [task for task in waiting.values() if task.mark.exists()]
            for task in suspects or list(waiting.values())[:jobs]:
                del waiting[task.part]
                yield _alone(task)


def _alone(task: Task) -> Quarantined | None:
    try:
        (outcome,) = _in_workers([task], jobs=1)
    except BrokenProcessPool:
        return _given_up(task, _attempted(task) or _DIED)
    return outcome[1]


def _in_workers(tasks: Sequence[Task], jobs: int) -> Generator[tuple[Path, Quarantined | None]]:
    # joblib runs a single job in this process, which a crash would take down: hence at least
    # two workers, of which one is idle when one task is sent at a time.
    with joblib.parallel_config(
        backend="loky",
        inner_max_num_threads=1,
        initializer=follow_parent,
        initargs=(os.getpid(),),
    ):
        parallel = joblib.Parallel(
            n_jobs=max(2, jobs),
            pre_dispatch=1 if jobs == 1 else 2 * jobs,
            batch_size=1,
            return_as="generator_unordered",
        )
        outcomes = parallel(joblib.delayed(_work)(task) for task in tasks)
    try:
        # "yield from" would close the outcomes before the warning below is silenced.
        for part, failure in outcomes:  # noqa: UP028
            yield part, failure
    finally:
        with warnings.catch_warnings():
            # On an interrupt joblib warns of the tasks it drops; they are meant to be dropped.
            warnings.simplefilter("ignore")
            outcomes.close()


def _on_cluster(tasks: Sequence[Task], address: str) -> Generator[Quarantined | None]:
    """The same on a Dask cluster, whose workers see the same files under the same names."""
    by_part = {task.part: task for task in tasks}
    with contextlib.closing(on_cluster(address, _work, tasks)) as outcomes:
        for part, failure in outcomes:
            if failure is None and not part.exists():
                raise UserError(
                    f"a worker of {address} prepared {shown(by_part[part].path)} and its clip is "
                    "not there; workers must share the folder of the store with this machine"
                )
            yield failure


# In a worker.

# The time limit is of the process, so one video is worked on at a time even by worker threads.
_ONE_AT_A_TIME = threading.Lock()
_DIED = "the worker process died on it; it may need more memory than there is"
_TIMED_OUT = b"Timeout"
_ATTEMPT = b"+"


def _work(task: Task) -> tuple[Path, Quarantined | None]:
    """Prepare one video and write its part."""
    with _ONE_AT_A_TIME:
        if task.part.exists():
            return task.part, None
        reason = _attempted(task)
        if reason:
            return task.part, _given_up(task, reason)
        with task.mark.open("ab", buffering=0) as mark:
            mark.write(_ATTEMPT)
            # It needs no cooperation of what hangs: it ends the process, and the mark says why.
            faulthandler.dump_traceback_later(task.time_limit, exit=True, file=mark)
            try:
                failure = _prepare(task)
            finally:
                faulthandler.cancel_dump_traceback_later()
        task.mark.unlink(missing_ok=True)
        return task.part, failure


def _attempted(task: Task) -> str:
    """Why a video is given up that workers have tried before; empty where it is not.

    A worker adds a sign to the mark when it begins; the time limit adds that it has passed.
    """
    try:
        mark = task.mark.read_bytes()
    except FileNotFoundError:
        return ""
    if _TIMED_OUT in mark:
        return f"not prepared within {task.time_limit:g} s; pass --clip-timeout to allow more"
    return _DIED if mark.count(_ATTEMPT) > 1 else ""


def _given_up(task: Task, reason: str) -> Quarantined:
    """The entry of a video no longer tried, nor tried for its fakes."""
    if task.guides and not task.original:
        write_guide(task.guide_file(None), NO_GUIDE)
    return Quarantined(str(task.path), "decode", reason)


def _prepare(task: Task) -> Quarantined | None:
    cv2.setNumThreads(1)
    try:
        detector = _worker_detector(task.preparation)
        before = _state(task.path)
        clips = prepare_clips(
            task.path,
            task.preparation,
            detector,
            decoder_threads=task.decoder_threads,
            original=_original(task, detector) if task.original else None,
            as_guide=_keep(task) if task.guides and not task.original else None,
        )
        if _state(task.path) != before:
            raise VideoError("decode", "the file changed while it was prepared")
        _write_part(task.part, clips)
    except VideoError as error:
        return Quarantined(str(task.path), error.step, error.reason)
    except (OSError, UserError):
        # A full disk or a missing detector is no fault of the video: every other would follow.
        raise
    except Exception as error:
        return Quarantined(str(task.path), "write", one_line(repr(error))[:300])
    return None


@functools.lru_cache(maxsize=1)
def _worker_detector(preparation: Preparation) -> FaceDetector:
    return make_detector(preparation)


def _keep(task: Task) -> Callable[[Guide], None]:
    return functools.partial(write_guide, task.guide_file(None))


def _original(task: Task, detector: FaceDetector) -> Original:
    """The original of a task's fake, its guides kept for other fakes of it."""

    def guide(positions: npt.NDArray[np.int64] | None) -> Guide:
        path = task.guide_file(positions)
        found = read_guide(path)
        if found is None:
            found = _make_guide(task, detector, positions)
            write_guide(path, found)
        return found

    return Original(whole=guide(None), at=guide)


def _make_guide(
    task: Task, detector: FaceDetector, positions: npt.NDArray[np.int64] | None
) -> Guide:
    assert task.original is not None
    try:
        return make_guide(
            task.original,
            task.preparation,
            detector,
            decoder_threads=task.decoder_threads,
            positions=positions,
        )
    except VideoError:
        return NO_GUIDE


# Part files.


def _write_part(part: Path, clips: Sequence[PreparedClip]) -> None:
    # Workers on other machines can have the same process id.
    temporary = part.with_suffix(f".{secrets.token_hex(4)}.tmp")
    first = clips[0]
    try:
        with temporary.open("wb") as file:
            np.savez(
                file,
                clips=len(clips),
                indices=first.indices,
                times=first.times,
                sha256=first.sha256,
                guided=first.guided,
                media=json.dumps(dataclasses.asdict(first.media)),
                sound=-1 if first.sound is None else int(first.sound),
                **{
                    f"{name}_{number}": array
                    for number, clip in enumerate(clips)
                    for name, array in _arrays(clip).items()
                },
            )
        temporary.replace(part)
    finally:
        temporary.unlink(missing_ok=True)


def _arrays(clip: PreparedClip) -> dict[str, Any]:
    """What is each clip's own."""
    return {
        "frames": clip.frames,
        "boxes": clip.track.boxes,
        "landmarks": clip.track.landmarks,
        "scores": clip.track.scores,
        "coverage": clip.track.coverage,
        "shortcuts": json.dumps(clip.shortcuts),
        **clip.modalities,
    }


def read_part(part: Path) -> tuple[PreparedClip, ...]:
    """The clips a part file holds, the main face first.

    Raises:
        UserError: it was damaged since it was written or last looked at.
    """
    try:
        return _read_part(part)
    # What a damaged file makes the libraries raise is of many kinds.
    except Exception as error:
        raise UserError(
            f"{shown(part)} is damaged ({one_line(repr(error))[:200]}); repeat the command, which "
            "prepares its video again"
        ) from None


def _read_part(part: Path) -> tuple[PreparedClip, ...]:
    with np.load(part, allow_pickle=False) as values:
        sound = int(values["sound"])
        return tuple(
            PreparedClip(
                frames=values[f"frames_{number}"],
                indices=values["indices"],
                times=values["times"],
                track=FaceTrack(
                    values[f"boxes_{number}"],
                    values[f"landmarks_{number}"],
                    values[f"scores_{number}"],
                    float(values[f"coverage_{number}"]),
                ),
                sha256=str(values["sha256"]),
                media=Media(**json.loads(str(values["media"]))),
                guided=bool(values["guided"]),
                shortcuts=json.loads(str(values[f"shortcuts_{number}"])),
                modalities={
                    name: values[f"{name}_{number}"]
                    for name in MODALITIES
                    if f"{name}_{number}" in values
                },
                sound=None if sound < 0 else bool(sound),
            )
            for number in range(int(values["clips"]))
        )


def is_whole(part: Path) -> bool:
    """Whether a part left by an earlier run can be used; a damaged one is removed."""
    if not part.exists():
        return False
    try:
        read_part(part)
    except UserError:
        part.unlink()
        return False
    return True
