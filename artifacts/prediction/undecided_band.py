"""Real, fake or undecided: how sure a verdict must be, learnt from the validation clips."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from artifacts.metrics.scores_table import read_scores
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.format import FAKE, REAL

REAL_VERDICT, FAKE_VERDICT, UNDECIDED = "real", "fake", "undecided"
ERROR_RATE = 0.1
# A band that leaves more validation clips than this undecided is called wide.
_WIDE = 0.5


@dataclasses.dataclass(frozen=True)
class Band:
    """Band of probabilities in which a verdict would be wrong too often.

    Attributes:
        error_rate: the greatest share of the real videos that are to be called fake, and of the
            fake ones that are to be called real.
        fake_from: the lowest probability at which a video may be fake.
        real_up_to: the highest at which it may be real.
        reals: real validation clips it was learnt from.
        fakes: fake ones.
        left_undecided: share of these clips that it leaves undecided.
    """

    error_rate: float
    fake_from: float
    real_up_to: float
    reals: int
    fakes: int
    left_undecided: float

    def verdict(self, probability: float) -> str:
        """Return the verdict on a video: one of the labels, or ``undecided``.

        ``undecided`` means that both labels are plausible, or neither: the video is then less
        likely than every validation clip of either label.
        """
        may_be_fake = probability >= self.fake_from
        may_be_real = probability <= self.real_up_to
        if may_be_fake == may_be_real:
            return UNDECIDED
        return FAKE_VERDICT if may_be_fake else REAL_VERDICT


def fit_band(
    labels: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating], error_rate: float
) -> Band | None:
    """Fit the band on a validation split: split conformal prediction, a label at a time.

    A label is excluded if few clips of that label are equally unlike it: fewer than ``error_rate *
    (n + 1)`` of the n clips, counting the new one. For a video like the validation clips, its own
    label is then excluded with a probability of at most ``error_rate``. Sources: Vovk, "Conditional
    Validity of Inductive Conformal Predictors", 2012; Angelopoulos and Bates, "A Gentle
    Introduction to Conformal Prediction", 2021.

    Args:
        labels: (n,), 1 is fake.
        probabilities: (n,), fake probabilities.
        error_rate: above 0, at most 0.5.

    Returns:
        None if a label has too few clips to be ever excluded: fewer than :func:`least_clips`.

    Raises:
        UserError: the error rate is out of range.
    """
    _check_rate(error_rate)
    fakes = np.sort(probabilities[labels == FAKE])
    reals = np.sort(probabilities[labels == REAL])[::-1]
    if min(len(fakes), len(reals)) < least_clips(error_rate):
        return None
    band = Band(
        error_rate=error_rate,
        fake_from=float(fakes[_rank(error_rate, len(fakes)) - 1]),
        real_up_to=float(reals[_rank(error_rate, len(reals)) - 1]),
        reals=len(reals),
        fakes=len(fakes),
        left_undecided=0.0,
    )
    undecided = [band.verdict(float(value)) == UNDECIDED for value in probabilities]
    return dataclasses.replace(band, left_undecided=round(float(np.mean(undecided)), 4))


def least_clips(error_rate: float) -> int:
    """Return the fewest clips of each label for a band: 9 at a rate of 0.1."""
    count = max(1, math.floor(1 / error_rate) - 1)
    return count if _rank(error_rate, count) else count + 1


def _rank(error_rate: float, clips: int) -> int:
    """Return the rank of the least likely validation clip that a new clip must equal."""
    # A product such as 0.1 * 30 may come out a little below the number it is.
    return math.floor(error_rate * (clips + 1) + 1e-9)


def _check_rate(error_rate: float) -> None:
    if not 0 < error_rate <= 0.5:
        raise UserError(
            f"the error rate must be above 0 and at most 0.5; received {error_rate:g}. "
            "0.1 allows one wrong verdict in ten"
        )


def read_band(run: RunDirectory, error_rate: float = ERROR_RATE) -> tuple[Band | None, str]:
    """Read the band of a run from the validation rows of its ``scores.csv``, and a remark.

    Returns:
        None and the reason, or a band and a remark on its width, which may be empty.

    Raises:
        UserError: the error rate is out of range.
    """
    _check_rate(error_rate)
    threshold = "verdicts are by the threshold alone, without an undecided band"
    try:
        _, clips = read_scores(run.scores, "val")
    except UserError:
        return None, f"{run.scores} is missing or damaged; {threshold}"
    labels = clips.labels
    band = fit_band(labels, clips.probabilities, error_rate)
    if band is None:
        fakes = int(np.count_nonzero(labels == FAKE))
        return None, (
            f"validation has {len(labels) - fakes} real and {fakes} fake clips, and an error rate "
            f"of {error_rate:g} needs {least_clips(error_rate)} of each; {threshold}"
        )
    if band.left_undecided > _WIDE:
        return band, (
            f"the undecided band is wide: it holds {band.left_undecided:.0%} of the "
            f"{len(labels)} validation clips; more of them, or a higher --error-rate, narrow it"
        )
    return band, ""
