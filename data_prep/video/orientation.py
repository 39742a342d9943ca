"""The way a video is to be turned and mirrored for display."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type


@dataclasses.dataclass(frozen=True)
class Orientation:
    """One of the eight ways in which a stored picture becomes an upright one.

    The axes are exchanged first; then the result is mirrored.

    Attributes:
        exchanged: whether rows become columns.
        left_right: whether left and right are exchanged.
        top_bottom: whether top and bottom are exchanged.
    """

    exchanged: bool = False
    left_right: bool = False
    top_bottom: bool = False

    def upright(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return a stored picture (H, W, 3) as it is shown."""
        if self.exchanged:
            picture = picture.swapaxes(0, 1)
        if self.left_right:
            picture = picture[:, ::-1]
        if self.top_bottom:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


def read_orientation(frame: av.VideoFrame) -> Orientation | None:
    """Return the orientation that a frame carries, None without one.

    It is a matrix: of the container for every frame, of the H.264 or HEVC stream for key frames
    alone. ``frame.rotation`` of PyAV is its angle, in which a mirror is lost.
    """
    # The types of PyAV know other side data alone.
    matrix = cast(Any, frame.side_data).get(Type.DISPLAYMATRIX)
    if matrix is None:
        return None
    # Three rows of (a, b, u), (c, d, v), (x, y, w): x' = a x + c y and y' = b x + d y.
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
