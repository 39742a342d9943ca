"""Learning curves of a trial as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

from artifacts.histories import Curve

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 200, 70, 20, 34, 26
_PAPER, _INK, _AXIS, _LINE = "#ffffff", "#202020", "#b0b0b0", "#1f5fa8"


def draw_curves(curves: Mapping[str, Curve], title: str) -> bytes:
    """Draw a PNG with a panel for each curve, one below the other.

    Args:
        curves: result of :func:`artifacts.histories.read_curves`; at least one.
        title: title of the trial.
    """
    picture = Image.new("RGB", (_WIDTH, _HEIGHT * len(curves)), _PAPER)
    pen = ImageDraw.Draw(picture)
    for number, (name, curve) in enumerate(curves.items()):
        _panel(pen, number * _HEIGHT, f"{title}: {name}", curve)
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()


def _panel(pen: ImageDraw.ImageDraw, above: int, title: str, curve: Curve) -> None:
    font = ImageFont.load_default(13)
    steps, values = zip(*curve, strict=True)
    low, high = min(values), max(values)
    left, right = _LEFT, _WIDTH - _RIGHT
    top, bottom = above + _TOP, above + _HEIGHT - _BOTTOM
    pen.text((left, above + 10), title, _INK, font)
    pen.line([(left, top), (left, bottom), (right, bottom)], _AXIS)
    for value, height in ((high, top), (low, bottom)):
        pen.text((left - 6, height), f"{value:.4g}", _INK, font, anchor="rm")
    for step, across in ((steps[0], left), (steps[-1], right)):
        pen.text((across, bottom + 6), f"{step:g}", _INK, font, anchor="mt")
    # A single value lies in the middle.
    width, height = (steps[-1] - steps[0]) or 1, (high - low) or 1
    points = [
        (
            left + (right - left) * (step - steps[0]) / width,
            bottom - (bottom - top) * ((value - low) / height if high > low else 0.5),
        )
        for step, value in curve
    ]
    if len(points) > 1:
        pen.line(points, _LINE, 2)
    for x, y in points:
        pen.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), _LINE)
