"""Fakes whose face a GAN has made: walks through its latent space laid over real clips.

Free of TensorFlow: the walks are pictures, made once by :mod:`search.gan_walks`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.modalities import with_grey

Frames = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]

# Eyes, nose and mouth corners in a crop of side 1, where faces lie in the middle: a GAN that
# learned from such crops has them there.
FACE_POINTS = np.array(
    [[0.37, 0.41], [0.63, 0.41], [0.50, 0.56], [0.40, 0.69], [0.60, 0.69]], np.float32
)

_SIZE = (0.85, 1.1)
_FEATHER = (0.03, 0.07)
_DETAIL = (0.5, 1.5)


def gan_fake(
    frames: Frames,
    points: npt.NDArray[np.floating] | None,
    walk: npt.NDArray[np.uint8] | Reals,
    rng: np.random.Generator,
) -> tuple[Frames, Reals]:
    """Lay generated faces over the face of a real clip.

    The generated face follows the real one's points from frame to frame. Its colours take the mean
    and the deviation of those that it covers, over all frames at once, so that the light stays
    steady. A generated face is small and so without detail: the finest structure of the real one
    is laid over it, weakened or strengthened, so that sharpness does not give the fake away. What
    is drawn - size of the ellipse, width of its border, detail - holds for the whole clip.

    Args:
        frames: of the real clip, uint8 (T, S, S, 4).
        points: eyes, nose, mouth corners in crop pixels, (T, 5, 2); where they are ``None`` or not
            finite, the face is taken to be in the middle of the crop.
        walk: generated faces, 0..255, (T, h, w, 3).
        rng: where everything is drawn from.

    Returns:
        The fake, uint8 (T, S, S, 4), and what of it is generated, float32 (T, S, S) in 0..1.

    Raises:
        ValueError: the walk has not one face a frame.
    """
    if len(walk) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many faces. Received: {len(walk)}")
    size, side = frames.shape[1], walk.shape[1]
    real = frames[..., :3].astype(np.float32)
    drawn = _ellipse(side, rng.uniform(*_SIZE), rng.uniform(*_FEATHER))
    made, mask = np.empty_like(real), np.empty(frames.shape[:3], np.float32)
    for frame, move in enumerate(_moves(_placed(points, len(frames), size), side)):
        face = np.ascontiguousarray(walk[frame], np.float32)
        cv2.warpAffine(
            face,
            move,
            (size, size),
            dst=made[frame],
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        cv2.warpAffine(drawn, move, (size, size), dst=mask[frame], flags=cv2.INTER_LINEAR)
    made = _coloured_as(made, real, mask) + rng.uniform(*_DETAIL) * _detail(real, size / side)
    blended = real + mask[..., None] * (made - real)
    return with_grey(np.clip(np.rint(blended), 0, 255).astype(np.uint8)), mask


def _placed(points: npt.NDArray[np.floating] | None, count: int, size: int) -> Reals:
    """Points of every frame, those of a face in the middle where there are none."""
    placed = np.tile(FACE_POINTS * (size - 1), (count, 1, 1))
    if points is not None:
        known = np.isfinite(points).all(axis=(1, 2))
        placed[known] = points[known]
    return placed


def _moves(points: Reals, side: int) -> npt.NDArray[np.float64]:
    """The turn, scale and shift from a generated face to each frame: (T, 2, 3).

    Least squares over the points; a plane is complex numbers, where a turn and a scale are one
    factor.
    """
    here = (FACE_POINTS * (side - 1)) @ np.array([1, 1j])
    there = points @ np.array([1, 1j])
    centred = here - here.mean()
    factor = (there @ centred.conj()) / np.square(np.abs(centred)).sum()
    shift = there.mean(axis=1) - factor * here.mean()
    a, b = factor.real, factor.imag
    return np.stack(
        [np.stack([a, -b, shift.real], axis=1), np.stack([b, a, shift.imag], axis=1)], axis=1
    )


def _ellipse(side: int, size: float, feather: float) -> Reals:
    """The inner face of a generated one, soft at its border: float32 (side, side) in 0..1."""
    eyes, mouth = FACE_POINTS[:2].mean(axis=0), FACE_POINTS[3:].mean(axis=0)
    apart = float(FACE_POINTS[1, 0] - FACE_POINTS[0, 0])
    centre = (eyes + 1.15 * (mouth - eyes) / 2) * (side - 1)
    axes = np.array([1.0, 1.3]) * apart * size * side
    # Sixteenths of a pixel, since a small face has few of them.
    canvas = np.zeros((side, side), np.float32)
    cv2.ellipse(
        canvas,
        tuple(map(int, np.rint(centre * 16))),
        tuple(map(int, np.rint(axes * 16))),
        0,
        0,
        360,
        1.0,
        -1,
        cv2.LINE_8,
        4,
    )
    blurred = cv2.GaussianBlur(canvas, (0, 0), feather * side)
    return np.asarray(blurred, np.float32)


def _coloured_as(made: Reals, real: Reals, mask: Reals) -> Reals:
    """Colours with the mean and the deviation of the real ones under the mask, by channel."""
    weights = mask[..., None] / max(float(mask.sum()), 1e-6)
    moments = []
    for colours in (made, real):
        mean = (weights * colours).sum(axis=(0, 1, 2))
        variance = (weights * np.square(colours - mean)).sum(axis=(0, 1, 2))
        moments.append((mean, np.sqrt(variance)))
    (mean, deviation), (wanted, spread) = moments
    matched = (made - mean) * (spread / np.maximum(deviation, 1.0)) + wanted
    return np.asarray(matched, np.float32)


def _detail(real: Reals, scale: float) -> Reals:
    """What is finer than a pixel of the generated face."""
    return real - np.stack([cv2.GaussianBlur(frame, (0, 0), max(0.5, scale / 2)) for frame in real])
