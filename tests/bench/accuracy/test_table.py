from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from bench.accuracy import table as tables


def judged(people: int = 12, name: str = "set") -> tables.Judged:
    """Of each person a real and two fakes, with scores of two detectors and of no training."""
    rng = np.random.default_rng(people)
    count = 3 * people
    labels = np.tile([0, 1, 1], people)
    person = np.repeat(np.arange(people), 3)
    good = {seed: labels + rng.normal(0, 0.3, count) for seed in (0, 1)}
    return tables.Judged(
        title=name,
        labels=labels,
        groups=np.array([f"{name} {one}" for one in person]),
        sources=np.where(labels == 1, 3 * person, -1),
        methods=np.tile(["real", "swap", "paint"], people),
        folds=np.zeros(count, np.int64),
        videos=np.array([f"{name} {at}" for at in range(count)]),
        untrained={"sharpness": labels + rng.normal(size=count), "noise": np.zeros(count)},
        trained={"good": good, "blind": {0: rng.normal(size=count)}},
        synthetic=True,
    )


def text_of(table: Table | None) -> str:
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def test_detectors_are_compared_with_the_best_score_without_training() -> None:
    found = tables.results(clips := judged())
    untrained = found["untrained sharpness"]
    assert untrained["auc"].value > found["untrained noise"]["auc"].value == 0.5
    for figure in ("auc", "pairs"):
        ahead = found["good"][f"{figure} ahead"]
        expected = found["good"][figure].value - untrained[figure].value
        assert ahead.value == pytest.approx(expected)
        assert ahead.interval[0] > 0
    assert found["good"]["auc of swap"].value > 0.9
    said = tables.sentences(clips, found)
    assert len(said) == 4
    above = [one for one in said if one.endswith(": above the best score without training.")]
    assert [one.partition(",")[0] for one in above] == ["good", "good"]


def test_a_detector_below_is_said_to_be_below() -> None:
    clips = judged()
    reversed_scores = {0: -clips.trained["good"][0]}
    clips = dataclasses.replace(clips, trained={"turned": reversed_scores})
    said = tables.sentences(clips, tables.results(clips))
    assert all(one.endswith("below the best score without training.") for one in said)


def test_nothing_is_said_of_few_people() -> None:
    clips = judged(people=3)
    assert tables.sentences(clips, tables.results(clips)) == []


def test_several_sets_are_judged_as_one_with_the_trainings_they_share() -> None:
    parts = [judged(6, "a"), judged(7, "b")]
    del parts[1].trained["good"][1]
    del parts[1].untrained["noise"]
    whole = tables.together("both", parts)
    assert len(whole.labels) == 39
    assert list(whole.trained["good"]) == [0]
    assert set(whole.untrained) == {"sharpness"}
    reals = whole.sources[whole.labels == 1]
    assert not whole.labels[reals].any()
    assert (whole.groups[reals] == whole.groups[whole.labels == 1]).all()
    assert set(whole.folds) == {0}
    assert set(tables.together("both", parts, apart=True).folds) == {0, 1}


def test_folds_of_detectors_of_their_own_are_not_compared() -> None:
    parts = [judged(6, "a"), judged(7, "b")]
    parts[1].trained["good"][0] += 10
    mixed, apart = (
        tables.results(tables.together("all", parts, apart=apart))["good"]["auc"].value
        for apart in (False, True)
    )
    assert apart > mixed + 0.1


def test_an_interval_over_zero_is_said_to_tell_nothing() -> None:
    clips = judged()
    alike = clips.untrained["sharpness"] + np.random.default_rng(3).normal(0, 0.2, 36)
    clips = dataclasses.replace(clips, trained={"alike": {0: alike}})
    said = tables.sentences(clips, tables.results(clips))
    assert all("which includes zero: not told from" in one for one in said)


def test_methods_held_out_are_one_table() -> None:
    held_out = {"swap": {"clips": judged(), "matched pairs": judged(9)}, "paint": {}}
    shown = text_of(tables.held_out_table(held_out))
    values = tables.results(held_out["swap"]["matched pairs"])["good"]
    assert f"{values['auc'].value:.2f}" in shown
    assert "swap" in shown
    assert "paint" not in shown


def test_tables_show_every_detector_and_say_synthetic() -> None:
    clips = judged()
    found = tables.results(clips)
    text = text_of(tables.table(clips, found)) + text_of(tables.methods_table(clips, found))
    assert (
        "12 real, 24 fake, 24 of them with their original, 12 groups of people, SYNTHETIC" in text
    )
    assert f"{found['good']['auc'].value:.2f}" in text
    for word in ("good", "blind", "untrained sharpness", "swap", "paint"):
        assert word in text
