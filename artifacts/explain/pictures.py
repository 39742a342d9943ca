"""Pictures of frames with their heat maps laid over. Free of TensorFlow."""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

FRAMES_SHOWN = 6
# How much of the hottest place is colour; the rest is the face.
_OPAQUE = 0.7
_SIDE, _GAP, _LINE = 112, 4, 18
_INK, _PAPER = (30, 30, 30), (255, 255, 255)

Frames = npt.NDArray[np.uint8]
Heat = npt.NDArray[np.float32]


def overlay(frames: Frames, heat: Heat) -> Frames:
    """Lay heat over frames: the hotter, the more of it is seen, and the brighter.

    Args:
        frames: uint8 (T, H, W, 3 or 4), RGB and maybe grey.
        heat: float32 (T, H, W), 0..1; where it is 0 frames stay as they are.

    Returns:
        uint8 (T, H, W, 3), RGB.
    """
    pictures = []
    for frame, map_of_frame in zip(frames[..., :3], heat, strict=True):
        levels = np.round(255 * np.clip(map_of_frame, 0, 1)).astype(np.uint8)
        colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
        share = (_OPAQUE / 255 * levels)[..., None]
        pictures.append(np.round(frame + share * (colours.astype(np.float64) - frame)))
    return np.stack(pictures).astype(np.uint8)


def strip(
    frames: Frames,
    heat: Heat,
    *,
    times: npt.NDArray[np.floating] | None = None,
    count: int = FRAMES_SHOWN,
) -> bytes:
    """Draw frames of a clip in a row as a PNG, and below each the same with its heat.

    They are evenly spaced, but the hottest frame replaces its nearest one. Short events would be
    missed otherwise.

    Args:
        frames: uint8 (T, H, W, 3 or 4), RGB and maybe grey.
        heat: float32 (T, H, W), 0..1.
        times: (T,), seconds, written above the frames.
        count: number of frames, or all if there are fewer.
    """
    shown = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    hottest = int(heat.max(axis=(1, 2)).argmax())
    if heat.any():
        shown[np.abs(shown - hottest).argmin()] = hottest
    top = _LINE if times is not None else 0
    width = len(shown) * (_SIDE + _GAP) - _GAP
    sheet = Image.new("RGB", (width, top + 2 * _SIDE + _GAP), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    hot = overlay(frames[shown], heat[shown])
    for place, (at, picture) in enumerate(zip(shown, hot, strict=True)):
        left = place * (_SIDE + _GAP)
        if times is not None:
            pen.text((left, 1), f"{times[at]:.1f} s", _INK, font)
        sheet.paste(_scaled(frames[at, ..., :3]), (left, top))
        sheet.paste(_scaled(picture), (left, top + _SIDE + _GAP))
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _scaled(picture: Frames) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture)).resize(
        (_SIDE, _SIDE), Image.Resampling.LANCZOS
    )
