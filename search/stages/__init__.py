"""The stages of a run, one module each.

Imports `detectors` and the packages below it.
"""

from __future__ import annotations

from collections.abc import Mapping

from artifacts.stages import ARCHITECTURE, FINISH, GAN, TRAINING, Stage

MODULES: Mapping[Stage, str] = {
    ARCHITECTURE: "search.stages.architecture",
    GAN: "search.stages.gan",
    TRAINING: "search.stages.training",
    FINISH: "search.stages.finish",
}
"""The module of each stage. They import TensorFlow, so that only worker processes import them."""
