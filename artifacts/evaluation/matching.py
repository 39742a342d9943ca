"""Matched pairs: a fake and its original, made equally sharp.

Most manipulations blur a face, so the variance of its Laplacian alone detects many fakes. Matched
pairs remove that difference and show the other cues of a detector.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from artifacts.metrics.ranking import find_originals
from data_prep.errors import UserError
from data_prep.preparation.shortcuts import measure, sharpness
from data_prep.store.clip_reader import ClipReader
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.grey import with_grey
from data_prep.video.video import Media

PIXEL_QUANTITIES = (
    "sharpness",
    "noise",
    "brightness",
    "contrast",
    "red_green",
    "blue_green",
)
"""Quantities of :data:`data_prep.preparation.shortcuts.QUANTITIES` that a blur may change."""

TOLERANCE = 0.02
"""Largest relative difference between the Laplacian variances of a matched pair."""

_CLOSE_ENOUGH = 0.002
_STEPS = 40
# Shares of a frame's side: first guess and largest deviation of the blur.
_FIRST, _LARGEST = 0.005, 0.5

Frames = npt.NDArray[np.uint8]


def blur(frames: Frames, sigma: float) -> Frames:
    """Blur every frame with a Gaussian of ``sigma`` pixels; grey is recomputed from colour."""
    if sigma <= 0:
        return frames.copy()
    # A kernel this wide changes smoothly with sigma.
    side = 2 * max(2, math.ceil(4 * sigma)) + 1
    colour = np.stack(
        [
            cv2.GaussianBlur(frame, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
            for frame in frames[..., :3].astype(np.float32)
        ]
    )
    return with_grey(np.rint(colour).clip(0, 255).astype(np.uint8))


def equalise_sharpness(first: Frames, second: Frames) -> tuple[Frames, Frames]:
    """Blur the sharper of two clips to the sharpness of the other.

    All frames of a clip get the same Gaussian; bisection finds its deviation. If the other clip is
    flat, the result is the closest that a blur can reach.

    Args:
        first: uint8 (T, S, S, 4).
        second: uint8 (T, S, S, 4).

    Returns:
        Both clips, in the order given.
    """
    mine, other = sharpness(first), sharpness(second)
    if mine > other:
        return _blurred_to(first, other), second
    return first, _blurred_to(second, mine)


def _blurred_to(frames: Frames, wanted: float) -> Frames:
    best, distance = frames, _apart(sharpness(frames), wanted)
    low, high = 0.0, _FIRST * frames.shape[1]
    largest = _LARGEST * frames.shape[1]
    while sharpness(blur(frames, high)) > wanted and high < largest:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        if distance <= _CLOSE_ENOUGH:
            break
        middle = (low + high) / 2
        trial = blur(frames, middle)
        found = sharpness(trial)
        if _apart(found, wanted) < distance:
            best, distance = trial, _apart(found, wanted)
        low, high = (middle, high) if found > wanted else (low, middle)
    return best


def _apart(found: float, wanted: float) -> float:
    """Return the relative difference of two variances; infinite if one is zero."""
    if found == wanted:
        return 0.0
    low, high = sorted((found, wanted))
    return math.inf if low <= 0 else high / low - 1


def write_matched(store: Store, rows: npt.NDArray[np.integer], path: Path) -> int:
    """Write a store of matched pairs: every fake among the rows with its original.

    A real occurs once for each of its fakes, blurred for that fake. Quantities of pixels are
    measured again; those of files, landmarks and other modalities stay.

    Args:
        store: Store of the clips.
        rows: Rows of the clips.
        path: Path of the new store.

    Returns:
        Number of pairs.

    Raises:
        UserError: The rows hold no pair, or one cannot be made equally sharp.
    """
    pairs = pairs_among(store, rows)
    preparation = store.preparation | {"matched": "sharpness"}
    write_store(path, _matched_clips(store, pairs), [], preparation)
    return len(pairs)


def pairs_among(store: Store, rows: npt.NDArray[np.integer]) -> list[tuple[int, int]]:
    """Return the rows of each fake and of its original, both among the rows.

    Raises:
        UserError: There is no such pair.
    """
    positions = find_originals(store.keys[rows], store.crop_sources[rows])
    fakes = np.flatnonzero(positions >= 0)
    if not len(fakes):
        raise UserError(
            f"{store.path} has no fake together with its original in these clips, so there are no "
            "pairs to match; prepare originals and fakes together"
        )
    return [(int(rows[fake]), int(rows[positions[fake]])) for fake in fakes]


def match_pair(fake: Clip, real: Clip) -> tuple[Clip, Clip] | None:
    """Return both clips equally sharp and measured again; None if one is almost flat."""
    fake_frames, real_frames = equalise_sharpness(fake.frames, real.frames)
    if _apart(sharpness(fake_frames), sharpness(real_frames)) > TOLERANCE:
        return None
    return _with_frames(fake, fake_frames), _with_frames(real, real_frames)


def _matched_clips(store: Store, pairs: list[tuple[int, int]]) -> Iterator[Clip]:
    read = ClipReader(store)
    for number, (fake_row, real_row) in enumerate(pairs):
        matched = match_pair(read(fake_row), read(real_row))
        if matched is None:
            raise UserError(
                f"{store.keys[fake_row]} and {store.keys[real_row]} cannot be made equally sharp: "
                "one of them is flat or nearly so; leave them out"
            )
        fake, real = matched
        real_key = f"{real.key}#matched{number + 1}"
        yield dataclasses.replace(fake, crop_source=real_key)
        yield dataclasses.replace(real, key=real_key)


def _with_frames(clip: Clip, frames: Frames) -> Clip:
    """Return the clip with other frames, and its pixel quantities measured on them."""
    shortcuts = dict(clip.shortcuts)
    if shortcuts:
        media = Media(**clip.media)  # type: ignore[arg-type]
        found = measure(frames, clip.boxes, clip.landmarks, media)
        shortcuts |= {name: found[name] for name in PIXEL_QUANTITIES if name in shortcuts}
    return dataclasses.replace(clip, frames=frames, shortcuts=shortcuts)
