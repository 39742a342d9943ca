"""Single changes of all frames of a clip at once: of them augmentation, pseudo-fakes and tests of
robustness are made.

Frames are uint8 (T, S, S, 3), RGB, contiguous; results are new and have the same shape.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]

_MEAN = np.full((3, 3), 1 / 3)
# Side of the mean filter that removes the detail, in pixels.
_DETAIL = 5
_POOL = 2**22
_TALLEST = 65_000


def extract_colours(frames: Frames) -> Frames:
    """Return red, green and blue of stored frames, uint8 (T, S, S, 4), contiguous."""
    colour = cv2.cvtColor(_stacked(frames), cv2.COLOR_RGBA2RGB)
    return np.asarray(colour, np.uint8).reshape(*frames.shape[:3], 3)


def colour_matrix(
    *,
    hue: float = 0.0,
    saturation: float = 1.0,
    contrast: float = 1.0,
    brightness: float = 0.0,
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> npt.NDArray[np.float64]:
    """Return the (3, 4) matrix of a change of colour.

    Args:
        hue: rotation about the grey axis in degrees.
        saturation: factor of the distance from grey.
        contrast: factor about grey level 128.
        brightness: grey levels added.
        shift: grey levels added to red, green and blue.
    """
    turn, _ = cv2.Rodrigues(np.full(3, np.deg2rad(hue) / np.sqrt(3)))
    colour = contrast * (saturation * (turn - _MEAN) + _MEAN)
    offset = 128 * (1 - contrast) + brightness + np.asarray(shift)
    return np.concatenate([colour, offset[:, None]], axis=1)


def recolour(frames: Frames, matrix: npt.NDArray[np.float64], gamma: float = 1.0) -> Frames:
    """Change colours by a :func:`colour_matrix`, then the gamma."""
    changed = cv2.transform(_stacked(frames), matrix)
    if gamma != 1:
        levels = 255 * (np.arange(256) / 255) ** gamma
        changed = cv2.LUT(changed, np.round(levels).astype(np.uint8))
    return np.asarray(changed, np.uint8).reshape(frames.shape)


def soften(frames: Frames, sigma: float) -> Frames:
    """Apply a Gaussian blur of ``sigma`` pixels, cut off at twice that."""
    side = 2 * math.ceil(2 * sigma) + 1
    return _each(frames, lambda frame: cv2.GaussianBlur(frame, (side, side), sigma))


def remove_detail(frames: Frames) -> Frames:
    """Remove the detail that sharpening strengthens."""
    return _each(frames, lambda frame: cv2.blur(frame, (_DETAIL, _DETAIL)))


def sharpen(frames: Frames, amount: float) -> Frames:
    """Add ``amount`` times the finest detail; a negative amount removes detail."""
    return _each(frames, lambda frame: sharpen_frame(frame, amount))


def sharpen_frame(frame: Frames, amount: float) -> Frames:
    """Add ``amount`` times its detail to one frame, (S, S, 3)."""
    smooth = cv2.blur(frame, (_DETAIL, _DETAIL))
    return np.asarray(cv2.addWeighted(frame, 1 + amount, smooth, -amount, 0), np.uint8)


def resize(frames: Frames, side: int, how: int = cv2.INTER_AREA) -> Frames:
    """Resize frames by one of OpenCV's interpolations."""
    return _each(frames, lambda frame: cv2.resize(frame, (side, side), interpolation=how))


def grain(frames: Frames, deviation: float, rng: np.random.Generator) -> Frames:
    """Add normal noise of a deviation in grey levels, new in every frame and colour.

    Each frame gets a random piece of one large pool of noise: drawing every value anew takes ten
    times longer.
    """
    pool, count = _noise_pool(), frames[0].size
    if count > len(pool) // 2:
        raise ValueError(f"a frame may have {len(pool) // 2} values at most, received {count}")
    changed = np.empty_like(frames)
    for frame, out in zip(frames, changed, strict=True):
        start = int(rng.integers(len(pool) - count))
        noise = pool[start : start + count].reshape(frame.shape)
        out[...] = cv2.add(frame, noise * np.float32(deviation), dtype=cv2.CV_8U)
    return changed


def jpeg(frames: Frames, quality: int) -> Frames:
    """Compress every frame as JPEG of a quality from 1 to 100, colours at half resolution."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    size = frames.shape[1]
    # Whole blocks lie in one frame, so many frames can be one picture.
    together = max(1, _TALLEST // size) if size % 16 == 0 else 1
    parts = []
    for at in range(0, len(frames), together):
        ok, data = cv2.imencode(".jpg", _stacked(frames[at : at + together]), settings)
        if not ok:
            raise RuntimeError(f"JPEG of quality {quality} failed on {frames.shape}")
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        parts.append(picture.reshape(-1, *frames.shape[1:]))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def h264(
    frames: Frames,
    rate_factor: float,
    *,
    preset: str = "superfast",
    tune: str = "zerolatency",
) -> Frames:
    """Compress the clip by x264 in memory and decode it again.

    Args:
        frames: frames of an even side.
        rate_factor: ``crf`` of x264: 18 is hardly visible, 23 usual, 40 rough.
        preset: preset of x264; ``medium`` is its own default, and slower.
        tune: tuning of x264; empty for none.
    """
    size = frames.shape[1]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = size, size, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {"preset": preset, "crf": f"{rate_factor:.1f}"}
    if tune:
        encoder.options |= {"tune": tune}
    packets = []
    for at, frame in enumerate(frames):
        # OpenCV converts colours several times faster than the library of the codec.
        planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts = at
        packets += encoder.encode(picture)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    changed = np.empty_like(frames)
    pictures = [
        picture
        for packet in [*packets, *encoder.encode(None)]
        for picture in decoder.decode(packet)
    ]
    for out, picture in zip(changed, [*pictures, *decoder.decode(None)], strict=True):
        out[...] = cv2.cvtColor(picture.to_ndarray(), cv2.COLOR_YUV2RGB_I420)
    return changed


def _each(frames: Frames, change: Callable[[Frames], Frames]) -> Frames:
    first = change(frames[0])
    changed = np.empty((len(frames), *first.shape), np.uint8)
    changed[0] = first
    for at in range(1, len(frames)):
        changed[at] = change(frames[at])
    return changed


def _stacked(frames: Frames) -> Frames:
    """Return frames below each other as one picture, a view of the same values."""
    return frames.reshape(-1, *frames.shape[2:])


@functools.cache
def _noise_pool() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(_POOL, np.float32)
