"""The bench of the search: process records, figures, and that each part runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.search import material, parts, report, watch

ROOT = Path(__file__).parents[3]
CASE = parts.QUICK.unfrozen


def write_script(folder: Path, text: str) -> list[str]:
    path = folder / "script.py"
    path.write_text(text)
    return [str(path)]


def make_record(engine: str, ends: list[float], aucs: list[float | None]) -> parts.SearchRecord:
    return parts.SearchRecord(engine, CASE, 0, 1, ends, aucs, 0, 0, [])


def test_memory_includes_children_and_incomplete_events_are_skipped(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    child = "import time; block = bytearray(150_000_000); time.sleep(2)"
    text = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
        f"open({str(events)!r}, 'a').write('{{\"trial\": 3}}\\n{{\"tri')\n"
    )
    done = watch.watch_process(write_script(tmp_path, text), events)
    assert done.ended == ""
    assert done.events == [{"trial": 3}]
    assert 150e6 < done.own_peak <= done.peak < 400e6


def test_a_process_is_stopped_for_its_memory_or_when_it_has_done_enough(
    tmp_path: Path,
) -> None:
    events = tmp_path / "events.jsonl"
    hungry = write_script(tmp_path, "import time; block = bytearray(300_000_000); time.sleep(600)")
    done = watch.watch_process(hungry, events, most=100e6 / watch.psutil.virtual_memory().total)
    assert done.ended.startswith("killed at 0.")
    text = f"import time; open({str(events)!r}, 'w').write('{{}}\\n'); time.sleep(600)"
    done = watch.watch_process(
        write_script(tmp_path, text), events, enough=lambda events, seconds: bool(events)
    )
    assert (done.ended, done.events) == ("", [{}])


def test_a_failure_has_the_last_line_as_reason(tmp_path: Path) -> None:
    failing = write_script(tmp_path, "raise ValueError('no such thing')")
    done = watch.watch_process(failing, tmp_path / "events.jsonl")
    assert done.ended == "exit code 1: ValueError: no such thing"


def test_trainings_after_the_last_trial_are_not_counted() -> None:
    events = [
        {"seconds": 10.0, "trial": 0, "state": "complete", "auc": 0.6, "why": ""},
        {"seconds": 20.0, "trial": 1, "state": "failed", "auc": None, "why": "out of memory"},
        {"seconds": 35.0, "trial": -1, "state": "complete", "auc": 0.9, "why": ""},
    ]
    found = parts.read_search(
        "autokeras", CASE, watch.ProcessRecord(events, 40.0, 2, 1, ""), seed=0, workers=1, trials=2
    )
    assert (found.ends, found.aucs) == ([10.0, 20.0], [0.6, None])
    assert found.notes == ["1 of 2 trials failed: out of memory"]
    assert found.per_hour == 360.0
    assert [found.best_at(seconds) for seconds in (5, 15, 25)] == [None, 0.6, 0.6]


def test_trials_of_fresh_engines_are_concatenated() -> None:
    found = [make_record("keras_tuner", ends, [0.5] * len(ends)) for ends in ([30.0], [], [10.0])]
    together = parts.concatenate(CASE, found)
    assert (together.ends, together.aucs) == ([30.0, 40.0], [0.5, 0.5])
    assert together.per_hour == 180.0


def test_ratios_are_relative_to_the_engine_and_auc_is_at_equal_time() -> None:
    ours = make_record("dfsearch", [10.0, 11.0, 12.0, 90.0], [0.5, 0.7, 0.6, 0.9])
    theirs = make_record("keras_tuner", [30.0, 70.0], [0.8, 0.85])
    own, other = report.compute_search_rows([ours, theirs], minutes=1)
    assert (own["ratio"], own["equal_seconds"]) == (1.0, 60)
    assert other["ratio"] == pytest.approx((4 / 90) / (2 / 70))
    assert (own["auc"], other["auc"]) == (0.7, 0.8)
    early, late = report.compute_search_rows([ours, theirs], minutes=0)
    assert (early["equal_seconds"], early["auc"], late["auc"]) == (30.0, 0.7, 0.8)


def test_overhead_is_computed_by_round() -> None:
    spent = [("trial", 11.0), ("bare fit", 10.0), ("trial", 24.0), ("bare fit", 20.0)]
    events = [{"spent": way, "wall": wall, "cpu": 2 * wall} for way, wall in spent]
    row = report.compute_overhead(events)
    assert row["overhead"] == pytest.approx(0.15)
    assert row["rounds"] == 2


def test_the_store_is_synthetic_with_both_labels_in_both_splits(
    tmp_path: Path,
) -> None:
    material.make_store(CASE, tmp_path)
    with material.Store(CASE.store(tmp_path)) as store:
        assert store.is_synthetic
        assert store.clip_shape == (CASE.frames, CASE.side, CASE.side, 4)
        for split, share in (("train", 0.8), ("val", 0.2)):
            for label in (0, 1):
                assert len(store.rows(split, label)) == share * CASE.clips / 2
    found = material.build_config(CASE, tmp_path, tmp_path / "run", seed=3, workers=2, trials=5)
    assert (found.seed, found.workers, found.architecture.trials) == (3, 2, 5)
    assert (found.sampler, found.pruner, found.architecture.samples) == ("random", "none", 32)


def test_an_unknown_part_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.search", "--only", "speed"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert "unknown part speed: choose from frozen, unfrozen" in done.stderr


@pytest.mark.minutes
def test_engines_and_the_overhead_are_measured_on_tiny_sizes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.search", "--quick", "--json"]
    done = subprocess.run(
        [*command, "--only", "unfrozen,overhead", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert "SYNTHETIC" in figures["manner"]
    rows = {row["engine"]: row for row in figures["unfrozen"]["searches"]}
    assert set(rows) == {"dfsearch", "keras_tuner", "autokeras"}
    for row in rows.values():
        assert row["trials"] >= 1, row
        assert row["ratio"] > 0
        assert 0 <= row["auc"] <= 1
        assert row["peak"] > 100e6
    assert not [note for name in ("dfsearch", "keras_tuner") for note in rows[name]["notes"]]
    assert figures["overhead"]["rounds"] == 1
    assert figures["overhead"]["bare_seconds"] > 0
