"""Motion of a synthetic person, and the drawing of one frame.

Positions and shifts are in photo pixels, as in ``synthetic_people``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from data_prep.synthetic.people import (
    BROWS,
    CHEEKS,
    EYES,
    MOUTH_CORNERS,
    NOSE,
    FloatArray,
    Identity,
    Texture,
    bump,
    fade,
    float_array,
)

# Where the small facial motions are felt and how far around.
_DOWN = tuple(
    [(at, 10.0) for at in (*BROWS, *CHEEKS)]
    + [(at, 9.0) for at in MOUTH_CORNERS]
    + [(at, 4.5) for at in EYES]
)
_ACROSS = tuple([(at, 9.0) for at in MOUTH_CORNERS] + [(at, 4.5) for at in EYES])
MICRO_MOTIONS = len(_DOWN) + len(_ACROSS)
"""Small facial motions: brows, cheeks, mouth corners and gaze in y, the last two also in x."""


@dataclass(frozen=True)
class HeadMotion:
    """Head pose, frame by frame; every array is float32 with first length T.

    ``shift`` (T, 2) is in photo pixels, ``angle`` in radians; ``scale`` is a factor. ``turn`` (T,
    2) is the pseudo-yaw and pitch in photo pixels at the nose. ``shake`` (T, 2) is the camera's own
    motion in photo pixels, ``exposure`` a gain.
    """

    shift: FloatArray
    angle: FloatArray
    scale: FloatArray
    turn: FloatArray
    shake: FloatArray
    exposure: FloatArray


@dataclass(frozen=True)
class Expression:
    """Facial motion, frame by frame; every array is float32 with first length T.

    ``blink`` in [0, 1], ``mouth`` the opening in photo pixels, ``micro`` (T, MICRO_MOTIONS) the
    small motions in photo pixels.
    """

    blink: FloatArray
    mouth: FloatArray
    micro: FloatArray


@dataclass(frozen=True)
class View:
    """View of the camera: the photo position of every output pixel.

    ``x`` and ``y`` are float32 (size, size); ``step`` is photo pixels per output pixel.
    """

    x: FloatArray
    y: FloatArray
    step: float
    head: FloatArray = field(repr=False)

    def to_pixels(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the output pixel coordinates of photo positions."""
        return (x - self.x[0, 0]) / self.step, (y - self.y[0, 0]) / self.step


def sample_head_motion(rng: np.random.Generator, frames: int) -> HeadMotion:
    """Draw the head pose of a clip of ``frames`` frames."""
    calm = rng.uniform(0.6, 1.3)
    drift = smooth_walk(rng, frames, 7, 7.0) * np.float32(calm)
    shake = smooth_walk(rng, frames, 2, 1.5) * np.float32(rng.uniform(0.05, 0.25))
    exposure = 1 + smooth_walk(rng, frames, 1, 2.0)[:, 0] * np.float32(0.004)
    return HeadMotion(
        shift=drift[:, :2] * float_array([3.0, 2.2]),
        angle=drift[:, 2] * np.float32(0.035),
        scale=1 + drift[:, 3] * np.float32(0.012),
        turn=drift[:, 4:6] * float_array([3.2, 2.2]),
        shake=shake,
        exposure=exposure,
    )


def sample_expression(rng: np.random.Generator, frames: int) -> Expression:
    """Draw the facial motion of a clip: at least one blink, a talking mouth, micro motion."""
    time = np.arange(frames, dtype=np.float32)
    blink = np.zeros(frames, np.float32)
    for start in range(0, max(frames, 1), 24):
        centre = start + rng.uniform(0.15, 0.85) * min(24, frames)
        blink += np.exp(-(((time - centre) / rng.uniform(1.3, 1.9)) ** 4)).astype(np.float32)
    talk = smooth_walk(rng, frames, 1, rng.uniform(1.3, 2.2))[:, 0]
    mouth = np.clip(talk + np.float32(0.35), 0, 2.2) * np.float32(rng.uniform(2.2, 3.6))
    slow = smooth_walk(rng, frames, MICRO_MOTIONS, 4.0)
    fast = smooth_walk(rng, frames, MICRO_MOTIONS, 1.2)
    micro = (slow * np.float32(0.8) + fast * np.float32(0.45)) * np.float32(rng.uniform(0.8, 1.2))
    return Expression(blink=np.clip(blink, 0, 1), mouth=mouth, micro=micro)


def smooth_walk(rng: np.random.Generator, frames: int, count: int, sigma: float) -> FloatArray:
    """Return smooth random curves (frames, count) of unit variance; ``sigma`` in frames."""
    pad = int(4 * sigma) + 1
    white = rng.standard_normal((frames + 2 * pad, count))
    smooth = gaussian_filter1d(white, sigma, axis=0, mode="constant")[pad : pad + frames]
    return (smooth * np.sqrt(2 * sigma * np.sqrt(np.pi))).astype(np.float32)


def make_view(identity: Identity, size: int) -> View:
    """Return the camera position of ``identity`` for clips of ``size`` x ``size`` pixels."""
    step = identity.window / size
    offsets = ((np.arange(size) + 0.5) * step - identity.window / 2).astype(np.float32)
    x, y = np.meshgrid(offsets + identity.centre[0], offsets + identity.centre[1])
    # The head moves, the backdrop and the shoulders do not: pose fades out between them.
    head = fade(np.hypot((x - 226) / 105, (y - 98) / 105), 0.72, 1.12)
    return View(x=x, y=y, step=step, head=head)


def head_coordinates(view: View, motion: HeadMotion, frame: int) -> tuple[FloatArray, FloatArray]:
    """Return the position on the still head of each output pixel, x and y in photo pixels."""
    x = view.x - motion.shake[frame, 0]
    y = view.y - motion.shake[frame, 1]
    cx, cy = 226.0, 150.0
    cos, sin = np.cos(motion.angle[frame]), np.sin(motion.angle[frame])
    rx = x - cx - motion.shift[frame, 0]
    ry = y - cy - motion.shift[frame, 1]
    hx = (cos * rx + sin * ry) / motion.scale[frame] + cx
    hy = (cos * ry - sin * rx) / motion.scale[frame] + cy
    depth = np.exp(-(((hx - NOSE[0]) / 42) ** 2) - ((hy - NOSE[1]) / 50) ** 2)
    hx = hx - motion.turn[frame, 0] * depth
    hy = hy - motion.turn[frame, 1] * depth
    return x + view.head * (hx - x), y + view.head * (hy - y)


class Face:
    """A textured head that can be rendered with any expression and pose in one view.

    Args:
        texture: the person.
        view: the camera.
    """

    def __init__(self, texture: Texture, view: View) -> None:
        self.texture = texture
        self.view = view
        self._down = np.stack([bump(view.x, view.y, *at, width, width) for at, width in _DOWN])
        self._across = np.stack([bump(view.x, view.y, *at, width, width) for at, width in _ACROSS])
        self._lids = sum(_lid_shift(view.x - ex, view.y - ey) for ex, ey in texture.eyes)
        mx, my = texture.mouth
        self._below_lip = view.y - np.float32(my + 4)
        self._mouth_width = np.clip(1 - ((view.x - mx) / 19) ** 2, 0, 1) * fade(
            self._below_lip, 16, 46
        )

    def render(
        self, expression: Expression, frame: int, head_x: FloatArray, head_y: FloatArray
    ) -> FloatArray:
        """Render one frame, float32 (size, size, 3) RGB in grey levels, without light or noise."""
        down, across = np.split(expression.micro[frame], [len(_DOWN)])
        dx = np.tensordot(across, self._across, axes=1)
        dy = np.tensordot(down, self._down, axes=1)
        dy += expression.blink[frame] * self._lids
        opening = expression.mouth[frame] * self._mouth_width
        dy += np.clip(self._below_lip, 0, opening)
        gap = fade(np.abs(self._below_lip - opening / 2) / np.maximum(opening / 2, 0.1), 0.6, 1.1)
        gap = gap * np.clip(opening - 0.4, 0, 1)
        at = self.view.to_pixels(head_x, head_y)
        still = cv2.merge([dx, dy, gap])
        moved = cv2.remap(still, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image = cv2.remap(
            self.texture.image,
            *self.texture.to_texels(head_x - moved[..., 0], head_y - moved[..., 1]),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        dark = moved[..., 2:] * np.float32(0.85)
        return image * (1 - dark) + dark * float_array([52, 22, 22])


def _lid_shift(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the shift of a closed lid at positions relative to the eye."""
    # Never steeper than 1 from the brow down, or the brow would be drawn twice.
    height = np.clip(np.minimum((y + 10) / 7.5, (9.5 - y) / 6.5), 0, 1)
    return np.float32(5.5) * height * fade(np.abs(x), 7.5, 14)
