"""The parts of a preparation that its caller sees: execution, progress and summary."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from data_prep.preparation.copies import Copies
from data_prep.store.format import Quarantined

TIME_LIMIT = 600.0

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
