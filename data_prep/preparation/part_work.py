"""One video prepared in a worker process: its task, its mark, its time limit."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import functools
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError, VideoError
from data_prep.faces.detection import FaceDetector
from data_prep.preparation.clip import (
    Preparation,
    make_detector,
    make_guide,
    prepare_clips,
)
from data_prep.preparation.guides import NO_GUIDE, Guide, Original, read_guide, write_guide
from data_prep.preparation.part_files import write_part
from data_prep.preparation.still import repeat_still
from data_prep.store.format import Quarantined
from data_prep.text import one_line
from data_prep.video.frame_folders import find_frame_folder


@dataclasses.dataclass(frozen=True)
class Task:
    """One video to prepare, and the part file its clips go to.

    Attributes:
        path: the video.
        part: its part file.
        preparation: settings of the clip.
        decoder_threads: threads of the decoder.
        time_limit: seconds until the video is given up.
        original: original of a fake that is cropped like it.
        guides: beginning of the names of guide files of the original; an original has its own.
        label: 0 real, 1 fake; only for the mask.
        mask: mask of its manipulated pixels.
        still: whether it is a picture in a store of videos, to be repeated in every frame.
    """

    path: Path
    part: Path
    preparation: Preparation
    decoder_threads: int
    time_limit: float
    original: Path | None = None
    guides: Path | None = None
    label: int | None = None
    mask: Path | None = None
    still: bool = False

    @property
    def looked_at(self) -> Preparation:
        """Settings under which the file itself is read: a still has one frame and no motion."""
        if not self.still:
            return self.preparation
        moving = tuple(name for name in self.preparation.modalities if name != "flow")
        return dataclasses.replace(self.preparation, frames=1, modalities=moving)

    @property
    def mark(self) -> Path:
        """Mark of a started video, which remains if the worker dies.

        See :func:`check_attempts`.
        """
        return self.part.with_suffix(".busy")

    def guide_file(self, positions: npt.NDArray[np.int64] | None) -> Path:
        """Return the guide file of frames at ``positions``, of evenly spaced ones if None."""
        assert self.guides is not None
        which = "whole" if positions is None else digest(positions.tolist())[:16]
        return self.guides.with_name(f"{self.guides.name}-{which}.guide.npz")


def identity(path: Path) -> list[Any]:
    """Return values that identify a file, or a folder of frames, and its state.

    Raises:
        OSError: it cannot be read.
        VideoError: it is a folder without pictures, or lies in a damaged archive.
    """
    folder = find_frame_folder(path)
    if folder is not None:
        return [os.fsencode(path).hex(), *folder.state]
    status = path.stat()
    return [os.fsencode(path).hex(), status.st_size, status.st_mtime_ns]


def _state(path: Path) -> list[Any] | None:
    try:
        return identity(path)
    except (OSError, VideoError):
        return None


def digest(value: object) -> str:
    """Return the SHA-256, hexadecimal, of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


# The time limit is of the process, so one video is worked on at a time even by worker threads.
_ONE_AT_A_TIME = threading.Lock()
DIED = "the worker process died on this video; it may need more memory"
_TIMED_OUT = b"Timeout"
_ATTEMPT = b"+"


def work(task: Task) -> tuple[Path, Quarantined | None]:
    """Prepare one video and write its part."""
    with _ONE_AT_A_TIME:
        if task.part.exists():
            return task.part, None
        reason = check_attempts(task)
        if reason:
            return task.part, quarantine_task(task, reason)
        with task.mark.open("ab", buffering=0) as mark:
            mark.write(_ATTEMPT)
            failure = _prepare(task, mark)
        task.mark.unlink(missing_ok=True)
        return task.part, failure


def check_attempts(task: Task) -> str:
    """Return the reason to give up a video that workers have tried before, or "".

    A worker adds a sign to the mark when it begins; the time limit adds that it has passed.
    """
    try:
        mark = task.mark.read_bytes()
    except FileNotFoundError:
        return ""
    if _TIMED_OUT in mark:
        return f"not prepared within {task.time_limit:g} s; pass --clip-timeout to allow more"
    return DIED if mark.count(_ATTEMPT) > 1 else ""


def quarantine_task(task: Task, reason: str) -> Quarantined:
    """Return the quarantine entry of a video, and mark it as useless for its fakes."""
    if task.guides and not task.original:
        write_guide(task.guide_file(None), NO_GUIDE)
    return Quarantined(str(task.path), "decode", reason)


def _prepare(task: Task, mark: FileIO) -> Quarantined | None:
    cv2.setNumThreads(1)
    try:
        # Loaded once in a process, which is no part of the time a video takes.
        detector = _worker_detector(task.looked_at)
        with _limited(task.time_limit, mark):
            before = _state(task.path)
            clips = prepare_clips(
                task.path,
                task.looked_at,
                detector,
                decoder_threads=task.decoder_threads,
                original=_original(task, detector) if task.original else None,
                as_guide=_keep(task) if task.guides and not task.original else None,
                label=task.label,
                mask=task.mask,
            )
            if _state(task.path) != before:
                raise VideoError("decode", "the file changed while it was prepared")
            if task.still:
                clips = tuple(repeat_still(clip, task.preparation) for clip in clips)
            write_part(task.part, clips)
    except VideoError as error:
        return Quarantined(str(task.path), error.step, error.reason)
    except (OSError, UserError):
        # A full disk or a missing detector is no fault of the video: every other would follow.
        raise
    except Exception as error:
        return Quarantined(str(task.path), "write", one_line(repr(error))[:300])
    return None


@contextlib.contextmanager
def _limited(seconds: float, mark: FileIO) -> Iterator[None]:
    """End the process after a time, even if its code hangs. The mark holds the reason."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=mark)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


# One for videos and one for stills.
@functools.lru_cache(maxsize=2)
def _worker_detector(preparation: Preparation) -> FaceDetector:
    return make_detector(preparation)


def _keep(task: Task) -> Callable[[Guide], None]:
    return functools.partial(write_guide, task.guide_file(None))


def _original(task: Task, detector: FaceDetector) -> Original:
    """Return the original of a task's fake, its guides kept for other fakes of it."""

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
            task.looked_at,
            detector,
            decoder_threads=task.decoder_threads,
            positions=positions,
        )
    except VideoError:
        return NO_GUIDE
