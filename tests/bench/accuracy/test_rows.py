from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.accuracy import people, rows
from search.config import run_config as configuration


def test_every_row_has_a_name_of_its_own_and_the_first_tell_most() -> None:
    found = rows.in_order([0, 1, 2], ["swap", "paint"])
    names = [row.name for row in found]
    assert len(set(names)) == len(names)
    assert {row.detector for row in found[:2]} == {rows.RECIPE, rows.QUICK}
    assert {row.seed for row in found[:6]} == {0}
    counts = Counter(row.detector for row in found if not row.held_out)
    assert set(counts) == {*rows.RUNS, *rows.ALONE, *rows.PARTS}
    assert set(counts.values()) == {3}
    held_out = Counter((row.held_out, row.seed) for row in found if row.held_out)
    assert set(held_out) == {(method, seed) for method in ("swap", "paint") for seed in (0, 1, 2)}


def test_parts_come_after_the_streams_and_before_methods_held_out() -> None:
    names = [row.name for row in rows.in_order([0], ["swap"])]
    ours = [names.index(f"{part}-0") for part in rows.PARTS]
    assert max(names.index(f"{stream}-0") for stream in rows.ALONE) < min(ours)
    assert max(ours) < names.index("spatial-0-without-swap")
    assert {row.detector for row in rows.in_folds([0])} >= set(rows.PARTS)


def test_a_part_is_the_spatial_row_but_for_what_it_is_the_worth_of() -> None:
    plain, none, fakes, alone = (rows.Row(name, 0) for name in ("spatial", *rows.PARTS))
    places = Path("store.h5"), Path("run")
    assert configuration.differences(plain.config(*places), none.config(*places)) == [
        "objective: generalisation, auc",
        "training.pseudo_fakes: 0.5, 0.0",
    ]
    assert fakes.settings == plain.settings
    assert (none.extras, plain.extras, fakes.extras, alone.extras) == (False, True, True, True)
    assert [row.has_gan for row in (plain, none, fakes, alone)] == [False, False, True, True]


def test_another_gan_is_another_manner_of_the_rows_that_have_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [rows.Row(name, 0) for name in ("spatial", *rows.PARTS)]
    before = [row.manner for row in found]
    assert len(set(before)) == len(found)
    monkeypatch.setattr(rows, "GAN", dict(rows.GAN) | {"steps": 7})
    after = [row.manner for row in found]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]


def test_quick_rows_are_of_one_seed_without_the_long_ones() -> None:
    found = rows.in_order([4, 5], ["swap"], quick=True)
    assert {row.seed for row in found} == {4}
    assert rows.STANDARD not in {row.detector for row in found}
    assert not any(row.held_out for row in found)


def test_in_folds_each_detector_is_trained_once_a_fold() -> None:
    found = rows.in_folds([0, 1])
    counts = Counter((row.detector, row.seed) for row in found)
    assert set(counts.values()) == {people.FOLDS}
    assert len({row.name for row in found}) == len(found)


@pytest.mark.parametrize("detector", [*rows.RUNS, *rows.ONE_TRAINING])
def test_settings_are_ones_a_run_takes(detector: str, tmp_path: Path) -> None:
    places = tmp_path / "a.h5", tmp_path / "run"
    config = rows.Row(detector, 3).config(*places)
    assert config.seed == 3
    if detector == rows.RECIPE:
        assert (config.training.pseudo_fakes, config.training.augmentation) == (0.0, "none")
        assert (config.gan.trials, config.training.trials) == (0, 0)


def test_scores_are_kept_a_line_each_and_a_line_that_was_cut_off_is_lost_alone(
    tmp_path: Path,
) -> None:
    kept = rows.Kept(tmp_path / "scores.jsonl")
    assert kept.entries() == {}
    known = {"manner": "m", "train": "a", "test": "b"}
    entry = {"row": "quick-0", **known, "scores": [0.25, 0.5]}
    kept.add(entry)
    whole = kept.path.read_text()
    kept.path.write_text(whole + '{"row": "quick-1", "tra')
    kept.add(entry | {"row": "quick-2"})
    assert kept.entries() == {
        ("quick-0", "m", "a", "b"): entry,
        ("quick-2", "m", "a", "b"): entry | {"row": "quick-2"},
    }


def test_other_settings_are_another_manner(monkeypatch: pytest.MonkeyPatch) -> None:
    row, stream = rows.Row(rows.QUICK, 0), rows.Row("spatial", 0)
    assert row.manner == rows.Row(rows.QUICK, 0).manner
    before = row.manner, stream.manner
    monkeypatch.setattr(rows, "EPOCHS", 3)
    monkeypatch.setitem(configuration.PRESETS["quick"]["architecture"], "trials", 7)
    assert row.manner != before[0]
    assert stream.manner != before[1]
    assert rows.Row(rows.STANDARD, 0).manner != rows.Row(rows.QUICK, 0).manner


def test_where_a_row_runs_is_not_how_it_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows.Row(rows.QUICK, 0).manner
    monkeypatch.setitem(rows.RUNS, rows.QUICK, {**rows.RUNS[rows.QUICK], "workers": 2})
    assert rows.Row(rows.QUICK, 0).manner == before
