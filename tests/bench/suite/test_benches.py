from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bench.suite import benches as suite


def test_all_benches_together_are_stopped_within_an_hour() -> None:
    assert sum(bench.minutes for bench in suite.BENCHES) < 60
    for bench in suite.BENCHES:
        assert importlib.util.find_spec(bench.module) is not None
        assert "--json" in bench.arguments.split()
        assert "--json" in bench.quick.split()


def test_a_folder_with_spaces_is_one_argument_and_the_command_shown_names_none() -> None:
    (bench,) = suite.chosen("accuracy")
    called = bench.called(Path("/of some/one"), quick=False)
    assert called[:2] == ["--keep", "/of some/one"]
    shown = bench.command(quick=False)
    assert shown.startswith("DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy --keep RESULTS")
    assert "'noise_residual-*,no-pseudo-fakes-*'" in shown
    assert "--json" not in shown


def test_accuracy_is_not_measured_without_real_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench,) = suite.chosen("accuracy")
    for folder in (None, "", str(tmp_path / "nothing")):
        if folder is None:
            monkeypatch.delenv(suite.REAL_DATA, raising=False)
        else:
            monkeypatch.setenv(suite.REAL_DATA, folder)
        why = suite.environment(bench, tmp_path, quick=False)
        assert isinstance(why, str)
        assert why.startswith("DFSEARCH_REAL_DATA names no folder of real videos")
    monkeypatch.setenv(suite.REAL_DATA, str(tmp_path))
    found = suite.environment(bench, tmp_path, quick=False)
    assert isinstance(found, dict)
    assert found[suite.REAL_DATA] == str(tmp_path)


def test_a_trial_never_looks_at_real_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(suite.REAL_DATA, str(tmp_path))
    (bench,) = suite.chosen("preparation")
    found = suite.environment(bench, tmp_path, quick=True)
    assert isinstance(found, dict)
    assert suite.REAL_DATA not in found


def test_benches_are_chosen_by_name() -> None:
    assert suite.chosen("") == list(suite.BENCHES)
    assert [bench.name for bench in suite.chosen("search,storage")] == ["storage", "search"]
    with pytest.raises(ValueError, match="no bench speed; there are storage, prediction"):
        suite.chosen("speed,search")
