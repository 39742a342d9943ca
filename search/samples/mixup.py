"""Mixup: every sample of a batch blended with another one, and their labels with the same share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def mix(
    inputs: Mapping[str, npt.NDArray[Any]],
    labels: npt.NDArray[np.float32],
    alpha: float,
    rng: np.random.Generator,
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """Blend a batch with a permutation of itself (Zhang et al., mixup, 2018).

    Each batch has one random share from Beta(alpha, alpha) and one permutation, for all inputs and
    the labels. Inputs keep their types; whole numbers are rounded.

    Args:
        inputs: Arrays of any type, first axis the batch; frames or features.
        labels: float32 (B, 1).
        alpha: With small values most batches hardly change; the paper uses 0.2.
        rng: Source of share and permutation.
    """
    share = np.float32(rng.beta(alpha, alpha))
    others = rng.permutation(len(labels))
    mixed = {name: _blend(batch, others, share) for name, batch in inputs.items()}
    return mixed, share * labels + (1 - share) * labels[others]


def _blend(
    batch: npt.NDArray[Any], others: npt.NDArray[np.int64], share: np.float32
) -> npt.NDArray[Any]:
    blended = share * batch.astype(np.float32)
    blended += (1 - share) * batch[others].astype(np.float32)
    if np.issubdtype(batch.dtype, np.integer):
        np.rint(blended, out=blended)
    return blended.astype(batch.dtype)
