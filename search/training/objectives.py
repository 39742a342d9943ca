"""Objectives: values that a search optimises, computed from validation probabilities."""

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
from search.training.plugin_objectives import plugin_value


@dataclasses.dataclass(frozen=True)
class ValidationScore:
    """Score of one model on the validation samples.

    Attributes:
        auc: Area under the ROC curve of the validation split; each clip counts as one video.
        log_loss: Mean over the split, in nats; both labels have equal weight. Orders scores of
            equal value.
        pseudo_auc: Area under the ROC curve of real clips against their pseudo-fakes; ``None``
            unless the objective needs pseudo-fakes.
        pair_ranking: Share of pseudo-fakes that score above the clip they were made from; ``None``
            unless the objective needs pseudo-fakes.
        objective: Objective of the search.
        plugin_value: Value of an objective of another package; ``None`` for built-in objectives.
    """

    auc: float
    log_loss: float
    pseudo_auc: float | None = None
    pair_ranking: float | None = None
    objective: Objective = AUC
    plugin_value: float | None = None

    @property
    def value(self) -> float:
        """Optimised value, highest best.

        The AUC; the mean of AUC, pseudo-AUC and pair ranking; the negative log-loss; or the value
        of an objective of another package.
        """
        if self.plugin_value is not None:
            return self.plugin_value
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
        """Plain values by their names in tables, without those that are ``None``."""
        named = {
            VAL_AUC: self.auc,
            VAL_LOG_LOSS: self.log_loss,
            VAL_PSEUDO_AUC: self.pseudo_auc,
            VAL_PAIR_RANKING: self.pair_ranking,
            VAL_OWN: self.plugin_value,
        }
        return {name: value for name, value in named.items() if value is not None}


def validation_score(
    labels: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.floating],
    pseudo_fakes: npt.NDArray[np.floating] | None = None,
    objective: Objective = AUC,
    methods: npt.NDArray[np.str_] | None = None,
    *,
    reals: npt.NDArray[np.floating] | None = None,
) -> ValidationScore:
    """Score the probabilities that a model gives for the validation samples.

    Args:
        labels: (N,), labels of the clips; both classes.
        probabilities: (N,), probabilities of the same clips.
        pseudo_fakes: (K, R), probabilities of K pseudo-fakes of each of the R real clips, in the
            order of the real clips.
        objective: Objective of the search.
        methods: (N,), methods of the same clips, passed to an objective of another package.
        reals: (R,), probabilities of the clips that the pseudo-fakes are made from; the real ones
            of the clips if None.

    Raises:
        FloatingPointError: A probability is not finite: training has diverged.
        UserError: The objective of another package fails.
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
        plugin_value=None
        if objective in OBJECTIVES
        else plugin_value(objective, labels, methods, probabilities),
    )
    if pseudo_fakes is None or not pseudo_fakes.size:
        return score
    reals = probabilities[labels == 0] if reals is None else reals
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
    """Return the area under the ROC curve of all real clips against the fakes of one method.

    Args:
        labels: (N,), labels of the clips.
        methods: (N,), methods of the same clips.
        probabilities: (N,), probabilities of the same clips.
        method: Method that has clips among them.
    """
    ours = (labels == 0) | (methods == method)
    return float(metrics.roc_auc_score(labels[ours], probabilities[ours]))


def over_methods(objective: Objective, found: Mapping[str, float]) -> float:
    """Return the mean or the lowest AUC of methods that were left out of training in turn."""
    if objective == LEAVE_ONE_OUT_MEAN:
        return float(np.mean(list(found.values())))
    return min(found.values())
