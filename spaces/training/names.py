"""Names of the choices of training, free of TensorFlow."""

from __future__ import annotations

from typing import Literal, TypeAlias

Augmentation: TypeAlias = Literal["none", "light", "strong", "jittered"]
AUGMENTATIONS: tuple[Augmentation, ...] = ("none", "light", "strong", "jittered")

Loss: TypeAlias = Literal["binary_crossentropy", "focal", "pairwise"]
BINARY_CROSSENTROPY: Loss = "binary_crossentropy"
FOCAL: Loss = "focal"
PAIRWISE: Loss = "pairwise"
LOSSES = (BINARY_CROSSENTROPY, FOCAL, PAIRWISE)

Schedule: TypeAlias = Literal["constant", "cosine"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "cosine")

BATCH_SIZES = (8, 16, 32)
LEARNING_RATES = (1e-4, 1e-2)

# Share of the fakes that are pseudo-fakes: none, half, or all, as the authors of self-blended
# images have it.
PSEUDO_SHARES = (0.0, 0.5, 1.0)

# Alpha of mixup where it is on (Zhang et al., 2018).
MIXUP = 0.2
