"""Losses of the training. They end with it: exported models have none."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from spaces.training.names import BINARY_CROSSENTROPY, FOCAL, LOSSES, PAIRWISE

GAMMA = 2.0
_SMALLEST = 1e-6


def make_loss(name: str, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Make a loss on fake probabilities (B, 1).

    ``focal`` weighs a sample by its error to the power of 2, so easy samples have little weight
    (Lin et al., Focal loss for dense object detection, 2017).

    Args:
        name: one of :data:`spaces.training.names.LOSSES`.
        label_smoothing: 0 to below 1.
    """
    if name == FOCAL:
        return keras.losses.BinaryFocalCrossentropy(gamma=GAMMA, label_smoothing=label_smoothing)
    if name == PAIRWISE:
        return PairwiseLoss(label_smoothing=label_smoothing)
    if name == BINARY_CROSSENTROPY:
        return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)
    raise ValueError(f"no loss of that name; there are {', '.join(LOSSES)}. Received: {name!r}")


@keras.saving.register_keras_serializable(package="dfsearch")
class PairwiseLoss(keras.losses.Loss):
    """Binary cross-entropy, plus a loss of pairs: a fake must score above its own real clip.

    The second part is the mean of ``-log sigmoid(fake - real)`` of the logits, over the pairs of a
    batch (Burges et al., RankNet, 2005). Effects of person, scene and codec on both cancel out. In
    a batch without a pair it is 0.

    Labels are (B, 2): the label and a number that is equal for samples of one source.

    Args:
        label_smoothing: smoothing of the cross-entropy, 0 to below 1.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = PAIRWISE, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample, (B,)."""
        labels, sources = y_true[:, :1], y_true[:, 1:]
        crossentropy = keras.losses.binary_crossentropy(
            labels, y_pred, label_smoothing=self.label_smoothing
        )
        sure = ops.clip(y_pred, _SMALLEST, 1 - _SMALLEST)
        logits = ops.log(sure) - ops.log(1 - sure)
        is_fake = ops.cast(labels > 0.5, logits.dtype)
        same = ops.cast(ops.equal(sources, ops.transpose(sources)), logits.dtype)
        pairs = same * is_fake * ops.transpose(1 - is_fake)
        unranked = pairs * ops.softplus(ops.transpose(logits) - logits)
        return crossentropy + ops.sum(unranked) / ops.maximum(ops.sum(pairs), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
