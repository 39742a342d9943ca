"""Synthetic people: one public-domain portrait, reshaped and recoloured.

Everything is drawn from the astronaut photograph that ships with scikit-image (NASA, public
domain). Positions are in pixels of that photograph ("photo pixels") unless stated otherwise, so
nothing here depends on the size of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage import data

FloatArray = NDArray[np.float32]

EYES = ((204.0, 102.0), (247.0, 102.0))
BROWS = ((203.0, 89.0), (248.0, 89.0))
NOSE = (225.0, 122.0)
MOUTH = (225.0, 146.0)
MOUTH_CORNERS = ((206.0, 142.0), (243.0, 142.0))
CHEEKS = ((196.0, 128.0), (254.0, 128.0))
FACE_CENTRE = (225.5, 126.0)
FACE_RADII = (41.0, 48.0)
"""Half width and half height of the inner face, which a face swap transfers."""

_MIRROR_AXIS = 225.5
_TEXTURE_ORIGIN = (75.0, 0.0)
_TEXTURE_EXTENT = 302
_TEXTURE_SCALE = 1.5


@dataclass(frozen=True)
class Geometry:
    """Deviation of a face from the photograph: shifts in photo pixels, widths as fractions.

    The first block shapes the inner face, which a face swap transfers. The second block shapes the
    outline, which it does not transfer.
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
        """Return this outline with the inner face of ``inner``: the geometry of a face swap."""
        outline = {name: getattr(self, name) for name in _OUTLINE}
        return Geometry(**{**vars(inner), **outline})


_OUTLINE = ("face_width", "face_length", "jaw_width", "hair_volume")

# Where the shape of a swapped face gives way to that of the face it lies on, in radii of the face.
_SWAPPED_SHAPE = (0.55, 0.85)


@dataclass(frozen=True)
class Identity:
    """One synthetic person and the camera and place they are filmed with.

    Gains are per RGB channel. ``skin_detail`` seeds the pores and freckles. ``noise`` is the
    standard deviation of the camera noise and ``fixed_pattern`` that of its constant part, in grey
    levels. ``window`` is the side of the filmed square and ``centre`` its middle, in photo pixels.
    ``light`` is the gain change per 100 photo pixels along x and y.
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
class Texture:
    """A recoloured, reshaped portrait and where its features ended up.

    ``image`` is float32 RGB in grey levels, (453, 453, 3), at 1.5 texels a photo pixel.
    """

    image: FloatArray
    eyes: tuple[tuple[float, float], ...]
    mouth: tuple[float, float]

    def to_texels(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the columns and rows of ``image`` at photo positions."""
        column = (x - np.float32(_TEXTURE_ORIGIN[0])) * np.float32(_TEXTURE_SCALE)
        row = (y - np.float32(_TEXTURE_ORIGIN[1])) * np.float32(_TEXTURE_SCALE)
        return column, row


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


def make_texture(identity: Identity, worn: Geometry | None = None) -> Texture:
    """Paint ``identity``, with the inner face of the shape ``worn`` where one is given.

    A worn face gives way to the wearer's own before :func:`face_radius` is 1, so that the two
    agree where one is pasted over the other.
    """
    shape = _Shape(identity.geometry, worn)
    side = int(_TEXTURE_EXTENT * _TEXTURE_SCALE)
    grid = (np.arange(side) / _TEXTURE_SCALE).astype(np.float32)
    x, y = np.meshgrid(grid + _TEXTURE_ORIGIN[0], grid + _TEXTURE_ORIGIN[1])
    dx, dy = shape.displacement(x, y)
    painted = _paint(identity)
    image = cv2.remap(painted, x - dx, y - dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return Texture(
        image=image, eyes=tuple(shape.moved(*eye) for eye in EYES), mouth=shape.moved(*MOUTH)
    )


def face_radius(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the radius of positions in the face: 0 at its centre, 1 at a swapped face's edge.

    The face is squarer than an ellipse, so the outer corners of the eyes lie well inside.
    """
    width, height = FACE_RADII
    across, down = (x - FACE_CENTRE[0]) / width, (y - FACE_CENTRE[1]) / height
    return np.cbrt(np.abs(across) ** 3 + np.abs(down) ** 3)


@dataclass(frozen=True)
class _Shape:
    """The shape of a face, perhaps with another's inner face."""

    own: Geometry
    worn: Geometry | None

    def displacement(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the shift of each position of the reshaped face from the photograph."""
        dx, dy = _shape_displacement(self.own, x, y)
        if self.worn is None:
            return dx, dy
        inside = fade(face_radius(x, y), *_SWAPPED_SHAPE)
        worn_dx, worn_dy = _shape_displacement(self.own.wearing(self.worn), x, y)
        return dx + inside * (worn_dx - dx), dy + inside * (worn_dy - dy)

    def moved(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a feature of the photograph on the reshaped face."""
        px, py = float_array([x]), float_array([y])
        for _ in range(4):
            dx, dy = self.displacement(px, py)
            px, py = x + dx, y + dy
        return float(px[0]), float(py[0])


def _shape_displacement(g: Geometry, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the shift of each position of the reshaped face from the photograph."""
    dx = np.zeros_like(x)
    dy = np.zeros_like(y)
    for side, (ex, ey) in zip((-1, 1), EYES, strict=True):
        near = bump(x, y, ex, ey, 15, 13)
        lens = g.eye_size * bump(x, y, ex, ey, 11, 8)
        dx += side * g.eye_distance * near + lens * (x - ex)
        dy += lens * (y - ey)
    for bx, by in BROWS:
        dy += g.brow_height * bump(x, y, bx, by, 16, 7)
    dx += g.nose_width * bump(x, y, NOSE[0], NOSE[1] + 4, 13, 11) * (x - NOSE[0])
    dy += g.nose_height * bump(x, y, NOSE[0], NOSE[1] + 4, 15, 10)
    lips = bump(x, y, MOUTH[0], MOUTH[1], 27, 11)
    dx += g.mouth_width * lips * (x - MOUTH[0])
    dy += g.mouth_height * lips + g.lip_fullness * lips * (y - MOUTH[1])
    for cx, cy in MOUTH_CORNERS:
        dy -= g.smile * bump(x, y, cx, cy, 9, 8)
    axis = _MIRROR_AXIS
    dx += g.face_width * bump(x, y, axis, 115, 75, 80) * (x - axis)
    dx += g.jaw_width * bump(x, y, axis, 165, 48, 28) * (x - axis)
    dy += g.face_length * bump(x, y, axis, 150, 60, 50) * (y - 110)
    hair = g.hair_volume * (1 - bump(x, y, axis, 125, 50, 60)) * bump(x, y, axis, 70, 90, 60)
    dx += hair * (x - axis)
    dy += hair * (y - 100)
    return dx, dy


def _paint(identity: Identity) -> FloatArray:
    """Paint the photograph with the person's colours and backdrop, float32 RGB in grey levels."""
    photo, skin, hair, suit, subject = _photograph()
    gains = (
        (skin, identity.skin_gain), (hair, identity.hair_gain), (suit, identity.suit_gain)
    )  # fmt: skip
    painted = photo.copy()
    for mask, gain in gains:
        painted *= 1 + mask[..., None] * (float_array(gain) - 1)
    rng = np.random.default_rng(identity.skin_detail)
    pores = rng.standard_normal((2, *skin.shape)).astype(np.float32)
    grain = cv2.GaussianBlur(pores[0], (0, 0), 0.7) * 2.5 + cv2.GaussianBlur(
        pores[1], (0, 0), 2.5
    ) * np.float32(4)
    painted *= 1 + (skin * grain)[..., None] * np.float32(identity.detail_strength / 255)
    corners = float_array(identity.backdrop).reshape(2, 2, 3)
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
    """Load the photograph (float32 RGB) and its masks: skin, hair, suit, whole subject."""
    photo = data.astronaut().astype(np.float32)
    lab = cv2.GaussianBlur(cv2.cvtColor(photo / 255, cv2.COLOR_RGB2LAB), (0, 0), 1.0)
    light, red, yellow = (lab[..., channel] for channel in range(3))
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    around_head = fade(np.hypot((x - 228) / 88, (y - 88) / 98), 0.86, 1.0)
    head = np.maximum(_above(yellow, 8.5, 0.8), _above(52 - light, 0, 2.5)) * around_head
    filled = cv2.morphologyEx(head, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    head = np.maximum(head, filled * fade(np.hypot((x - 225) / 48, (y - 125) / 62), 0.8, 1.0))
    oval = fade(np.hypot((x - 224.5) / 52, (y - 124) / 62), 0.88, 1.0)
    inner = fade(np.hypot((x - 224.5) / 38, (y - 138) / 52), 0.8, 1.0)
    neck = fade(np.hypot((x - 222) / 40, (y - 182) / 15), 0.8, 1.0)
    ears = sum(fade(np.hypot((x - ex) / 13, (y - 124) / 18), 0.7, 1.0) for ex in (177, 272))
    bare = _above(red + 0.15 * (light - 60), 4.5, 1.5)
    bare = np.maximum(bare * np.maximum(oval, np.clip(ears, 0, 1)), inner * _above(y, 96, 2))
    bare = np.maximum(bare * head, neck * _above(light, 25, 5) * _above(yellow, 8.5, 1.5))
    bare = cv2.GaussianBlur(bare, (0, 0), 0.8)
    eyes = sum(fade(np.hypot((x - ex) / 10, (y - ey) / 5), 0.6, 1.0) for ex, ey in EYES)
    teeth = fade(np.hypot((x - 224) / 16, (y - 145) / 5), 0.6, 1.0)
    hair = head * (1 - bare) * (1 - inner) * _above(150 - y, 0, 6)
    skin = bare * (1 - eyes) * (1 - teeth)
    suit = _above(red, 22, 3) * _above(y, 190, 5)
    return photo, skin, hair, suit, np.maximum(head, suit)


def bump(
    x: FloatArray, y: FloatArray, cx: float, cy: float, width: float, height: float
) -> FloatArray:
    """Return a Gaussian of height 1 with standard deviations ``width`` and ``height``."""
    return np.exp(-0.5 * (((x - cx) / width) ** 2 + ((y - cy) / height) ** 2))


def fade(distance: FloatArray, inner: float, outer: float) -> FloatArray:
    """Return 1 below ``inner``, 0 above ``outer``, and smooth values between."""
    t = np.clip((outer - distance) / (outer - inner), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _above(values: FloatArray, threshold: float, softness: float) -> FloatArray:
    return 1 - fade(values, threshold - softness, threshold + softness)


def _bounded(rng: np.random.Generator, spread: float) -> float:
    """Draw a normal value of standard deviation ``spread / 1.5``, cut at ``spread`` x 1.2."""
    return float(np.clip(rng.normal(0, spread / 1.5), -1.2 * spread, 1.2 * spread))


def float_array(values: ArrayLike) -> FloatArray:
    """Return the values as float32."""
    return np.asarray(values, dtype=np.float32)


def _floats(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
