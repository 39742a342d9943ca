"""What a search optimises, from what a model says of the validation samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from artifacts.records import VAL_AUC, VAL_LOG_LOSS, VAL_OWN, VAL_PAIR_RANKING, VAL_PSEUDO_AUC
from search.config.names import AUC as AUC
from search.config.names import GENERALISATION as GENERALISATION
from search.config.names import LEAVE_ONE_OUT_MEAN, LOG_LOSS, OBJECTIVES
from search.config.names import Objective as Objective
from search.training.plugin_objectives import own


@dataclasses.dataclass(frozen=True)
class ValidationScore:
    """One model on the validation samples.

    Attributes:
        auc: area under the ROC curve of the validation split; a video is one clip.
        log_loss: mean over the split, nats; both labels weigh equally. Orders equal models.
        pseudo_auc: area under the ROC curve of real clips against their pseudo-fakes; None where
            the search does not look at these.
        pair_ranking: how often a pseudo-fake scores above the very clip it was made from, mean
            over clips; None likewise.
        objective: of the search.
        own: what an objective of another package is worth; None where that is not the search's.
    """

    auc: float
    log_loss: float
    pseudo_auc: float | None = None
    pair_ranking: float | None = None
    objective: Objective = AUC
    own: float | None = None

    @property
    def value(self) -> float:
        """What is optimised, highest best: the AUC; the mean of AUC, pseudo-AUC and pair ranking;
        the log-loss with its sign turned; or what an objective of another package gives.
        """
        if self.own is not None:
            return self.own
        if self.objective == LOG_LOSS:
            return -self.log_loss
        if self.pseudo_auc is None or self.pair_ranking is None:
            return self.auc
        return (self.auc + self.pseudo_auc + self.pair_ranking) / 3

    @property
    def order(self) -> tuple[float, float]:
        """Sort key, best first: highest value, then lowest log-loss."""
        return (-self.value, self.log_loss)

    @property
    def row(self) -> dict[str, float]:
        """Plain values by the names they have in tables; what there is none of is left out."""
        named = {
            VAL_AUC: self.auc,
            VAL_LOG_LOSS: self.log_loss,
            VAL_PSEUDO_AUC: self.pseudo_auc,
            VAL_PAIR_RANKING: self.pair_ranking,
            VAL_OWN: self.own,
        }
        return {name: value for name, value in named.items() if value is not None}


def validation_score(
    labels: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.floating],
    pseudo_fakes: npt.NDArray[np.floating] | None = None,
    objective: Objective = AUC,
    methods: npt.NDArray[np.str_] | None = None,
) -> ValidationScore:
    """Score what a model says of the validation samples.

    Args:
        labels: (N,) of the clips; both classes.
        probabilities: (N,), of the same clips.
        pseudo_fakes: (K, R), probabilities of K pseudo-fakes of each of the R real clips, these in
            their order.
        objective: of the search.
        methods: (N,), of the same clips; what an objective of another package is given.

    Raises:
        FloatingPointError: a probability is not finite: training has diverged.
        UserError: the objective of another package fails.
    """
    given = probabilities if pseudo_fakes is None else np.append(probabilities, pseudo_fakes)
    if not np.isfinite(given).all():
        raise FloatingPointError("the model gives NaN: training diverged")
    weights = np.where(labels == 1, (labels == 0).sum(), (labels == 1).sum())
    score = ValidationScore(
        auc=float(metrics.roc_auc_score(labels, probabilities)),
        log_loss=float(
            metrics.log_loss(
                labels, probabilities.astype(np.float64), sample_weight=weights, labels=[0, 1]
            )
        ),
        objective=objective,
        own=None if objective in OBJECTIVES else own(objective, labels, methods, probabilities),
    )
    if pseudo_fakes is None or not pseudo_fakes.size:
        return score
    reals = probabilities[labels == 0]
    both = np.concatenate([reals, pseudo_fakes.ravel()])
    above = (pseudo_fakes > reals) + 0.5 * (pseudo_fakes == reals)
    return dataclasses.replace(
        score,
        pseudo_auc=float(metrics.roc_auc_score(np.arange(len(both)) >= len(reals), both)),
        pair_ranking=float(above.mean()),
    )


def method_auc(
    labels: npt.NDArray[np.uint8],
    methods: npt.NDArray[np.str_],
    probabilities: npt.NDArray[np.floating],
    method: str,
) -> float:
    """Area under the ROC curve of all real clips against the fakes of one method.

    Args:
        labels: (N,) of the clips.
        methods: (N,), of the same clips.
        probabilities: (N,), likewise.
        method: of which there are clips.
    """
    ours = (labels == 0) | (methods == method)
    return float(metrics.roc_auc_score(labels[ours], probabilities[ours]))


def over_methods(objective: Objective, found: Mapping[str, float]) -> float:
    """What the AUCs of methods, each left out of training in turn, are worth together."""
    if objective == LEAVE_ONE_OUT_MEAN:
        return float(np.mean(list(found.values())))
    return min(found.values())
