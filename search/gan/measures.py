"""How good a set of generated faces is: its distance to real ones, and how far it spreads."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt

from data_prep.errors import DfsearchError

Features = npt.NDArray[np.float64]

# Blocks that the standard error of KID is estimated from.
BLOCKS = 8
# Distances of generated faces relative to those of real ones; below them it has collapsed.
COLLAPSED_PAIRWISE = 0.1
COLLAPSED_NEAREST = 0.02
# Reports in a row that a collapse must last for.
PATIENCE = 2
# Faces of one set, at most; kernels are matrices of their square.
MOST_COMPARED = 1024
COMPONENTS = 64
_BATCH = 256


class ModeCollapseError(DfsearchError):
    """The generator gives almost the same face, or a few faces, for every latent."""


@dataclasses.dataclass(frozen=True)
class FaceMeasures:
    """Generated faces against real ones.

    Attributes:
        kid: :func:`kid` to held-out real faces; lowest best.
        kid_error: its standard error.
        pairwise: mean distance between two of them, relative to real faces.
        nearest: median distance of one to its nearest neighbour among them, relative to as many
            real faces.
    """

    kid: float
    kid_error: float
    pairwise: float
    nearest: float


class FaceMeasure:
    """Compares generated faces with real ones in the features of one network.

    Features of a random network say the same many times over, most of it brightness. So they are
    turned to their principal components over the real faces of the training split, at most 64 and
    four faces to each, and these are scaled to deviation 1: the kernel of KID sees all alike.

    Args:
        network: faces float (side, side, 3) in -1..1 to features (F,).
        train, held_out: real faces, float32 (n, side, side, 3); neighbours in a clip are
            neighbours here.
    """

    def __init__(
        self,
        network: keras.Model,
        train: npt.NDArray[np.float32],
        held_out: npt.NDArray[np.float32],
    ) -> None:
        self._network = network
        features = self._raw(train)
        self._mean = features.mean(axis=0)
        _, lengths, axes = np.linalg.svd(features - self._mean, full_matrices=False)
        kept = max(1, min(COMPONENTS, len(features) // 4))
        # What no real face moves says nothing.
        kept = min(kept, max(1, int((lengths > 1e-6 * max(lengths[0], 1e-9)).sum())))
        deviations = np.maximum(lengths[:kept], 1e-9) / np.sqrt(len(features))
        self._turn = axes[:kept].T / deviations
        self._train, self._held_out = self._turned(features), self.features(held_out)

    def features(self, faces: npt.NDArray[np.float32]) -> Features:
        """Scaled principal components (n, F) of faces."""
        return self._turned(self._raw(faces))

    def __call__(self, faces: npt.NDArray[np.float32]) -> FaceMeasures:
        """Compare generated faces float32 (n, side, side, 3), n at least 2."""
        return self.compared(self.features(faces))

    def compared(self, found: Features) -> FaceMeasures:
        """Compare faces by their :meth:`features`."""
        count = min(len(found), len(self._train))
        ours, theirs = distances(found[:count]), distances(_evenly(self._train, count))
        return FaceMeasures(
            kid(found, self._held_out),
            kid_error(found, self._held_out),
            ours[0] / max(theirs[0], 1e-9),
            ours[1] / max(theirs[1], 1e-9),
        )

    def _raw(self, faces: npt.NDArray[np.float32]) -> Features:
        found = self._network.predict(faces, batch_size=_BATCH, verbose=0)
        return np.asarray(found, np.float64)

    def _turned(self, features: Features) -> Features:
        return np.asarray((features - self._mean) @ self._turn)


class CollapseCheck:
    """Looks at every report of a GAN for mode collapse.

    One report may show faces that are still alike; what lasts for :data:`PATIENCE` of them, or
    is so at the end, is a collapse.
    """

    def __init__(self) -> None:
        self._alike = 0

    def look(self, measured: FaceMeasures, *, last: bool) -> None:
        """Take notice of one report.

        Raises:
            ModeCollapseError: the faces have collapsed.
        """
        pairwise, nearest = measured.pairwise, measured.nearest
        if pairwise >= COLLAPSED_PAIRWISE and nearest >= COLLAPSED_NEAREST:
            self._alike = 0
            return
        self._alike += 1
        if self._alike < PATIENCE and not last:
            return
        what, found, least = (
            ("generated faces differ", pairwise, COLLAPSED_PAIRWISE)
            if pairwise < COLLAPSED_PAIRWISE
            else ("nearest generated faces differ", nearest, COLLAPSED_NEAREST)
        )
        raise ModeCollapseError(
            f"{what} {found:.3f} times as much as real ones, at least {least} is wanted"
        )


def kid(a: Features, b: Features) -> float:
    """Kernel inception distance of two feature sets (n, d) and (m, d); 0 for equal distributions.

    The unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (Binkowski et
    al., Demystifying MMD GANs, 2018); being unbiased, it falls below 0 by chance.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    n, m = len(x), len(y)
    xx, yy, xy = _cubic(x, x), _cubic(y, y), _cubic(x, y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def kid_error(a: Features, b: Features) -> float:
    """Standard error of :func:`kid`, from disjoint blocks of both sets.

    Blocks are of neighbours, so that frames of one clip, which are alike, stay together. With
    fewer than four of either there is none: NaN.
    """
    blocks = min(BLOCKS, len(a) // 2, len(b) // 2)
    if blocks < 2:
        return float("nan")
    pairs = zip(np.array_split(a, blocks), np.array_split(b, blocks), strict=True)
    return float(np.std([kid(x, y) for x, y in pairs], ddof=1) / np.sqrt(blocks))


def distances(features: Features) -> tuple[float, float]:
    """Mean distance between two of (n, d), and median distance to the nearest other."""
    squares = np.square(features).sum(axis=1)
    squared = squares[:, None] + squares - 2 * features @ features.T
    apart = np.sqrt(np.maximum(squared, 0))
    np.fill_diagonal(apart, 0)
    mean = apart.sum() / (len(apart) * (len(apart) - 1))
    np.fill_diagonal(apart, np.inf)
    return float(mean), float(np.median(apart.min(axis=1)))


def _evenly(features: Features, count: int) -> Features:
    places = np.linspace(0, len(features) - 1, min(len(features), count)).astype(int)
    return np.asarray(features[places])


def _cubic(p: Features, q: Features) -> Features:
    return np.asarray((p @ q.T / p.shape[1] + 1) ** 3)
