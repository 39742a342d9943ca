"""Limits on the costs of a detector: params, file, memory, latency."""

from __future__ import annotations

import time

import keras
import numpy as np
import optuna

from artifacts.models.inference import probabilities, read_inputs
from data_prep.store.store import Store
from search.config.sections import Limits
from search.detectors.estimate import Estimate

_TIMED = 9


def enforce(trial: optuna.Trial, limits: Limits, found: Estimate) -> None:
    """Refuse a detector whose estimate exceeds a limit.

    Raises:
        optuna.TrialPruned: A limit is exceeded; the trial records by how much.
    """
    costs = {
        "params": (limits.params, found.params, ""),
        "file_mb": (limits.file_mb, found.file_bytes / 1e6, " MB"),
        "memory_gb": (limits.memory_gb, found.memory_bytes / 1e9, " GB"),
    }
    _enforce(trial, costs)


def enforce_latency(trial: optuna.Trial, limits: Limits, milliseconds: float) -> None:
    """Refuse a trained detector that is too slow.

    Raises:
        optuna.TrialPruned: The limit is exceeded; the trial records by how much.
    """
    _enforce(trial, {"latency_ms": (limits.latency_ms, milliseconds, " ms")})


def latency_ms(model: keras.Model, store: Store) -> float:
    """Return the time of a detector for one clip on this machine, in milliseconds: median of nine.

    Args:
        model: The detector as it is exported.
        store: An open store.
    """
    clip = read_inputs(model, store, store.rows("val")[:1])
    probabilities(model, clip)
    taken = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        probabilities(model, clip)
        taken.append(time.perf_counter() - started)
    return 1e3 * float(np.median(taken))


def _enforce(trial: optuna.Trial, costs: dict[str, tuple[float, float, str]]) -> None:
    """Record for the sampler how far each cost exceeds its limit, as a share of the limit."""
    beyond = []
    for name, (limit, cost, unit) in costs.items():
        if not limit:
            continue
        trial.set_constraint(name, cost / limit - 1)
        if cost > limit:
            shown = f"{cost:,.0f}" if name == "params" else f"{cost:.3g}"
            beyond.append(f"{name} would be {shown}{unit}, the limit is {limit:,.12g}")
    if beyond:
        raise optuna.TrialPruned("; ".join(beyond))
