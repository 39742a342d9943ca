from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from bench.accuracy import table as tables


def make_clips(people: int = 12, name: str = "set") -> tables.ScoredClips:
    """Return a real and two fakes of each person, scored by two detectors and two baselines."""
    rng = np.random.default_rng(people)
    count = 3 * people
    labels = np.tile([0, 1, 1], people)
    person = np.repeat(np.arange(people), 3)
    good = {seed: labels + rng.normal(0, 0.3, count) for seed in (0, 1)}
    return tables.ScoredClips(
        title=name,
        labels=labels,
        groups=np.array([f"{name} {one}" for one in person]),
        sources=np.where(labels == 1, 3 * person, -1),
        methods=np.tile(["real", "swap", "paint"], people),
        folds=np.zeros(count, np.int64),
        videos=np.array([f"{name} {at}" for at in range(count)]),
        baselines={"sharpness": labels + rng.normal(size=count), "noise": np.zeros(count)},
        trained={"good": good, "blind": {0: rng.normal(size=count)}},
        synthetic=True,
    )


def text_of(table: Table | None) -> str:
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def test_the_margin_is_over_the_best_baseline() -> None:
    found = tables.compute_results(clips := make_clips())
    baseline = found["baseline sharpness"]
    assert baseline["auc"].value > found["baseline noise"]["auc"].value == 0.5
    for figure in ("auc", "pairs"):
        margin = found["good"][f"{figure} margin"]
        expected = found["good"][figure].value - baseline[figure].value
        assert margin.value == pytest.approx(expected)
        assert margin.interval[0] > 0
    assert found["good"]["auc of swap"].value > 0.9
    sentences = tables.describe(clips, found)
    assert len(sentences) == 4
    better = [one for one in sentences if "significantly better than" in one]
    assert [one.partition(",")[0] for one in better] == ["good", "good"]


def test_a_worse_detector_is_reported_as_worse() -> None:
    clips = make_clips()
    reversed_scores = {0: -clips.trained["good"][0]}
    clips = dataclasses.replace(clips, trained={"turned": reversed_scores})
    sentences = tables.describe(clips, tables.compute_results(clips))
    assert all(one.endswith("significantly worse than the best baseline.") for one in sentences)


def test_few_people_give_no_sentences() -> None:
    clips = make_clips(people=3)
    assert tables.describe(clips, tables.compute_results(clips)) == []


def test_pooled_sets_keep_the_trainings_they_share() -> None:
    parts = [make_clips(6, "a"), make_clips(7, "b")]
    del parts[1].trained["good"][1]
    del parts[1].baselines["noise"]
    whole = tables.pool("both", parts)
    assert len(whole.labels) == 39
    assert list(whole.trained["good"]) == [0]
    assert set(whole.baselines) == {"sharpness"}
    reals = whole.sources[whole.labels == 1]
    assert not whole.labels[reals].any()
    assert (whole.groups[reals] == whole.groups[whole.labels == 1]).all()
    assert set(whole.folds) == {0}
    assert set(tables.pool("both", parts, apart=True).folds) == {0, 1}


def test_scores_of_different_folds_are_not_compared() -> None:
    parts = [make_clips(6, "a"), make_clips(7, "b")]
    parts[1].trained["good"][0] += 10
    mixed, apart = (
        tables.compute_results(tables.pool("all", parts, apart=apart))["good"]["auc"].value
        for apart in (False, True)
    )
    assert apart > mixed + 0.1


def test_an_interval_around_zero_is_reported_as_not_significant() -> None:
    clips = make_clips()
    similar = clips.baselines["sharpness"] + np.random.default_rng(3).normal(0, 0.2, 36)
    clips = dataclasses.replace(clips, trained={"alike": {0: similar}})
    sentences = tables.describe(clips, tables.compute_results(clips))
    assert all("not significantly different from" in one for one in sentences)


def test_held_out_methods_are_one_table() -> None:
    held_out = {"swap": {"clips": make_clips(), "matched pairs": make_clips(9)}, "paint": {}}
    shown = text_of(tables.build_held_out_table(held_out))
    values = tables.compute_results(held_out["swap"]["matched pairs"])["good"]
    assert f"{values['auc'].value:.2f}" in shown
    assert "swap" in shown
    assert "paint" not in shown


def test_tables_show_every_detector_and_that_clips_are_synthetic() -> None:
    clips = make_clips()
    found = tables.compute_results(clips)
    text = text_of(tables.build_table(clips, found)) + text_of(
        tables.build_methods_table(clips, found)
    )
    assert "12 real, 24 fake, 24 of them with their original, 12 identity groups, SYNTHETIC" in text
    assert f"{found['good']['auc'].value:.2f}" in text
    for word in ("good", "blind", "baseline sharpness", "swap", "paint"):
        assert word in text
