"""Clips prepared in worker processes, each kept in a part file until the store is written.

A part is written under a temporary name and renamed, so it is there whole or not at all: what a
killed run had finished is not done again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import warnings
import zipfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import joblib
import numpy as np

from data_prep.clip import FaceDetector, Preparation, PreparedClip, make_detector, prepare_clip
from data_prep.datasets import Video
from data_prep.errors import UserError, VideoError
from data_prep.faces import FaceTrack
from data_prep.store import Quarantined
from data_prep.text import one_line
from data_prep.workers import follow_parent

# Part files of another format are not read; raise it when their content changes.
_PART_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Task:
    """One video to prepare, and the part file its clip goes to."""

    path: Path
    part: Path
    preparation: Preparation
    decoder_threads: int

    @property
    def mark(self) -> Path:
        """Exists while a worker is on it, and after the worker died."""
        return self.part.with_suffix(".busy")


@contextlib.contextmanager
def parts_folder(store_path: Path) -> Iterator[Path]:
    """The folder for parts beside the store, locked against a second run.

    It outlives a run that fails as long as there is a finished clip in it.
    """
    folder = store_path.with_name(f"{store_path.name}.parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{store_path} is being prepared by another run") from None
            try:
                yield folder
            finally:
                if folder.exists() and not any(folder.glob("*.npz")):
                    remove_parts(folder)
    except OSError as error:
        raise UserError(
            f"{store_path} cannot be written: {error}; clips finished so far are kept"
        ) from None


def remove_parts(folder: Path) -> None:
    """Remove what runs left in the folder, and the folder unless something else is in it."""
    for path in folder.iterdir():
        if path.suffix in {".npz", ".busy", ".tmp"} or path.name == "lock":
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def plan(
    videos: Sequence[Video], folder: Path, preparation: Preparation, decoder_threads: int
) -> tuple[dict[str, Task], list[Quarantined]]:
    """A task for every video, by key, and the videos that are gone since they were listed."""
    tasks, lost = {}, []
    for video in videos:
        try:
            status = video.path.stat()
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            lost.append(Quarantined(str(video.path), "decode", reason))
            continue
        identity = [
            _PART_FORMAT,
            cv2.__version__,
            preparation.to_dict(),
            os.fsencode(video.path).hex(),
            status.st_size,
            status.st_mtime_ns,
        ]
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        part = folder / f"{digest}.npz"
        tasks[video.key] = Task(video.path, part, preparation, decoder_threads)
        tasks[video.key].mark.unlink(missing_ok=True)
    return tasks, lost


def run(tasks: Sequence[Task], jobs: int) -> Generator[Quarantined | None]:
    """Do every task; None for a clip made, else why there is none, in the order of finishing.

    When a worker dies, the videos that were being worked on are done again one at a time: the
    one that kills its worker alone is quarantined, and the rest goes on in parallel.
    """
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
        reason = "the worker process died on it; it may need more memory than there is"
        return Quarantined(str(task.path), "decode", reason)
    return outcome[1]


def _in_workers(tasks: Sequence[Task], jobs: int) -> Generator[tuple[Path, Quarantined | None]]:
    # joblib runs a single job in this process, which a crash would take down: hence at least
    # two workers, of which one is idle when one task is sent at a time.
    with joblib.parallel_config(
        backend="loky",
        inner_max_num_threads=1,
        initializer=_start_worker,
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


def _start_worker(parent: int) -> None:
    cv2.setNumThreads(1)
    follow_parent(parent)


def _work(task: Task) -> tuple[Path, Quarantined | None]:
    """In a worker: prepare one video and write its part."""
    if task.part.exists():
        return task.part, None
    task.mark.touch()
    try:
        detector = _worker_detector(task.preparation)
        clip = prepare_clip(
            task.path, task.preparation, detector, decoder_threads=task.decoder_threads
        )
        _write_part(task.part, clip)
    except VideoError as error:
        return task.part, Quarantined(str(task.path), error.step, error.reason)
    except (OSError, UserError):
        # A full disk or a missing detector is no fault of the video: every other would follow.
        raise
    except Exception as error:
        return task.part, Quarantined(str(task.path), "write", one_line(repr(error))[:300])
    finally:
        task.mark.unlink(missing_ok=True)
    return task.part, None


@functools.lru_cache(maxsize=1)
def _worker_detector(preparation: Preparation) -> FaceDetector:
    return make_detector(preparation)


def _write_part(part: Path, clip: PreparedClip) -> None:
    temporary = part.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(
                file,
                frames=clip.frames,
                indices=clip.indices,
                times=clip.times,
                boxes=clip.track.boxes,
                landmarks=clip.track.landmarks,
                scores=clip.track.scores,
                coverage=clip.track.coverage,
                sha256=clip.sha256,
            )
        temporary.replace(part)
    finally:
        temporary.unlink(missing_ok=True)


def read_part(part: Path) -> PreparedClip:
    """The clip a part file holds."""
    with np.load(part, allow_pickle=False) as values:
        face = FaceTrack(
            values["boxes"], values["landmarks"], values["scores"], float(values["coverage"])
        )
        return PreparedClip(
            values["frames"], values["indices"], values["times"], face, str(values["sha256"])
        )


def is_whole(part: Path) -> bool:
    """Whether a part left by an earlier run can be used; a damaged one is removed."""
    if not part.exists():
        return False
    try:
        read_part(part)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        part.unlink()
        return False
    return True
