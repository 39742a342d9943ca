"""Agreement of heat maps with the manipulated pixels, where these are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.store.store import Store
from data_prep.video.masks import MANIPULATED, UNKNOWN

MASK = "mask"


def share_inside(
    heat: npt.NDArray[np.floating], region: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return the share of positive heat inside a region, by clip.

    Args:
        heat: (N, ...), any unit.
        region: (N, ...), 0 to 1.

    Returns:
        float64 (N,); NaN where no heat is positive.
    """
    positive, axes = np.maximum(heat.astype(np.float64), 0), tuple(range(1, heat.ndim))
    with np.errstate(invalid="ignore"):
        shares: npt.NDArray[np.float64] = (positive * region).sum(axis=axes) / positive.sum(
            axis=axes
        )
    return shares


def manipulated_region(store: Store, row: int) -> npt.NDArray[np.bool_] | None:
    """Return the manipulated pixels of a clip.

    Args:
        store: An open store.
        row: Row of the clip.

    Returns:
        Bool (T, S, S); None if they are unknown, or none is manipulated.
    """
    if MASK not in store.modalities:
        return None
    mask = store.read([row], MASK)[0]
    region: npt.NDArray[np.bool_] = mask == MANIPULATED
    return None if (mask == UNKNOWN).any() or not region.any() else region
