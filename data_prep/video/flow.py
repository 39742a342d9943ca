"""Optical flow between the sampled frames of a clip, and its strain."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError

# Search down to the full resolution: the medium preset stops at half of it, which is four times
# as fast and about doubles the error of the small local motions that faces are full of.
_FINEST_SCALE = 0

# The smallest face crop there is; below 12 pixels the search fails.
_SMALLEST_SIDE = 16


def flow_shape(frames: int, size: int) -> tuple[int, int, int, int]:
    """Return the shape of the flow of ``frames`` frames of ``size`` by ``size`` pixels.

    Raises:
        UserError: there are fewer than 2 frames.
    """
    if frames < 2:
        raise UserError(
            f"flow needs at least 2 frames, received {frames}; take more frames or leave flow out"
        )
    return frames - 1, size // 2, size // 2, 3


def flow_and_strain(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
    """Compute dense optical flow between neighbouring frames of a clip, and its optical strain.

    The flow (u, v) goes from each frame to the next, in pixels of the crop: the pixel at (x, y)
    moves to (x + u, y + v). OpenCV computes it on the grey channel by dense inverse search (Kroeger
    et al., "Fast Optical Flow using Dense Inverse Search", 2016). Equal frames give zero
    everywhere.

    The strain is the magnitude of the infinitesimal strain tensor of the flow (Shreve et al.,
    "Macro- and Micro-Expression Spotting in Long Videos Using Spatio-Temporal Strain", 2011),
    the third input of STSTNet (Liong et al., 2019), without a unit::

        sqrt(u_x**2 + v_y**2 + (u_y + v_x)**2 / 2)

    All three are computed at full resolution and then averaged over two by two pixels, so u
    and v stay in pixels of the crop and not of the smaller map.

    Args:
        frames: uint8 (T, S, S, 4), red, green, blue and grey.

    Returns:
        float16 (T - 1, S // 2, S // 2, 3): u, v and strain. The result does not depend on the
        number of threads.

    Raises:
        UserError: there are fewer than 2 frames.
        ValueError: the frames are not uint8 (T, S, S, 4) with S of at least 16.
    """
    if (
        frames.dtype != np.uint8
        or frames.ndim != 4
        or frames.shape[1] != frames.shape[2]
        or frames.shape[1] < _SMALLEST_SIDE
        or frames.shape[3] != 4
    ):
        raise ValueError(
            f"frames must be uint8 (T, S, S, 4) with S of at least {_SMALLEST_SIDE}, "
            f"received {frames.dtype} {frames.shape}"
        )
    result = np.empty(flow_shape(*frames.shape[:2]), np.float16)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(_FINEST_SCALE)
    grey = np.ascontiguousarray(frames[..., 3])
    for at, moved in enumerate(result):
        flow = search.calc(grey[at], grey[at + 1], None)
        full = np.dstack([flow, _strain(flow)])
        moved[...] = cv2.resize(full, moved.shape[1::-1], interpolation=cv2.INTER_AREA)
    return result


def _strain(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute the strain magnitude of a flow (S, S, 2): float32 (S, S).

    It uses central differences.
    """
    u_y, u_x = np.gradient(flow[..., 0])
    v_y, v_x = np.gradient(flow[..., 1])
    return np.sqrt(u_x**2 + v_y**2 + (u_y + v_x) ** 2 / 2)
