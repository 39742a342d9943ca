"""Synthetic people: one public-domain portrait, reshaped, recoloured and set in motion.

Everything is drawn from the astronaut photograph that ships with scikit-image (NASA, public
domain). Positions are in pixels of that photograph ("photo pixels") unless said otherwise, so
nothing here depends on the size of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d
from skimage import data

FloatArray = NDArray[np.float32]

EYES = ((204.0, 102.0), (247.0, 102.0))
BROWS = ((203.0, 89.0), (248.0, 89.0))
NOSE = (225.0, 122.0)
MOUTH = (225.0, 146.0)
MOUTH_CORNERS = ((206.0, 142.0), (243.0, 142.0))
CHEEKS = ((196.0, 128.0), (254.0, 128.0))
FACE_CENTRE = (225.5, 126.0)

MICRO_MOTIONS = 12
"""Independent small facial motions: brows and cheeks in y, mouth corners in x and y, gaze."""

_MIRROR_AXIS = 225.5
_TEXTURE_ORIGIN = (75.0, 0.0)
_TEXTURE_EXTENT = 302
_TEXTURE_SCALE = 1.5


@dataclass(frozen=True)
class Geometry:
    """How a face deviates from the photograph: shifts in photo pixels, widths as fractions.

    The first block shapes the inner face, which a face swap transfers; the second shapes the
    outline, which it does not.
    """

    eye_distance: float = 0.0
    eye_size: float = 0.0
    brow_height: float = 0.0
    nose_width: float = 0.0
    nose_height: float = 0.0
    mouth_width: float = 0.0
    mouth_height: float = 0.0
    lip_fullness: float = 0.0
    smile: float = 0.0

    face_width: float = 0.0
    face_length: float = 0.0
    jaw_width: float = 0.0
    hair_volume: float = 0.0

    def wearing(self, inner: Geometry) -> Geometry:
        """This outline with the inner face of ``inner``: the geometry of a face swap."""
        outline = {name: getattr(self, name) for name in _OUTLINE}
        return Geometry(**{**vars(inner), **outline})


_OUTLINE = ("face_width", "face_length", "jaw_width", "hair_volume")


@dataclass(frozen=True)
class Identity:
    """One synthetic person and the camera and place they are filmed with.

    Gains are per RGB channel. ``skin_detail`` seeds the pores and freckles; ``noise`` is the
    standard deviation of the camera noise and ``fixed_pattern`` that of its constant part, in
    grey levels; ``window`` is the side of the filmed square and ``centre`` its middle, in photo
    pixels; ``light`` is the gain change per 100 photo pixels along x and y.
    """

    geometry: Geometry
    mirrored: bool
    skin_gain: tuple[float, ...]
    hair_gain: tuple[float, ...]
    suit_gain: tuple[float, ...]
    backdrop: tuple[tuple[float, ...], ...]
    skin_detail: int
    detail_strength: float
    light: tuple[float, float]
    gain: float
    focus_blur: float
    noise: float
    fixed_pattern: float
    window: float
    centre: tuple[float, float]


@dataclass(frozen=True)
class HeadMotion:
    """Head pose, frame by frame; every array is float32 with first length T.

    ``shift`` (T, 2) in photo pixels, ``angle`` in radians, ``scale`` as a factor, ``turn``
    (T, 2) is the pseudo-yaw and pitch in photo pixels at the nose, ``shake`` (T, 2) the camera's
    own motion in photo pixels, ``exposure`` a gain.
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
class Texture:
    """A recoloured, reshaped portrait and where its features ended up.

    ``image`` is float32 RGB in grey levels, (453, 453, 3), at 1.5 texels a photo pixel.
    """

    image: FloatArray
    eyes: tuple[tuple[float, float], ...]
    mouth: tuple[float, float]

    def to_texels(self, x: float, y: float) -> tuple[int, int]:
        """Column and row of ``image`` at a photo position."""
        column = (x - _TEXTURE_ORIGIN[0]) * _TEXTURE_SCALE
        return round(column), round((y - _TEXTURE_ORIGIN[1]) * _TEXTURE_SCALE)


@dataclass(frozen=True)
class View:
    """What the camera sees: the photo position of every output pixel.

    ``x`` and ``y`` are float32 (size, size); ``step`` is photo pixels per output pixel.
    """

    x: FloatArray
    y: FloatArray
    step: float
    head: FloatArray = field(repr=False)

    def to_pixels(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Output pixel coordinates of photo positions."""
        return (x - self.x[0, 0]) / self.step, (y - self.y[0, 0]) / self.step


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draw a person. Every draw happens in a fixed order, so a seed names a person."""
    spread = {
        "eye_distance": 2.6, "eye_size": 0.16, "brow_height": 2.2, "nose_width": 0.16,
        "nose_height": 2.2, "mouth_width": 0.14, "mouth_height": 2.2, "lip_fullness": 0.18,
        "smile": 1.8, "face_width": 0.06, "face_length": 0.07, "jaw_width": 0.07,
        "hair_volume": 0.10,
    }  # fmt: skip
    geometry = Geometry(**{f.name: _bounded(rng, spread[f.name]) for f in fields(Geometry)})
    darkness = rng.uniform(0.0, 1.0) ** 1.4
    skin = np.array([1.03, 1.0, 0.98]) * (1 - darkness * np.array([0.46, 0.54, 0.58]))
    skin *= rng.uniform(0.96, 1.04, 3)
    hair = rng.uniform(0.3, 1.15) * (1 + rng.uniform(-1, 1) * np.array([0.18, 0.02, -0.22]))
    suit = rng.uniform(0.25, 1.1, 3)
    hair *= 1 - 0.55 * darkness
    colours = rng.uniform(0.35, 1.15) + rng.uniform(-0.18, 0.18, (4, 3))
    return Identity(
        geometry=geometry,
        mirrored=bool(rng.integers(2)),
        skin_gain=_floats(skin),
        hair_gain=_floats(hair),
        suit_gain=_floats(suit),
        backdrop=tuple(_floats(colour) for colour in colours),
        skin_detail=int(rng.integers(2**31)),
        detail_strength=float(rng.uniform(2.5, 6.0)),
        light=(_bounded(rng, 0.11), _bounded(rng, 0.07)),
        gain=float(rng.uniform(0.84, 1.1)),
        focus_blur=float(rng.uniform(0.0, 1.1)),
        noise=float(rng.uniform(2.0, 6.0)),
        fixed_pattern=float(rng.uniform(0.5, 1.2)),
        window=float(rng.uniform(196, 228)),
        centre=(226 + float(rng.uniform(-7, 7)), 122 + float(rng.uniform(-5, 5))),
    )


def sample_head_motion(rng: np.random.Generator, frames: int) -> HeadMotion:
    """Draw the head pose of a clip of ``frames`` frames."""
    calm = rng.uniform(0.6, 1.3)
    drift = smooth_walk(rng, frames, 7, 7.0) * np.float32(calm)
    shake = smooth_walk(rng, frames, 2, 1.5) * np.float32(rng.uniform(0.05, 0.25))
    exposure = 1 + smooth_walk(rng, frames, 1, 2.0)[:, 0] * np.float32(0.004)
    return HeadMotion(
        shift=drift[:, :2] * _array([3.0, 2.2]),
        angle=drift[:, 2] * np.float32(0.035),
        scale=1 + drift[:, 3] * np.float32(0.012),
        turn=drift[:, 4:6] * _array([3.2, 2.2]),
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
    """Smooth random curves (frames, count) of unit variance; ``sigma`` in frames."""
    pad = int(4 * sigma) + 1
    white = rng.standard_normal((frames + 2 * pad, count))
    smooth = gaussian_filter1d(white, sigma, axis=0, mode="constant")[pad : pad + frames]
    return (smooth * np.sqrt(2 * sigma * np.sqrt(np.pi))).astype(np.float32)


def make_view(identity: Identity, size: int) -> View:
    """The camera position of ``identity`` for clips of ``size`` x ``size`` pixels."""
    step = identity.window / size
    offsets = ((np.arange(size) + 0.5) * step - identity.window / 2).astype(np.float32)
    x, y = np.meshgrid(offsets + identity.centre[0], offsets + identity.centre[1])
    # The head moves, the backdrop and the shoulders do not: pose fades out between them.
    head = _fade(np.hypot((x - 226) / 105, (y - 98) / 105), 0.72, 1.12)
    return View(x=x, y=y, step=step, head=head)


def make_texture(identity: Identity, geometry: Geometry | None = None) -> Texture:
    """Paint ``identity``, with another ``geometry`` where one is given."""
    geometry = identity.geometry if geometry is None else geometry
    side = int(_TEXTURE_EXTENT * _TEXTURE_SCALE)
    grid = (np.arange(side) / _TEXTURE_SCALE).astype(np.float32)
    x, y = np.meshgrid(grid + _TEXTURE_ORIGIN[0], grid + _TEXTURE_ORIGIN[1])
    dx, dy = _shape_displacement(geometry, x, y)
    painted = _paint(identity)
    image = cv2.remap(painted, x - dx, y - dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return Texture(
        image=image,
        eyes=tuple(_moved(geometry, *eye) for eye in EYES),
        mouth=_moved(geometry, *MOUTH),
    )


def head_coordinates(view: View, motion: HeadMotion, frame: int) -> tuple[FloatArray, FloatArray]:
    """Where on the still head each output pixel of a frame looks, x and y in photo pixels."""
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
        self._micro = _micro_fields(view)
        self._lids = sum(_lid_shift(view.x - ex, view.y - ey) for ex, ey in texture.eyes)
        mx, my = texture.mouth
        self._below_lip = view.y - np.float32(my + 4)
        self._mouth_width = np.clip(1 - ((view.x - mx) / 19) ** 2, 0, 1) * _fade(
            self._below_lip, 16, 46
        )

    def render(
        self, expression: Expression, frame: int, head_x: FloatArray, head_y: FloatArray
    ) -> FloatArray:
        """One frame, float32 (size, size, 3) RGB in grey levels, without light or noise."""
        shift = np.tensordot(self._micro, expression.micro[frame], axes=1)
        shift[..., 1] += expression.blink[frame] * self._lids
        opening = expression.mouth[frame] * self._mouth_width
        shift[..., 1] += np.clip(self._below_lip, 0, opening)
        gap = _fade(np.abs(self._below_lip - opening / 2) / np.maximum(opening / 2, 0.1), 0.6, 1.1)
        gap = gap * np.clip(opening - 0.4, 0, 1)
        at = self.view.to_pixels(head_x, head_y)
        still = np.dstack([shift, gap]).astype(np.float32)
        moved = cv2.remap(still, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image = cv2.remap(
            self.texture.image,
            (head_x - moved[..., 0] - np.float32(_TEXTURE_ORIGIN[0])) * np.float32(_TEXTURE_SCALE),
            (head_y - moved[..., 1] - np.float32(_TEXTURE_ORIGIN[1])) * np.float32(_TEXTURE_SCALE),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        dark = moved[..., 2:] * np.float32(0.85)
        return image * (1 - dark) + dark * _array([52, 22, 22])


def _micro_fields(view: View) -> FloatArray:
    """The displacement of each small motion, float32 (size, size, 2, MICRO_MOTIONS)."""
    spots = (
        [(place, 1, 10.0) for place in (*BROWS, *CHEEKS)]
        + [(place, axis, 9.0) for place in MOUTH_CORNERS for axis in (0, 1)]
        + [(place, axis, 4.5) for place in EYES for axis in (0, 1)]
    )
    basis = np.zeros((*view.x.shape, 2, MICRO_MOTIONS), np.float32)
    for index, ((cx, cy), axis, width) in enumerate(spots):
        basis[..., axis, index] = _bump(view.x, view.y, cx, cy, width, width)
    return basis


def _lid_shift(x: FloatArray, y: FloatArray) -> FloatArray:
    """How far a closed lid has come down, for positions relative to the eye."""
    # Never steeper than 1 from the brow down, or the brow would be drawn twice.
    height = np.clip(np.minimum((y + 10) / 7.5, (9.5 - y) / 6.5), 0, 1)
    return np.float32(5.5) * height * _fade(np.abs(x), 7.5, 14)


def _shape_displacement(g: Geometry, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far each position of the reshaped face lies from its origin in the photograph."""
    dx = np.zeros_like(x)
    dy = np.zeros_like(y)
    for side, (ex, ey) in zip((-1, 1), EYES, strict=True):
        near = _bump(x, y, ex, ey, 15, 13)
        lens = g.eye_size * _bump(x, y, ex, ey, 11, 8)
        dx += side * g.eye_distance * near + lens * (x - ex)
        dy += lens * (y - ey)
    for bx, by in BROWS:
        dy += g.brow_height * _bump(x, y, bx, by, 16, 7)
    dx += g.nose_width * _bump(x, y, NOSE[0], NOSE[1] + 4, 13, 11) * (x - NOSE[0])
    dy += g.nose_height * _bump(x, y, NOSE[0], NOSE[1] + 4, 15, 10)
    lips = _bump(x, y, MOUTH[0], MOUTH[1], 27, 11)
    dx += g.mouth_width * lips * (x - MOUTH[0])
    dy += g.mouth_height * lips + g.lip_fullness * lips * (y - MOUTH[1])
    for cx, cy in MOUTH_CORNERS:
        dy -= g.smile * _bump(x, y, cx, cy, 9, 8)
    axis = _MIRROR_AXIS
    dx += g.face_width * _bump(x, y, axis, 115, 75, 80) * (x - axis)
    dx += g.jaw_width * _bump(x, y, axis, 165, 48, 28) * (x - axis)
    dy += g.face_length * _bump(x, y, axis, 150, 60, 50) * (y - 110)
    hair = g.hair_volume * (1 - _bump(x, y, axis, 125, 50, 60)) * _bump(x, y, axis, 70, 90, 60)
    dx += hair * (x - axis)
    dy += hair * (y - 100)
    return dx, dy


def _moved(geometry: Geometry, x: float, y: float) -> tuple[float, float]:
    """Where a feature of the photograph lies on the reshaped face."""
    px, py = _array([x]), _array([y])
    for _ in range(4):
        dx, dy = _shape_displacement(geometry, px, py)
        px, py = x + dx, y + dy
    return float(px[0]), float(py[0])


def _paint(identity: Identity) -> FloatArray:
    """The photograph with the person's colours and backdrop, float32 RGB in grey levels."""
    photo, skin, hair, suit, subject = _photograph()
    gains = (
        (skin, identity.skin_gain), (hair, identity.hair_gain), (suit, identity.suit_gain)
    )  # fmt: skip
    painted = photo.copy()
    for mask, gain in gains:
        painted *= 1 + mask[..., None] * (_array(gain) - 1)
    rng = np.random.default_rng(identity.skin_detail)
    pores = rng.standard_normal((2, *skin.shape)).astype(np.float32)
    grain = cv2.GaussianBlur(pores[0], (0, 0), 0.7) * 2.5 + cv2.GaussianBlur(
        pores[1], (0, 0), 2.5
    ) * np.float32(4)
    painted *= 1 + (skin * grain)[..., None] * np.float32(identity.detail_strength / 255)
    corners = _array(identity.backdrop).reshape(2, 2, 3)
    backdrop = cv2.resize(corners, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    shade = cv2.resize(pores[1, ::64, ::64], photo.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    backdrop *= 1 + shade[..., None] * np.float32(0.04)
    painted *= 1 + (1 - subject[..., None]) * (backdrop - 1)
    if identity.mirrored:
        axis = round(2 * _MIRROR_AXIS)
        painted[:, : axis + 1] = painted[:, axis::-1].copy()
    return np.clip(painted, 0, 255)


@lru_cache(maxsize=1)
def _photograph() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """The photograph (float32 RGB) and its masks: skin, hair, suit, whole subject."""
    photo = data.astronaut().astype(np.float32)
    lab = cv2.GaussianBlur(cv2.cvtColor(photo / 255, cv2.COLOR_RGB2LAB), (0, 0), 1.0)
    light, red, yellow = (lab[..., channel] for channel in range(3))
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    around_head = _fade(np.hypot((x - 228) / 88, (y - 88) / 98), 0.86, 1.0)
    head = np.maximum(_above(yellow, 8.5, 0.8), _above(52 - light, 0, 2.5)) * around_head
    filled = cv2.morphologyEx(head, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    head = np.maximum(head, filled * _fade(np.hypot((x - 225) / 48, (y - 125) / 62), 0.8, 1.0))
    oval = _fade(np.hypot((x - 224.5) / 52, (y - 124) / 62), 0.88, 1.0)
    inner = _fade(np.hypot((x - 224.5) / 38, (y - 138) / 52), 0.8, 1.0)
    neck = _fade(np.hypot((x - 222) / 40, (y - 182) / 15), 0.8, 1.0)
    ears = sum(_fade(np.hypot((x - ex) / 13, (y - 124) / 18), 0.7, 1.0) for ex in (177, 272))
    bare = _above(red + 0.15 * (light - 60), 4.5, 1.5)
    bare = np.maximum(bare * np.maximum(oval, np.clip(ears, 0, 1)), inner * _above(y, 96, 2))
    bare = np.maximum(bare * head, neck * _above(light, 25, 5) * _above(yellow, 8.5, 1.5))
    bare = cv2.GaussianBlur(bare, (0, 0), 0.8)
    eyes = sum(_fade(np.hypot((x - ex) / 10, (y - ey) / 5), 0.6, 1.0) for ex, ey in EYES)
    teeth = _fade(np.hypot((x - 224) / 16, (y - 145) / 5), 0.6, 1.0)
    hair = head * (1 - bare) * (1 - inner) * _above(150 - y, 0, 6)
    skin = bare * (1 - eyes) * (1 - teeth)
    suit = _above(red, 22, 3) * _above(y, 190, 5)
    return photo, skin, hair, suit, np.maximum(head, suit)


def _bump(
    x: FloatArray, y: FloatArray, cx: float, cy: float, width: float, height: float
) -> FloatArray:
    """A Gaussian hill of height 1; ``width`` and ``height`` are its standard deviations."""
    return np.exp(-0.5 * (((x - cx) / width) ** 2 + ((y - cy) / height) ** 2))


def _fade(distance: FloatArray, inner: float, outer: float) -> FloatArray:
    """1 below ``inner``, 0 above ``outer``, smooth between."""
    t = np.clip((outer - distance) / (outer - inner), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _above(values: FloatArray, threshold: float, softness: float) -> FloatArray:
    return 1 - _fade(values, threshold - softness, threshold + softness)


def _bounded(rng: np.random.Generator, spread: float) -> float:
    """A normal draw of standard deviation ``spread / 1.5``, cut at ``spread`` x 1.2."""
    return float(np.clip(rng.normal(0, spread / 1.5), -1.2 * spread, 1.2 * spread))


def _array(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float32)


def _floats(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
