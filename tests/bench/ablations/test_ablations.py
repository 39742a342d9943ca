from __future__ import annotations

import argparse
import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.ablations import ablations, comparison, real, synthetic
from bench.accuracy import data, rows
from bench.accuracy.table import ScoredClips
from data_prep.store.store import Clip, Store, write_store
from search.config import run_config
from search.config.changes import find_changes

MakeClip = Callable[..., Clip]
PART = comparison.Comparison("the part", "with", "without")

ROOT = Path(__file__).parents[3]


def make_clips(people: int = 12, gain: float = 2.0) -> ScoredClips:
    """Return a real and two fakes of each person; the part raises the scores of swaps."""
    rng = np.random.default_rng(people)
    count = 3 * people
    labels = np.tile([0, 1, 1], people)
    swaps = np.tile([0, 1, 0], people)
    person = np.repeat(np.arange(people), 3)
    noise = {seed: rng.normal(size=count) for seed in (0, 1)}
    return ScoredClips(
        title="set",
        labels=labels,
        groups=np.array([str(one) for one in person]),
        sources=np.where(labels == 1, 3 * person, -1),
        methods=np.tile(["real", "swap", "paint"], people),
        folds=np.zeros(count, np.int64),
        videos=np.array([str(at) for at in range(count)]),
        baselines={},
        trained={
            "with": {seed: values + gain * swaps for seed, values in noise.items()},
            "without": {**noise, 2: noise[0]},
            "blind": {0: rng.normal(size=count)},
        },
        synthetic=True,
    )


def compare(clips: ScoredClips, pair: comparison.Comparison = PART) -> comparison.Effect:
    found = comparison.compare(clips, pair)
    assert found is not None
    return found


def test_an_effect_uses_the_seeds_that_both_detectors_have() -> None:
    found = compare(make_clips())
    assert set(found.seeds) == {0, 1}
    assert found.difference["auc"].value == pytest.approx(
        found.ours["auc"].value - found.theirs["auc"].value
    )
    assert found.difference["auc"].value == pytest.approx(np.mean(list(found.seeds.values())))
    assert found.difference["pairs"].value > 0
    assert found.methods["swap"].value > 0.3
    assert found.methods["paint"].value == 0


def test_significant_and_other_differences_are_reported() -> None:
    text = comparison.describe(compare(make_clips()))
    assert text.startswith("the part: difference in AUC +0.")
    assert text.endswith("), significantly better.")
    assert comparison.describe(compare(make_clips(gain=-2.0))).endswith("), significantly worse.")
    nothing = compare(make_clips(), comparison.Comparison("noise", "blind", "without"))
    assert comparison.describe(nothing).endswith("), not significant.")


def test_few_people_give_no_interval() -> None:
    found = compare(make_clips(people=4))
    assert found.difference["auc"].interval is None
    assert comparison.describe(found).endswith("too few people.")


def test_comparisons_without_scores_are_named() -> None:
    other = comparison.Comparison("else", "with", "nowhere")
    found = ablations.compare_all(make_clips(), [PART, other])
    assert [one.comparison for one in found.effects] == [PART]
    assert found.absent == ["else"]
    assert found.title.endswith("12 identity groups, SYNTHETIC")


def test_tables_show_intervals_each_seed_and_each_method() -> None:
    console = Console(width=160, file=io.StringIO(), record=True)
    found = [compare(make_clips())]
    console.print(comparison.build_table("clips", found))
    console.print(comparison.build_methods_table("clips", found))
    text = console.export_text()
    difference = found[0].difference["auc"]
    assert difference.interval is not None
    low, high = difference.interval
    assert f"{difference.value:+.2f} [{low:+.2f}, {high:+.2f}]" in text
    assert ", ".join(f"{value:+.2f}" for value in found[0].seeds.values()) in text
    assert "paint" in text


def test_logits_are_averaged_over_the_seeds_that_all_detectors_have() -> None:
    odds = {"a": {0: [0.5, 0.2], 1: [0.5, 0.5]}, "b": {0: [0.9, 0.8]}}
    trained = {
        name: {seed: np.array(scores) for seed, scores in of_seeds.items()}
        for name, of_seeds in odds.items()
    }
    clips = dataclasses.replace(make_clips(), trained=trained)
    found = comparison.average_logits(clips, ("a", "b"))
    assert list(found) == [0]
    # Of odds 1 and 9 the geometric mean is 3, of 1/4 and 4 it is 1.
    np.testing.assert_allclose(found[0], [0.75, 0.5])
    assert comparison.average_logits(clips, ("a", "nowhere")) == {}


def test_every_comparison_uses_rows_that_are_trained() -> None:
    for one in ablations.SYNTHETIC_COMPARISONS:
        assert {one.ours, one.theirs} <= set(synthetic.VARIANTS)
    trained = {row.detector for row in real.order_rows([0])}
    for one in real.COMPARISONS:
        for name in (one.ours, one.theirs):
            assert set(real.JOINED.get(name, (name,))) <= trained


def test_compared_variants_differ_in_one_setting() -> None:
    whole = dataclasses.asdict(synthetic.VARIANTS[synthetic.ALL])
    for question in ablations.SYNTHETIC_COMPARISONS:
        sides = [synthetic.VARIANTS[name] for name in (question.ours, question.theirs)]
        if any(variant.run for variant in sides):
            continue
        ours, theirs = map(dataclasses.asdict, sides)
        assert len([name for name in whole if ours[name] != theirs[name]]) == 1
    searches = [synthetic.VARIANTS[name].run for name in (synthetic.SEARCH, synthetic.TWO_TRIALS)]
    places = {"store": Path("store.h5"), "run_dir": Path("run")}
    both = [run_config.resolve({**(settings or {}), **places}) for settings in searches]
    changes = find_changes(*map(run_config.decisive, both))
    changed = {*changes.raised, *changes.lowered, *changes.others}
    assert changed == {"space.streams", "architecture.trials"}


def test_rows_have_unique_names_and_one_seed_when_quick() -> None:
    for found in (
        [row.name for row in ablations.list_synthetic_rows([0, 1], quick=False)],
        [row.name for row in real.order_rows([0, 1])],
    ):
        assert len(set(found)) == len(found)
    quick = ablations.list_synthetic_rows([3, 4], quick=True)
    assert {row.seed for row in quick} == {3}
    assert not {row.variant for row in quick} & set(synthetic.SEARCH_VARIANTS)
    digests = {row.settings_digest for row in ablations.list_synthetic_rows([0], quick=False)}
    assert len(digests) == len(synthetic.VARIANTS)


def test_the_epochs_argument_does_not_change_searches() -> None:
    rows = ablations.list_synthetic_rows([0], quick=False, epochs=30)
    assert {row.epochs for row in rows if row.variant not in synthetic.SEARCH_VARIANTS} == {30}
    searches = [row for row in rows if row.variant in synthetic.SEARCH_VARIANTS]
    assert {row.epochs for row in searches} == {synthetic.EPOCHS}


def test_a_third_of_the_identity_groups_is_for_testing() -> None:
    found = synthetic.assign_splits([f"p{number % 24}" for number in range(96)])
    sides = list(found.values())
    assert {side: sides.count(side) for side in set(sides)} == {"test": 8, "val": 4, "train": 12}


def test_scores_of_other_settings_are_used_only_on_request(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [make_clip("anna"), make_clip("anna", "swap")]
    path = tmp_path / "stores" / "train-forged.h5"
    path.parent.mkdir()
    write_store(path, clips, [], {})
    with Store(path) as store:
        mark = store.fingerprint
    row = rows.Row(rows.RGB, 0)
    entry = {"row": row.name, "manner": "before", "train": mark, "test": mark, "scores": [0, 1]}
    kept = rows.ScoreFile(tmp_path / "scores.jsonl")
    kept.add(entry)
    kept.add(entry | {"test": "others"})
    tested = [data.TestSet("set", path, None, "all")]
    monkeypatch.setattr(rows.data, "_write", lambda *_: pytest.fail("a store was made"))
    chosen = argparse.Namespace(keep=tmp_path, as_kept=False)
    wanted = row.name, row.settings_digest, mark, mark
    assert wanted not in real.find_scores(chosen, [row], tested, kept)
    chosen.as_kept = True
    found = real.find_scores(chosen, [row], tested, kept)
    assert found[wanted] == entry
    kept.add(entry | {"manner": row.settings_digest, "scores": [1, 0]})
    assert real.find_scores(chosen, [row], tested, kept)[wanted]["scores"] == [1, 0]


def test_grey_adds_nothing_that_a_network_cannot_compute_from_colour() -> None:
    from bench.accuracy import channels
    from search.detectors.space import build_detector
    from search.studies.hyperparameters import fixed_hyperparameters

    four, three = (
        build_detector(
            channels.build_channels_space((2, 32, 32, 4), name), fixed_hyperparameters({}), 0
        )
        for name in (rows.RGB_GREY, rows.RGB)
    )
    kernel = four.get_layer("spatial_stage1_conv").get_weights()[0]
    assert kernel.shape[-2] == 4
    for layer in four.layers:
        if layer.weights and layer.name != "spatial_channels":
            weights = layer.get_weights()
            if layer.name == "spatial_stage1_conv":
                weights = [channels.merge_grey(kernel)]
            three.get_layer(layer.name).set_weights(weights)
    rng = np.random.default_rng(0)
    # Sums of the three colours that three divides: grey is then their mean without rounding.
    colour = 3 * rng.integers(0, 86, (4, 2, 32, 32, 3))
    frames = np.concatenate([colour, colour.mean(axis=-1, keepdims=True)], axis=-1)
    clips = frames.astype(np.uint8)
    answers = [model.predict_on_batch(clips) for model in (four, three)]
    assert answers[0].std() > 0
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
    unlike = clips.copy()
    unlike[..., 3] = 255 - unlike[..., 3]
    assert abs(four.predict_on_batch(unlike) - answers[0]).max() > 1e-3
    np.testing.assert_array_equal(three.predict_on_batch(unlike), answers[1])


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != data.VARIABLE}
    environment["COLUMNS"] = "160"
    command = [sys.executable, "-m", "bench.ablations", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )


def test_invalid_seeds_are_a_one_line_error(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--seeds", "one")
    assert done.returncode == 2
    assert done.stderr == "error: --seeds takes whole numbers such as 0,1,2, not one\n"


@pytest.mark.slow
def test_synthetic_rows_are_trained_compared_and_kept(tmp_path: Path) -> None:
    only = "drawn/rgb-0,drawn/rgb-grey-0"
    done = bench("--keep", tmp_path, "--quick", "--only", only)
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" in done.stdout
    assert "grey in addition to colour: " in done.stdout
    assert "not compared, scores missing: spatial stream; " in done.stdout
    entries = rows.ScoreFile(tmp_path / "ablations.jsonl").entries()
    assert {name for name, *_ in entries} == set(only.split(","))
    again = bench("--keep", tmp_path, "--quick", "--only", only, "--minutes", 0)
    assert again.stdout == done.stdout
    more = bench("--keep", tmp_path, "--quick", "--only", f"{only},drawn/all-0", "--minutes", 0)
    assert "missing; to continue, repeat the command: drawn/all-0" in more.stdout
