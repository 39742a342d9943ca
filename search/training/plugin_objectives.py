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


def own(
    name: str,
    labels: npt.NDArray[np.uint8],
    methods: npt.NDArray[np.str_] | None,
    probabilities: npt.NDArray[np.floating],
) -> float:
    """What an objective of another package makes of the validation clips, highest best.

    Args:
        name: of the objective.
        labels: (N,), 1 for fakes.
        methods: (N,), manipulation methods, ``real`` for reals.
        probabilities: float (N,), 0 to 1, of being fake.

    Raises:
        UserError: no package adds it here, it cannot be imported, it fails, or gives no number.
    """
    plugin, function = _loaded(name)
    with plugin.running():
        # Its own copies: what it does to them must not reach the training.
        found = function(labels.copy(), np.array(methods), probabilities.astype(np.float64))
    if not isinstance(found, numbers.Real) or not math.isfinite(found):
        raise plugin.refusal(f"gives {found!r}, expected a finite number")
    return float(found)


@functools.cache
def _loaded(name: str) -> tuple[plugins.Plugin, Callable[..., Any]]:
    """An objective and its function, looked up once a process: it is asked after every epoch."""
    plugin = plugins.named(plugins.OBJECTIVES, name, OBJECTIVES)
    function = plugin.load()
    if not callable(function):
        raise plugin.refusal(f"is {type(function).__name__}, expected a function")
    return plugin, function
