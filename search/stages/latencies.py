"""Latency of the kept models for one clip, measured while nothing else runs.

Trials that run side by side slow each other down. So the run measures at its end, one model after
another. Each architecture is measured once, since training does not change latency.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
from optuna.trial import FrozenTrial

from artifacts import records
from artifacts.run_directory import RunDirectory, write_json
from artifacts.stages import ARCHITECTURE, DETECTOR_STAGES, Stage
from data_prep.store.store import Store
from search.config.run_config import RunConfig
from search.detectors.limits import latency_ms
from search.stages import training
from search.studies.study import (
    best_trials,
    open_study,
)
from search.trials.trial import MODEL_FILE, failure_reason


def measure(config: RunConfig, run: RunDirectory, store: Store) -> list[str]:
    """Write ``latencies.json``: milliseconds by ``STAGE/TRIAL`` of every kept detector.

    Args:
        config: Run configuration.
        run: Run directory.
        store: Store of the run, open.

    Returns:
        A line for each model that does not load, which therefore has no latency.
    """
    failed: list[str] = []
    of_architecture: dict[int, float] = {}
    found: dict[str, float] = {}
    for stage, trial in _kept(config, run):
        number = _architecture(stage, trial)
        if number not in of_architecture:
            path = run.trial(stage, trial.number) / MODEL_FILE
            try:
                model = keras.models.load_model(path, compile=False)
                of_architecture[number] = round(latency_ms(model, store), 2)
            except Exception as error:
                failed.append(
                    f"latency of {stage} {trial.number} is not known: {failure_reason(error)}"
                )
                continue
        found[f"{stage}/{trial.number}"] = of_architecture[number]
    write_json(run.latencies, found)
    return failed


def _kept(config: RunConfig, run: RunDirectory) -> Iterator[tuple[Stage, FrozenTrial]]:
    for stage in DETECTOR_STAGES:
        for trial in best_trials(open_study(run, stage), config.kept_trials):
            if (run.trial(stage, trial.number) / MODEL_FILE).is_file():
                yield stage, trial


def _architecture(stage: Stage, trial: FrozenTrial) -> int:
    """Return the number of the architecture that a trial trained."""
    if stage == ARCHITECTURE:
        return trial.number
    return int(trial.user_attrs[records.HYPERPARAMETERS][training.CHOSEN_ARCHITECTURE])
