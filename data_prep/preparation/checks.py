"""Checks of a preparation before it starts, and of its clips before they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import joblib

from data_prep.datasets import Video
from data_prep.errors import UserError
from data_prep.layouts.files import quote
from data_prep.preparation import parts
from data_prep.sources.combined import CombinedIndex
from data_prep.sources.source import Sources
from data_prep.splits import splits
from data_prep.splits.by_source import SOURCES
from data_prep.store.format import LABEL_NAMES, LABELLED, REAL, SHARD_INDEX, SPLITS, Quarantined
from data_prep.store.writer import is_unfinished
from data_prep.text import one_line

# A day; the watchdog that keeps the limit cannot count to any number.
_LONGEST = 86_400


def resolve_jobs(jobs: int) -> int:
    """Return the number of worker processes; -1 is one a core."""
    if jobs == -1:
        return int(joblib.cpu_count())
    if jobs < 1:
        raise UserError(f"jobs must be at least 1, or -1 for one per core; received {jobs}")
    return jobs


def check_limits(time_limit: float, shard_clips: int | None) -> None:
    """Refuse a time limit or a size of shards that cannot be kept."""
    if not 0 < time_limit <= _LONGEST:
        raise UserError(
            f"the time limit of a video must be above 0 and at most {_LONGEST} seconds; "
            f"received {time_limit}"
        )
    if shard_clips is not None and shard_clips < 1:
        raise UserError(f"a shard must hold at least 1 clip; received {shard_clips}")


def check_store_path(path: Path, overwrite: bool, shard_clips: int | None) -> None:
    """Refuse a place where no store can be written, or where one would be replaced unasked."""
    if path.is_dir() and shard_clips is None:
        if (path / SHARD_INDEX).is_file():
            raise UserError(f"{path} holds a store of shards; pass --shard-clips to replace it")
        raise UserError(f"{path} is a folder; name the store file to write, such as store.h5")
    if path.suffix.casefold() == ".toml":
        raise UserError(f"{path} has the ending of a configuration; name a store such as store.h5")
    if path.is_file() and shard_clips is not None:
        raise UserError(f"{path} is a file; name the folder for the shards, such as store")
    if path.is_dir() and not (path / SHARD_INDEX).is_file():
        if any(path.iterdir()) and not is_unfinished(path):
            raise UserError(f"{path} is a folder with other files; name a new folder")
        return
    if path.exists() and not overwrite:
        parts.remove_done(path)
        raise UserError(f"{path} exists; pass --overwrite to replace it")


def check_labels(found: CombinedIndex, sources: Sources) -> None:
    """Refuse sources without labelled videos, or without videos of both labels.

    One label is enough if the user names it for every source.
    """
    labelled = [source for source in sources.sources if source.role == LABELLED]
    videos = [video for video in found.videos if video.role == LABELLED]
    if not videos:
        raise UserError("every source is real-only; add one with labelled videos")
    if all(source.label is not None for source in labelled):
        return
    reals = sum(video.label == REAL for video in videos)
    fakes = len(videos) - reals
    if not reals or not fakes:
        one = len(sources.sources) == 1
        where = str(sources.sources[0].path) if one else f"the {len(sources.sources)} sources"
        layouts = ", ".join(sorted(set(found.layouts.values())))
        refused = ""
        if found.problems:
            first = found.problems[0]
            count = f"{len(found.problems)} files or rows were refused, the first"
            refused = f"; {count}: {quote(first.path)}: {first.reason}"
        raise UserError(
            f"{where} {'needs' if one else 'need'} real and fake videos; found {reals} real and "
            f"{fakes} fake (read as {layouts}){refused}; for a source of one label, pass --label "
            "real or fake"
        )


def check_usable(
    wanted: Sequence[Video],
    usable: Sequence[Video],
    planned: splits.Assignment,
    quarantine: Sequence[Quarantined],
) -> None:
    """Check that every label, and every official split, has usable clips."""
    wanted = [video for video in wanted if video.role == LABELLED]
    labels = {label: LABEL_NAMES[label] for label in sorted({video.label for video in wanted})}
    for label, name in labels.items():
        if not any(video.label == label for video in usable):
            raise UserError(f"no usable {name} clip: {_lost(wanted, label, quarantine)}")
    if planned.policy in (splits.IDENTITY, SOURCES):
        return
    kept = {video.key for video in usable}
    for split in sorted(set(planned.splits.values()), key=SPLITS.index):
        for label, name in labels.items():
            of_split = [video for video in wanted if planned.splits[video.key] == split]
            if not any(video.label == label and video.key in kept for video in of_split):
                raise UserError(
                    f"no usable {name} clip in the {split} split ({planned.policy}): "
                    f"{_lost(of_split, label, quarantine)}; add videos of that split, or pass "
                    f"--split-policy {splits.IDENTITY}"
                )


def _lost(videos: Sequence[Video], label: int, quarantine: Sequence[Quarantined]) -> str:
    paths = {str(video.path) for video in videos if video.label == label}
    entries = [entry for entry in quarantine if entry.path in paths]
    name = LABEL_NAMES[label]
    if not entries:
        return f"there is no {name} video"
    example = f"{one_line(Path(entries[0].path).name)} ({entries[0].reason})"
    return f"{len(entries)} of {len(paths)} {name} videos were quarantined, e.g. {example}"
