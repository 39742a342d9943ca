"""The stages of a run, one module each.

Imports `detectors` and the packages below it.
"""

from __future__ import annotations

MODULES = {
    "architecture": "search.stages.architecture",
    "gan": "search.stages.gan",
    "training": "search.stages.training",
    "finish": "search.stages.finish",
}
"""The module of each stage. They import TensorFlow, so that only worker processes import them."""
