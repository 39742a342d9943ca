"""The clip of a picture in a store of videos."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.preparation.clip import Preparation, PreparedClip
from data_prep.video import flow
from data_prep.video.picture_hashes import hash_clip


def repeat_still(clip: PreparedClip, preparation: Preparation) -> PreparedClip:
    """Return the clip of a picture as one of equal frames, so that it fits beside videos.

    Args:
        clip: clip of one frame, made without flow.
        preparation: settings of the store; its modality ``flow`` is added.
    """
    count = preparation.frames

    def repeated(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.repeat(array, count, axis=0)

    frames = repeated(clip.frames)
    arrays = {name: repeated(array) for name, array in clip.modalities.items()}
    if "flow" in preparation.modalities:
        arrays["flow"] = np.repeat(flow.flow_and_strain(frames[:2]), count - 1, axis=0)
    track = dataclasses.replace(
        clip.track,
        boxes=repeated(clip.track.boxes),
        landmarks=repeated(clip.track.landmarks),
        scores=repeated(clip.track.scores),
    )
    return dataclasses.replace(
        clip,
        frames=frames,
        indices=repeated(clip.indices),
        times=repeated(clip.times),
        track=track,
        modalities=arrays,
        hashes=hash_clip(frames),
    )
