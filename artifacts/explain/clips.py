"""Clips of a store with Grad-CAM heat maps of their fake scores, as pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from artifacts.explain.heat import Explainer
from artifacts.explain.localisation import manipulated_region, share_inside
from artifacts.explain.pictures import strip
from artifacts.models.inference import read_inputs
from data_prep.store.format import LABEL_NAMES
from data_prep.store.store import FAKE, Store
from spaces.streams.names import FRAMES

_BATCH = 8


@dataclasses.dataclass(frozen=True)
class ExplainedClip:
    """One clip of a store with the heat maps of its fake score.

    Attributes:
        key: key of the clip.
        label: 1 is fake.
        method: manipulation method, ``real`` for reals.
        probability: probability of fake.
        heated: Whether any region raised the fake score.
        png: frames in a row, and below each the same with its heat.
        inside: share of the heat on manipulated pixels; None if these are unknown or no region
            raised the score.
        area: share of the pixels that are manipulated; None if unknown.
    """

    key: str
    label: int
    method: str
    probability: float
    heated: bool
    png: bytes
    inside: float | None = None
    area: float | None = None

    @property
    def caption(self) -> str:
        """Label or method and fake probability in one line."""
        kind = self.method if self.label == FAKE else LABEL_NAMES[self.label]
        caption = f"{kind}, fake probability {self.probability:.2f}"
        if not self.heated:
            return f"{caption}; no region raised it"
        if self.inside is None:
            return caption
        return f"{caption}; {self.inside:.0%} of the heat on the {self.area:.0%} manipulated pixels"


def explain_clips(
    model: keras.Model, store: Store, rows: Sequence[int] | npt.NDArray[np.integer]
) -> list[ExplainedClip]:
    """Score clips of a store and draw them with their heat maps.

    Args:
        model: a detector, or several as one (:mod:`artifacts.models.ensemble`).
        store: store whose clips the model accepts.
        rows: rows of the clips, in the wanted order.
    """
    explainer = Explainer(model)
    wanted = np.asarray(rows, np.int64)
    found = []
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        arrays = read_inputs(model, store, batch)
        scores, heat = explainer.scored(arrays)
        for row, score, frames, of_clip in zip(batch, scores, arrays[FRAMES], heat, strict=True):
            region = manipulated_region(store, int(row))
            inside = None
            if region is not None and (of_clip > 0).any():
                inside = float(share_inside(of_clip[None], region[None])[0])
            found.append(
                ExplainedClip(
                    key=str(store.keys[row]),
                    label=int(store.labels[row]),
                    method=str(store.methods[row]),
                    probability=float(score),
                    heated=bool(of_clip.any()),
                    png=strip(frames, of_clip, times=store.clip_field("frame_times")[row]),
                    inside=inside,
                    area=None if region is None else float(region.mean()),
                )
            )
    return found
