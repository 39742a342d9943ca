from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bench.suite import benches as suite


def test_the_time_limits_of_all_benches_are_below_an_hour() -> None:
    assert sum(bench.minutes for bench in suite.BENCHES) < 60
    for bench in suite.BENCHES:
        assert importlib.util.find_spec(bench.module) is not None
        assert "--json" in bench.arguments.split()
        assert "--json" in bench.quick.split()


def test_a_folder_with_spaces_is_one_argument_and_the_shown_command_has_a_placeholder() -> None:
    (bench,) = suite.select("accuracy")
    arguments = bench.build_arguments(Path("/of some/one"), quick=False)
    assert arguments[:2] == ["--keep", "/of some/one"]
    shown = bench.build_command(quick=False)
    assert shown.startswith("DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy --keep RESULTS")
    assert "'noise_residual-*,no-pseudo-fakes-*'" in shown
    assert "--json" not in shown


def test_accuracy_needs_real_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench,) = suite.select("accuracy")
    for folder in (None, "", str(tmp_path / "nothing")):
        if folder is None:
            monkeypatch.delenv(suite.REAL_DATA, raising=False)
        else:
            monkeypatch.setenv(suite.REAL_DATA, folder)
        reason = suite.build_environment(bench, tmp_path, quick=False)
        assert isinstance(reason, str)
        assert reason.startswith("DFSEARCH_REAL_DATA names no folder of real videos")
    monkeypatch.setenv(suite.REAL_DATA, str(tmp_path))
    found = suite.build_environment(bench, tmp_path, quick=False)
    assert isinstance(found, dict)
    assert found[suite.REAL_DATA] == str(tmp_path)


def test_a_quick_check_never_uses_real_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(suite.REAL_DATA, str(tmp_path))
    (bench,) = suite.select("preparation")
    found = suite.build_environment(bench, tmp_path, quick=True)
    assert isinstance(found, dict)
    assert suite.REAL_DATA not in found


def test_benches_are_selected_by_name() -> None:
    assert suite.select("") == list(suite.BENCHES)
    assert [bench.name for bench in suite.select("search,storage")] == ["storage", "search"]
    with pytest.raises(ValueError, match="unknown bench speed: choose from storage, prediction"):
        suite.select("speed,search")
