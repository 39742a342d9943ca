"""What a search optimises, from validation labels and probabilities."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from sklearn import metrics


@dataclasses.dataclass(frozen=True)
class ValidationScore:
    """One model on the validation split.

    Attributes:
        auc: area under the ROC curve; a video is one clip.
        log_loss: mean, nats; both labels weigh equally. Orders models of equal AUC.
    """

    auc: float
    log_loss: float

    @property
    def order(self) -> tuple[float, float]:
        """Sort key, best first: highest AUC, then lowest log-loss."""
        return (-self.auc, self.log_loss)


def validation_score(
    labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.floating]
) -> ValidationScore:
    """Score probabilities (N,) against labels (N,) that hold both classes.

    Raises:
        FloatingPointError: a probability is not finite: training has diverged.
    """
    if not np.isfinite(probabilities).all():
        raise FloatingPointError("the model gives NaN: training diverged")
    weights = np.where(labels == 1, (labels == 0).sum(), (labels == 1).sum())
    return ValidationScore(
        auc=float(metrics.roc_auc_score(labels, probabilities)),
        log_loss=float(
            metrics.log_loss(
                labels, probabilities.astype(np.float64), sample_weight=weights, labels=[0, 1]
            )
        ),
    )
