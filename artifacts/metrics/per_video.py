"""Scores of videos, averaged from the scores of their clips."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from artifacts.metrics.averaging import average

# Other faces of a video are separate clips, see data_prep.preparation.prepare.
_FACE = re.compile(r"#face\d+$")


@dataclasses.dataclass(frozen=True)
class ScoredClips:
    """Clips, or videos, with their scores; arrays of (N,).

    Attributes:
        labels: 1 is fake.
        probabilities: Fake probability.
        groups: Identity group.
        methods: Manipulation method.
        coverage: Share of the sampled frames in which the face was found.
        kinds: Other properties by name: quality, codec.
    """

    labels: npt.NDArray[np.integer]
    probabilities: npt.NDArray[np.float64]
    groups: npt.NDArray[np.str_]
    methods: npt.NDArray[np.str_]
    coverage: npt.NDArray[np.float64]
    kinds: Mapping[str, npt.NDArray[np.str_]] = dataclasses.field(default_factory=dict)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> ScoredClips:
        """Return the clips of some rows."""
        return ScoredClips(
            self.labels[rows],
            self.probabilities[rows],
            self.groups[rows],
            self.methods[rows],
            self.coverage[rows],
            {name: values[rows] for name, values in self.kinds.items()},
        )


def video_names(
    keys: npt.NDArray[np.str_], paths: npt.NDArray[np.str_] | None = None
) -> npt.NDArray[np.str_]:
    """Return data set / method / quality / name of each clip's video, (N,).

    Args:
        keys: (N,) keys of the clips; those of other faces end in ``#face2`` and so on.
        paths: (N,) source files, if known: the name of a file may itself end in ``#face2``.
    """
    names = [_FACE.sub("", key) for key in keys.tolist()]
    if paths is not None:
        path_of = dict(zip(keys.tolist(), paths.tolist(), strict=True))
        names = [
            key if path_of.get(name, path) != path else name
            for key, name, path in zip(keys.tolist(), names, paths.tolist(), strict=True)
        ]
    return np.array(names, np.str_)


def average_by_video(clips: ScoredClips, videos: npt.NDArray[np.str_]) -> ScoredClips:
    """Return one score a video: the mean logit of its clips; coverage is their mean.

    A video with one clip keeps the exact score of that clip.

    Args:
        clips: N scored clips.
        videos: (N,) name of each clip's video.
    """
    _, first, video, counts = np.unique(
        videos, return_index=True, return_inverse=True, return_counts=True
    )
    kept = clips.select(first)
    scores, coverage = kept.probabilities.copy(), kept.coverage.copy()
    for at in np.flatnonzero(counts > 1):
        rows = video == at
        scores[at] = average(clips.probabilities[rows])
        coverage[at] = clips.coverage[rows].mean()
    joined = dataclasses.replace(kept, probabilities=scores, coverage=coverage)
    in_order: npt.NDArray[np.int64] = np.argsort(first)
    return joined.select(in_order)
