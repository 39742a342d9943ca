"""Plots of a search are of what was tried, under the values that were meant."""

from __future__ import annotations

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from artifacts.report.parts import Figure, Missing, Part
from artifacts.report.search import history_parts, search_parts
from artifacts.stages import ARCHITECTURE


def _figures(parts: list[Part]) -> list[Figure]:
    return [part for part in parts if isinstance(part, Figure)]


def test_a_choice_asked_for_as_an_index_stands_there_as_the_number_it_meant() -> None:
    ranges = {"detector/spatial/filters": IntDistribution(0, 2)}
    trials = [
        optuna.create_trial(
            value=0.5 + 0.1 * index,
            params={"detector/spatial/filters": index},
            distributions=dict(ranges),
            user_attrs={"hyperparameters": {"detector/spatial/filters": filters}},
        )
        for index, filters in enumerate((8, 16, 32))
    ]
    study = history_parts(ARCHITECTURE, trials)
    assert [trial.params for trial in study.trials] == [
        {"spatial/filters": 8},
        {"spatial/filters": 16},
        {"spatial/filters": 32},
    ]


def test_the_history_has_every_complete_trial_under_its_number(
    searched: dict[str, list[FrozenTrial]],
) -> None:
    history = _figures(search_parts(searched))[0]
    points = history.figure.data[0]
    assert list(points.x) == [0, 1, 2]
    assert list(points.y) == [0.81, 0.92, 0.70]
    assert "the best is 0.920" in history.alternative


def test_the_front_has_what_nothing_is_better_and_cheaper_than(
    searched: dict[str, list[FrozenTrial]],
) -> None:
    front = _figures(search_parts(searched))[-1]
    assert front.caption.endswith("both better and cheaper: architecture 1.")
    others, best = front.figure.data
    assert (best.x, best.y) == ((0.92,), (2000.0,))
    assert len(others.x) == 2


def test_latency_is_the_cost_where_it_was_measured(
    searched: dict[str, list[FrozenTrial]],
) -> None:
    trials = [
        optuna.create_trial(value=value, user_attrs={"latency_ms": ms, "params": 1})
        for value, ms in ((0.9, 20.0), (0.8, 5.0), (0.7, 9.0))
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    front = _figures(search_parts({"training": trials}))[-1]
    assert "milliseconds a clip" in front.alternative
    assert front.caption.endswith("training 0, training 1.")


def test_a_study_of_two_objectives_is_plotted_too() -> None:
    trials = [
        optuna.create_trial(
            values=[value, cost],
            params={"learning_rate": value / 100},
            distributions={"learning_rate": FloatDistribution(1e-4, 1e-1, log=True)},
            user_attrs={"file_mb": cost, "hyperparameters": {"learning_rate": value / 100}},
        )
        for value, cost in ((0.9, 4.0), (0.8, 2.0), (0.85, 3.0))
    ]
    parts = search_parts({"architecture": trials})
    assert not [part for part in parts if isinstance(part, Missing)]


def test_a_search_that_has_not_begun_or_completed_says_so(
    searched: dict[str, list[FrozenTrial]],
) -> None:
    (nothing,) = search_parts({})
    assert isinstance(nothing, Missing)
    waiting = optuna.create_trial(state=TrialState.FAIL)
    parts = search_parts({"architecture": [waiting]})
    assert not _figures(parts)
    assert [part.why for part in parts if isinstance(part, Missing)] == [
        "no trial of this stage is complete yet.",
        "no detector trial is complete yet.",
    ]


def test_one_complete_trial_gives_a_history_and_reasons_for_the_rest() -> None:
    trial = optuna.create_trial(
        value=0.6,
        params={"units": 1},
        distributions={"units": IntDistribution(0, 3)},
        user_attrs={"params": 10, "hyperparameters": {"units": 16}},
    )
    parts = search_parts({"architecture": [trial]})
    assert len(_figures(parts)) == 2
    missing = {part.what: part.why for part in parts if isinstance(part, Missing)}
    assert set(missing) == {"Hyperparameter importance", "Parallel coordinates"}
    assert all("\n" not in why and why.endswith(".") for why in missing.values())


def test_of_many_trials_the_parallel_coordinates_show_the_best() -> None:
    trials = [
        optuna.create_trial(
            value=number / 1000,
            params={"units": number % 4},
            distributions={"units": IntDistribution(0, 3)},
            user_attrs={"params": 10 + number, "hyperparameters": {"units": number % 4}},
        )
        for number in range(250)
    ]
    figures = _figures(search_parts({"architecture": trials}))
    (lines,) = [each for each in figures if "200" in each.caption]
    assert lines.caption == (
        "The best 200 complete trials, from the validation score through the choices."
    )
    *drawn, _ = lines.figure.data
    assert len(drawn) == 200
    history = figures[0].figure.data[0]
    assert len(history.x) == 250
