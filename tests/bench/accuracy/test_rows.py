from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.accuracy import people, rows
from search.config import run_config
from search.config.changes import find_changes


def test_every_row_has_a_unique_name_and_the_most_informative_come_first() -> None:
    found = rows.order_rows([0, 1, 2], ["swap", "paint"])
    names = [row.name for row in found]
    assert len(set(names)) == len(names)
    assert {row.detector for row in found[:2]} == {rows.RECIPE, rows.QUICK}
    assert {row.seed for row in found[:6]} == {0}
    counts = Counter(row.detector for row in found if not row.held_out)
    assert set(counts) == {*rows.SEARCHES, *rows.SINGLE_STREAMS, *rows.VARIANTS}
    assert set(counts.values()) == {3}
    held_out = Counter((row.held_out, row.seed) for row in found if row.held_out)
    assert set(held_out) == {(method, seed) for method in ("swap", "paint") for seed in (0, 1, 2)}


def test_variants_come_after_the_streams_and_before_held_out_methods() -> None:
    names = [row.name for row in rows.order_rows([0], ["swap"])]
    ours = [names.index(f"{part}-0") for part in rows.VARIANTS]
    assert max(names.index(f"{stream}-0") for stream in rows.SINGLE_STREAMS) < min(ours)
    assert max(ours) < names.index("spatial-0-without-swap")
    assert {row.detector for row in rows.fold_rows([0])} >= set(rows.VARIANTS)


def test_a_variant_differs_from_the_spatial_row_in_one_setting() -> None:
    plain, none, fakes, alone = (rows.Row(name, 0) for name in ("spatial", *rows.VARIANTS))
    places = Path("store.h5"), Path("run")
    settings = [run_config.decisive(row.config(*places)) for row in (plain, none)]
    assert find_changes(*settings).others == {
        "objective": "objective: generalisation, auc",
        "training.pseudo_fakes": "training.pseudo_fakes: 0.5, 0.0",
    }
    assert fakes.settings == plain.settings
    assert (none.extras, plain.extras, fakes.extras, alone.extras) == (False, True, True, True)
    assert [row.has_gan for row in (plain, none, fakes, alone)] == [False, False, True, True]


def test_the_gan_settings_change_the_digest_of_rows_with_a_gan_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [rows.Row(name, 0) for name in ("spatial", *rows.VARIANTS)]
    before = [row.settings_digest for row in found]
    assert len(set(before)) == len(found)
    monkeypatch.setattr(rows, "GAN", dict(rows.GAN) | {"steps": 7})
    after = [row.settings_digest for row in found]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]


def test_quick_rows_have_one_seed_and_no_long_rows() -> None:
    found = rows.order_rows([4, 5], ["swap"], quick=True)
    assert {row.seed for row in found} == {4}
    assert rows.STANDARD not in {row.detector for row in found}
    assert not any(row.held_out for row in found)


def test_each_detector_is_trained_once_a_fold() -> None:
    found = rows.fold_rows([0, 1])
    counts = Counter((row.detector, row.seed) for row in found)
    assert set(counts.values()) == {people.FOLDS}
    assert len({row.name for row in found}) == len(found)


@pytest.mark.parametrize("detector", [*rows.SEARCHES, *rows.SINGLE_TRAININGS])
def test_the_settings_of_a_row_make_a_valid_run_configuration(
    detector: str, tmp_path: Path
) -> None:
    places = tmp_path / "a.h5", tmp_path / "run"
    config = rows.Row(detector, 3).config(*places)
    assert config.seed == 3
    if detector == rows.RECIPE:
        assert (config.training.pseudo_fakes, config.training.augmentation) == (0.0, "none")
        assert (config.gan.trials, config.training.trials) == (0, 0)


def test_an_incomplete_line_of_the_score_file_loses_no_other_line(
    tmp_path: Path,
) -> None:
    kept = rows.ScoreFile(tmp_path / "scores.jsonl")
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


def test_other_settings_have_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    row, stream = rows.Row(rows.QUICK, 0), rows.Row("spatial", 0)
    assert row.settings_digest == rows.Row(rows.QUICK, 0).settings_digest
    before = row.settings_digest, stream.settings_digest
    monkeypatch.setattr(rows, "SAMPLES", 3)
    monkeypatch.setitem(run_config.PRESETS["quick"]["architecture"], "trials", 7)
    assert row.settings_digest != before[0]
    assert stream.settings_digest != before[1]
    assert rows.Row(rows.STANDARD, 0).settings_digest != rows.Row(rows.QUICK, 0).settings_digest


def test_the_number_of_workers_does_not_change_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows.Row(rows.QUICK, 0).settings_digest
    monkeypatch.setitem(rows.SEARCHES, rows.QUICK, {**rows.SEARCHES[rows.QUICK], "workers": 2})
    assert rows.Row(rows.QUICK, 0).settings_digest == before
