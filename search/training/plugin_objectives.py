"""Objectives that other installed packages add."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep import plugins
from search.config.names import OBJECTIVES


def plugin_value(
    name: str,
    labels: npt.NDArray[np.uint8],
    methods: npt.NDArray[np.str_] | None,
    probabilities: npt.NDArray[np.floating],
) -> float:
    """Return the value of an objective of another package on the validation clips, highest best.

    Args:
        name: Name of the objective.
        labels: (N,), 1 for fakes.
        methods: (N,), manipulation methods, ``real`` for reals.
        probabilities: Float (N,), probability of being fake, 0 to 1.

    Raises:
        UserError: No installed package adds it, it cannot be imported, it fails, or it returns no
            finite number.
    """
    plugin, function = _loaded(name)
    with plugin.running():
        # Copies, so that the function cannot change the arrays of the training.
        found = function(labels.copy(), np.array(methods), probabilities.astype(np.float64))
    if not isinstance(found, numbers.Real) or not math.isfinite(found):
        raise plugin.refusal(f"gives {found!r}, expected a finite number")
    return float(found)


@functools.cache
def _loaded(name: str) -> tuple[plugins.Plugin, Callable[..., Any]]:
    """Return an objective and its function; cached, since every epoch calls it."""
    plugin = plugins.find_plugin(plugins.OBJECTIVES, name, OBJECTIVES)
    function = plugin.load()
    if not callable(function):
        raise plugin.refusal(f"is {type(function).__name__}, expected a function")
    return plugin, function
