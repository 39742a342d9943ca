"""Synthetic clips: a synthetic person filmed, or filmed with another's face swapped in.

Four marks that real manipulations leave can be switched on one by one. A mark that is off is
absent. A swap gives the target the shape of the donor's inner face. Colours, skin, light and noise
remain the target's. Shapes come from the same distribution for all people, so a fake without a mark
is indistinguishable from a real clip.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from data_prep.synthetic.motion import (
    Expression,
    Face,
    HeadMotion,
    View,
    head_coordinates,
    make_view,
)
from data_prep.synthetic.people import (
    FACE_CENTRE,
    FACE_RADII,
    FloatArray,
    Identity,
    Texture,
    face_radius,
    float_array,
    make_texture,
)

CUES = ("spatial", "temporal", "micro", "noise")
"""Every mark a synthetic fake can carry, in the order they are documented."""

_SEAMLESS = 9.0


@dataclass(frozen=True)
class Marks:
    """Marks of one fake; the defaults are a clean swap.

    Attributes:
        feather: width of the blending border in photo pixels; narrow shows (``spatial``).
        colour_shift: RGB offset of the pasted region in grey levels (``spatial``).
        contrast: contrast of the pasted region about its mean (``spatial``).
        resolution: the fraction the pasted region was scaled down by and up again (``spatial``).
        jitter: standard deviation of its position from frame to frame, photo pixels
            (``temporal``).
        zoom_jitter: the same of its scale, as a fraction (``temporal``).
        flicker: the same of its brightness, as a fraction (``temporal``).
        motion_kept: fraction of the facial motion that survives (``micro``).
        motion_smoothing: standard deviation of the temporal smoothing, frames (``micro``).
        noise_kept: fraction of the camera noise left in the pasted region (``noise``).
        foreign_noise: standard deviation of noise from elsewhere, grey levels (``noise``).
        foreign_grain: size of that noise's grain in output pixels (``noise``); coarser than that
            of the camera, since a pasted face has been scaled.
    """

    feather: float = _SEAMLESS
    colour_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    contrast: float = 1.0
    resolution: float = 1.0
    jitter: float = 0.0
    zoom_jitter: float = 0.0
    flicker: float = 0.0
    motion_kept: float = 1.0
    motion_smoothing: float = 0.0
    noise_kept: float = 1.0
    foreign_noise: float = 0.0
    foreign_grain: float = 0.0


@dataclass(frozen=True)
class Recording:
    """One filmed clip of one person: identity, motion and noise of the sensor.

    Attributes:
        identity: the person.
        head: the head pose.
        expression: the facial motion.
        noise_seed: seeds the camera noise.
    """

    identity: Identity
    head: HeadMotion
    expression: Expression
    noise_seed: int


def sample_marks(rng: np.random.Generator, cues: Collection[str]) -> Marks:
    """Draw how strongly one fake is marked.

    Every strength is drawn whichever ``cues`` are on, so switching one leaves the others alone.
    """
    direction = rng.standard_normal(3) + rng.choice([-1.0, 1.0])
    shift = direction / np.linalg.norm(direction) * rng.uniform(4, 10)
    foreign = bool(rng.integers(2))
    drawn: dict[str, dict[str, Any]] = {
        "spatial": {
            "feather": rng.uniform(1.5, 6.0),
            "colour_shift": tuple(float(value) for value in shift),
            "contrast": rng.uniform(0.9, 1.1),
            "resolution": rng.uniform(0.5, 0.85),
        },
        "temporal": {
            "jitter": rng.uniform(0.3, 0.9),
            "zoom_jitter": rng.uniform(0.003, 0.010),
            "flicker": rng.uniform(0.010, 0.028),
        },
        "micro": {
            "motion_kept": rng.uniform(0.0, 0.3),
            "motion_smoothing": rng.uniform(5.0, 9.0),
        },
        "noise": {
            "noise_kept": rng.uniform(0.0, 0.4),
            "foreign_noise": rng.uniform(2.5, 6.0) * foreign,
            "foreign_grain": rng.uniform(0.9, 1.6),
        },
    }
    chosen = {name: value for cue in CUES if cue in cues for name, value in drawn[cue].items()}
    return Marks(**chosen)


def render_real(recording: Recording, size: int) -> NDArray[np.uint8]:
    """Render the recording as filmed: uint8 (T, size, size, 3), RGB."""
    view = make_view(recording.identity, size)
    face = Face(make_texture(recording.identity), view)
    light, sensor = _Light(recording.identity, view), _Sensor(recording, size)
    frames = []
    for frame in range(len(recording.expression.blink)):
        at = head_coordinates(view, recording.head, frame)
        lit = light.fall_on(face.render(recording.expression, frame, *at), recording, frame)
        frames.append(_to_bytes(lit + sensor.noise()))
    return np.stack(frames)


def render_fake(
    recording: Recording, donor: Identity, marks: Marks, size: int, seed: int
) -> NDArray[np.uint8]:
    """Render the recording with the face of ``donor`` swapped in: uint8 (T, size, size, 3), RGB.

    The shape of the donor's inner face, in the target's skin, follows the target's head, outline,
    light and, unless marked otherwise, expression, colour and camera noise.

    Args:
        recording: the target.
        donor: person whose face the target wears.
        marks: marks that the swap leaves.
        size: side of a frame in pixels.
        seed: seeds the jitter and the foreign noise.
    """
    rng = np.random.default_rng(seed)
    view = make_view(recording.identity, size)
    target = make_texture(recording.identity)
    pasted = make_texture(recording.identity, worn=donor.geometry)
    face, swapped = Face(target, view), Face(_tinted(pasted, marks), view)
    performance = _dampen(recording.expression, marks)
    light, sensor = _Light(recording.identity, view), _Sensor(recording, size)
    frames = []
    for frame in range(len(recording.expression.blink)):
        x, y = head_coordinates(view, recording.head, frame)
        wobble = rng.standard_normal(4)
        zoom = np.float32(1 + marks.zoom_jitter * wobble[2])
        px = (x - FACE_CENTRE[0]) * zoom + np.float32(FACE_CENTRE[0] + marks.jitter * wobble[0])
        py = (y - FACE_CENTRE[1]) * zoom + np.float32(FACE_CENTRE[1] + marks.jitter * wobble[1])
        patch = swapped.render(performance, frame, px, py)
        patch = _resample(patch, marks.resolution) * np.float32(1 + marks.flicker * wobble[3])
        mask = paste_mask(px, py, marks.feather)
        scene = face.render(recording.expression, frame, x, y)
        scene += mask * (patch - scene)
        noise = sensor.noise() * (1 - mask * np.float32(1 - marks.noise_kept))
        if marks.foreign_noise:
            noise += mask * _foreign_noise(rng, size, marks)
        frames.append(_to_bytes(light.fall_on(scene, recording, frame) + noise))
    return np.stack(frames)


def paste_mask(x: FloatArray, y: FloatArray, feather: float) -> FloatArray:
    """Return the opacity (H, W, 1) of the pasted region at head positions in photo pixels."""
    t = np.clip((1 - face_radius(x, y)) * np.float32(min(FACE_RADII) / feather), 0, 1)
    return (t * t * (3 - 2 * t))[..., None].astype(np.float32)


class _Light:
    """The light of the place: a gain that falls off across the frame."""

    def __init__(self, identity: Identity, view: View) -> None:
        across = identity.light[0] * (view.x - FACE_CENTRE[0])
        down = identity.light[1] * (view.y - FACE_CENTRE[1])
        gain = identity.gain * (1 + (across + down) / 100)
        self._gain = np.clip(gain, 0.4, 1.6)[..., None].astype(np.float32)
        self._blur = identity.focus_blur / view.step

    def fall_on(self, scene: FloatArray, recording: Recording, frame: int) -> FloatArray:
        if self._blur > 0.2:
            scene = cv2.GaussianBlur(scene, (0, 0), self._blur)
        return np.clip(scene * self._gain * recording.head.exposure[frame], 0, 255)


class _Sensor:
    """The camera's noise: a fixed pattern and, frame by frame, a fresh one."""

    def __init__(self, recording: Recording, size: int) -> None:
        self._rng = np.random.default_rng(recording.noise_seed)
        self._shape = (size, size)
        self._strength = np.float32(recording.identity.noise)
        pattern = self._rng.standard_normal((*self._shape, 1), dtype=np.float32)
        self._pattern = pattern * np.float32(recording.identity.fixed_pattern)

    def noise(self) -> FloatArray:
        """Return the noise of the next frame, float32 (size, size, 3) in grey levels."""
        grey = self._rng.standard_normal((*self._shape, 1), dtype=np.float32)
        # A sensor measures each colour at fewer places than brightness.
        height, width = self._shape
        coarse = self._rng.standard_normal((height // 2, width // 2, 3), dtype=np.float32)
        colour = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        mixed = grey * np.float32(0.95) + colour * np.float32(0.55)
        return mixed * self._strength + self._pattern


def _foreign_noise(rng: np.random.Generator, size: int, marks: Marks) -> FloatArray:
    coarse = cv2.GaussianBlur(
        rng.standard_normal((size, size), dtype=np.float32), (0, 0), marks.foreign_grain
    )
    return coarse[..., None] * np.float32(marks.foreign_noise / coarse.std())


def _tinted(pasted: Texture, marks: Marks) -> Texture:
    """Mark the colours of the pasted face: contrast about its mean, and an offset."""
    mean = pasted.image[_skin_sample(pasted)].mean(axis=(0, 1))
    offset = mean + np.asarray(marks.colour_shift, np.float32)
    image = (pasted.image - mean) * np.float32(marks.contrast) + offset
    return replace(pasted, image=image.astype(np.float32))


def _skin_sample(texture: Texture) -> tuple[slice, slice]:
    """Return the cheeks and nose of a texture: skin in every shape of the face."""
    (left, top), (right, _), (_, mouth) = *texture.eyes, texture.mouth
    columns, rows = texture.to_texels(float_array([left, right]), float_array([top + 9, mouth - 9]))
    return slice(*rows.astype(int)), slice(*columns.astype(int))


def _dampen(expression: Expression, marks: Marks) -> Expression:
    """Smooth and weaken facial motion about its mean."""
    if marks.motion_kept == 1.0 and marks.motion_smoothing == 0.0:
        return expression

    def still(curve: FloatArray) -> FloatArray:
        rest = np.median(curve, axis=0)
        smooth = gaussian_filter1d(curve, marks.motion_smoothing, axis=0, mode="nearest")
        return (rest + (smooth - rest) * marks.motion_kept).astype(np.float32)

    return Expression(still(expression.blink), still(expression.mouth), still(expression.micro))


def _resample(image: FloatArray, fraction: float) -> FloatArray:
    if fraction == 1.0:
        return image
    side = image.shape[0]
    small = cv2.resize(image, None, fx=fraction, fy=fraction, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)


def _to_bytes(image: FloatArray) -> NDArray[np.uint8]:
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
