from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from search.config.sections import Limits
from search.detectors import limits
from search.detectors.estimate import Estimate
from search.studies.samplers import RepeatableSampler


def estimate_of(params: int) -> Estimate:
    return Estimate(params, file_bytes=4 * params, memory_bytes=16 * params)


def test_within_the_limits_nothing_happens_but_the_sampler_is_told() -> None:
    trial = optuna.create_study().ask()
    limits.enforce(trial, Limits(params=100, file_mb=1.0), estimate_of(50))
    assert trial.constraints == {"params": -0.5, "file_mb": pytest.approx(-0.9998)}


def test_without_limits_nothing_is_told() -> None:
    trial = optuna.create_study().ask()
    limits.enforce(trial, Limits(), estimate_of(10**12))
    assert trial.constraints == {}


def test_every_limit_that_would_be_broken_is_named_with_both_figures() -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(optuna.TrialPruned) as told:
        limits.enforce(
            trial, Limits(params=1000, memory_gb=1.0, file_mb=9000.0), estimate_of(200_000_000)
        )
    assert str(told.value) == (
        "params would be 200,000,000, the limit is 1,000; memory_gb would be 3.2 GB, the limit is 1"
    )
    assert trial.constraints["memory_gb"] == pytest.approx(2.2)
    assert trial.constraints["file_mb"] < 0


def test_a_sampler_learns_to_stay_within_the_limits() -> None:
    def broken(name: str) -> int:
        study = optuna.create_study(study_name="s", direction="maximize")
        study.sampler = RepeatableSampler(name, 0)  # type: ignore[arg-type]
        for _ in range(50):
            trial = study.ask()
            size = trial.suggest_float("size", 0, 1)
            try:
                limits.enforce(trial, Limits(params=300), estimate_of(round(1000 * size)))
                study.tell(trial, size)
            except optuna.TrialPruned:
                study.tell(trial, state=TrialState.PRUNED)
        return sum(trial.state == TrialState.PRUNED for trial in study.trials[-25:])

    assert broken("tpe") <= broken("random") - 5
