"""Clips in the form in which a store is written, in the order of their keys."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from data_prep.layouts.layout import Video
from data_prep.preparation import part_files
from data_prep.preparation.job import ClipCount, Report
from data_prep.preparation.part_work import Task
from data_prep.splits.splits import Assignment
from data_prep.store.clip_reader import ClipReader
from data_prep.store.format import LABEL_NAMES, SPLITS, Clip
from data_prep.store.store import Store
from data_prep.text import printable
from data_prep.video.picture_hashes import Hashes


def iterate_clips(
    videos: Sequence[Video],
    tasks: Mapping[str, Task],
    final: Assignment,
    report: Report,
    earlier: Store | None = None,
) -> Iterator[Clip]:
    """Yield the clips in key order, one video at a time, from the earlier store or their parts.

    Args:
        videos: videos to store.
        tasks: tasks of the prepared videos by key; the others are in the earlier store.
        final: groups and splits.
        report: callback with (videos written, videos to write).
        earlier: store whose clips are kept.
    """
    keys = {video.path: video.key for video in videos}
    stored = _StoredClips(earlier) if earlier is not None else None
    for written, video in enumerate(sorted(videos, key=lambda video: video.key)):
        report(written, len(videos))
        if video.key not in tasks:
            assert stored is not None
            yield from stored.clips(video, final)
            continue
        yield from _prepared_clips(video, tasks[video.key], final, keys)
    report(len(videos), len(videos))


def _prepared_clips(
    video: Video, task: Task, final: Assignment, keys: Mapping[Path, str]
) -> Iterator[Clip]:
    """Yield the clips of one video from its part."""
    for number, clip in enumerate(part_files.read_part(task.part), 1):
        yield Clip(
            key=name_face(video.key, number),
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
            crop_source=name_face(_original(task, keys), number) if clip.guided else "",
            media=dataclasses.asdict(clip.media),
            shortcuts=clip.shortcuts,
            modalities=clip.modalities,
            sound=clip.sound,
            attributes=video.attributes,
            spans=video.spans,
            source=video.source,
            role=video.role,
            weight=video.weight,
            still=task.still,
            identities=video.identities,
            hashes=clip.hashes,
        )


class _StoredClips:
    """Clips of an earlier store by the video they belong to."""

    def __init__(self, store: Store) -> None:
        self._read = ClipReader(store)
        self._rows: dict[str, list[int]] = collections.defaultdict(list)
        for row, key in enumerate(store.keys.tolist()):
            self._rows[video_key(key)].append(row)

    def clips(self, video: Video, final: Assignment) -> Iterator[Clip]:
        """Yield the clips of one video, with the method, people and group that it has by now."""
        for row in self._rows[video.key]:
            yield dataclasses.replace(
                self._read(row),
                method=video.method,
                group=final.groups[video.key],
                split=final.splits[video.key],
                identities=video.identities,
            )


def find_hashes(store: Store) -> dict[str, Hashes]:
    """Return the perceptual hashes of main faces by the key of the video; none if not stored."""
    if store.hashes is None:
        return {}
    return {
        key: store.hashes[row]
        for row, key in enumerate(store.keys.tolist())
        if video_key(key) == key
    }


def name_face(video: str, number: int) -> str:
    """Return the key of a face of a video; the main face has the key of the video."""
    return video if number == 1 else f"{video}{_FACE}{number}"


def video_key(clip: str) -> str:
    """Return the key of the video of a clip."""
    video, mark, number = clip.rpartition(_FACE)
    return video if mark and number.isdigit() else clip


_FACE = "#face"


def _original(task: Task, keys: Mapping[Path, str]) -> str:
    """Return the key of the original, or its path if it has no clip."""
    assert task.original is not None
    return keys.get(task.original, printable(str(task.original)))


class Tally:
    """Counts of clips for the summary, made while they are written."""

    def __init__(self) -> None:
        self.clips = 0
        self.coverage = 0.0
        self.silent = 0
        self._guided: set[str] = set()
        self._counts: collections.Counter[tuple[int, int, str]] = collections.Counter()

    def counted(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """Yield the clips, counting each."""
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
        """Return the clips by split, label and method."""
        return tuple(
            ClipCount(SPLITS[split], LABEL_NAMES[label], method, clips)
            for (split, label, method), clips in sorted(self._counts.items())
        )
