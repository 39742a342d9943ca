"""Quality of generated faces: their distance to real ones, and their variety."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt

from data_prep.errors import DfsearchError

Features = npt.NDArray[np.float64]

# Number of blocks for the standard error of KID.
BLOCKS = 8
# Distances of generated faces relative to real ones; below them the generator has collapsed.
COLLAPSED_PAIRWISE = 0.1
COLLAPSED_NEAREST = 0.02
# Consecutive reports with a collapse that end the training.
PATIENCE = 2
# Largest number of faces in a set; the kernel matrices grow with its square.
MOST_COMPARED = 1024
COMPONENTS = 64
_BATCH = 256


class ModeCollapseError(DfsearchError):
    """The generator makes almost the same face, or a few faces, from every latent."""


@dataclasses.dataclass(frozen=True)
class FaceMeasures:
    """Measures of generated faces against real ones.

    Attributes:
        kid: :func:`kid` to held-out real faces; lowest best.
        kid_error: Its standard error.
        pairwise: Mean distance between two generated faces, relative to real faces.
        nearest: Median distance of a generated face to its nearest neighbour among them, relative
            to the same number of real faces.
    """

    kid: float
    kid_error: float
    pairwise: float
    nearest: float


class FaceMeasure:
    """Comparison of generated faces with real ones, in the features of one network.

    Features of a random network are redundant, and most of their variance is brightness. So they
    are projected on their principal components over the real faces of the training split, at most
    64, with at least four faces for each. Components are scaled to deviation 1, so that all have
    equal weight in the kernel of KID.

    Args:
        network: Faces float (side, side, 3) in -1..1 to features (F,).
        train, held_out: Real faces, float32 (n, side, side, 3); faces of one clip are neighbours.
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
        # Components without variance over the real faces carry no information.
        kept = min(kept, max(1, int((lengths > 1e-6 * max(lengths[0], 1e-9)).sum())))
        deviations = np.maximum(lengths[:kept], 1e-9) / np.sqrt(len(features))
        self._projection = axes[:kept].T / deviations
        self._train, self._held_out = self._projected(features), self.features(held_out)

    def features(self, faces: npt.NDArray[np.float32]) -> Features:
        """Return the scaled principal components (n, F) of faces."""
        return self._projected(self._raw(faces))

    def __call__(self, faces: npt.NDArray[np.float32]) -> FaceMeasures:
        """Return measures of generated faces float32 (n, side, side, 3), n at least 2."""
        return self.compared(self.features(faces))

    def compared(self, found: Features) -> FaceMeasures:
        """Return measures of faces given their :meth:`features`."""
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

    def _projected(self, features: Features) -> Features:
        return np.asarray((features - self._mean) @ self._projection)


class CollapseCheck:
    """Check of every report of a GAN for mode collapse.

    Faces of an early report may still be alike. A collapse lasts for :data:`PATIENCE` reports, or
    is present in the last one.
    """

    def __init__(self) -> None:
        self._alike = 0

    def check(self, measured: FaceMeasures, *, last: bool) -> None:
        """Check one report.

        Raises:
            ModeCollapseError: The faces have collapsed.
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
            f"{what} by {found:.3f} of the distance between real faces, expected at least {least}"
        )


def kid(a: Features, b: Features) -> float:
    """Return the kernel inception distance of two feature sets (n, d) and (m, d).

    The unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (Binkowski et al.,
    Demystifying MMD GANs, 2018). It is 0 on average for equal distributions, and can be negative.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    n, m = len(x), len(y)
    xx, yy, xy = _cubic(x, x), _cubic(y, y), _cubic(x, y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def kid_error(a: Features, b: Features) -> float:
    """Return the standard error of :func:`kid`, from disjoint blocks of both sets.

    Blocks are of neighbours, so that frames of one clip, which are alike, stay together. With fewer
    than four faces in either set the error is NaN.
    """
    blocks = min(BLOCKS, len(a) // 2, len(b) // 2)
    if blocks < 2:
        return float("nan")
    pairs = zip(np.array_split(a, blocks), np.array_split(b, blocks), strict=True)
    return float(np.std([kid(x, y) for x, y in pairs], ddof=1) / np.sqrt(blocks))


def distances(features: Features) -> tuple[float, float]:
    """Return the mean distance between two of (n, d), and the median one to the nearest other."""
    squares = np.square(features).sum(axis=1)
    squared = squares[:, None] + squares - 2 * features @ features.T
    apart = np.sqrt(np.maximum(squared, 0))
    np.fill_diagonal(apart, 0)
    mean = apart.sum() / (len(apart) * (len(apart) - 1))
    np.fill_diagonal(apart, np.inf)
    return float(mean), float(np.median(apart.min(axis=1)))


def _evenly(features: Features, count: int) -> Features:
    rows = np.linspace(0, len(features) - 1, min(len(features), count)).astype(int)
    return np.asarray(features[rows])


def _cubic(p: Features, q: Features) -> Features:
    return np.asarray((p @ q.T / p.shape[1] + 1) ** 3)
