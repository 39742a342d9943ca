from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.suite import all as everything
from bench.suite import benches as suite
from bench.suite import page
from bench.suite.benches import Bench

STORAGE = """
import json, sys
from pathlib import Path
calls = Path(__file__).with_suffix(".calls")
calls.write_text((calls.read_text() if calls.exists() else "") + " ".join(sys.argv[1:]) + "\\n")
print(json.dumps({"manner": "clips", "rows": [{"what": "store", "speed": 0.5, "bytes": None}]}))
"""

Run = Callable[..., int]


@pytest.fixture
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules in the place of the benches: one that tells figures, one that fails, one that
    needs real videos, which there are none of."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "storage.py").write_text(STORAGE)
    (folder / "prediction.py").write_text("raise SystemExit('error: no network')")
    found = [
        Bench("prediction", "--json", "--json", 1),
        Bench("accuracy", "--json", "--json", 1, needs_real=True),
        Bench("storage", "--json", "--quick --json", 1),
    ]
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    for module in (suite, page, everything):
        monkeypatch.setattr(module, "BENCHES", found)
    monkeypatch.setattr(everything, "PAGE", tmp_path / "docs" / "benchmarks.md")
    monkeypatch.delenv(suite.REAL_DATA, raising=False)
    return folder


@pytest.fixture
def run(benches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call it as a command; the exit code: ``run("--quick")``."""

    def called(*arguments: str) -> int:
        command = ["bench.suite", "--keep", str(tmp_path / "kept"), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                everything.main()
        finally:
            signal.signal(signal.SIGTERM, before)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return called


def test_what_fails_or_cannot_run_is_named_and_the_others_go_on(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 1
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "## Prediction\n\nNo figures: failed: exit code 1: error: no network" in page
    assert "## Accuracy\n\nNo figures: not run: DFSEARCH_REAL_DATA names no folder" in page
    assert "| store | 0.5 |  |" in page
    told = capsys.readouterr()
    # What those before it did not take is its own.
    assert "prediction: at most 1 minutes\n" in told.err
    assert "storage: at most 3 minutes\nstorage: done in 0.0 minutes\n" in told.err
    assert "accuracy: not run: DFSEARCH_REAL_DATA names no folder" in told.err
    assert told.out == f"{tmp_path / 'docs' / 'benchmarks.md'}\n"


def test_what_cannot_run_is_no_failure(run: Run) -> None:
    assert run("--only", "storage,accuracy") == 0


def test_what_was_measured_is_not_measured_again_unless_it_is_to_be_fresh(
    run: Run, benches: Path, tmp_path: Path
) -> None:
    calls = benches / "storage.calls"
    for arguments, count in (((), 1), ((), 1), (("--fresh",), 2), ((), 2)):
        run(*arguments)
        assert len(calls.read_text().splitlines()) == count
    # What is not asked for stays on the page.
    assert run("--only", "accuracy") == 0
    assert "| store | 0.5 |  |" in (tmp_path / "docs" / "benchmarks.md").read_text()
    assert len(calls.read_text().splitlines()) == 2


def test_a_kept_answer_that_says_nothing_is_measured_again(
    run: Run, benches: Path, tmp_path: Path
) -> None:
    assert run("--only", "storage") == 0
    record = tmp_path / "kept" / "storage.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"told": {"rows": []}}))
    assert run("--only", "storage") == 0
    assert len((benches / "storage.calls").read_text().splitlines()) == 2


def test_a_trial_has_a_page_of_its_own(run: Run, benches: Path, tmp_path: Path) -> None:
    assert run("--quick", "--only", "storage") == 0
    assert not (tmp_path / "docs").exists()
    page = (tmp_path / "kept" / "quick" / "benchmarks.md").read_text()
    assert "Quick trial: these figures mean nothing" in page
    assert (benches / "storage.calls").read_text() == "--quick --json\n"
    # Nor is it taken for a measurement later.
    assert run("--only", "storage") == 0
    assert (benches / "storage.calls").read_text() == "--quick --json\n--json\n"


def test_whoever_ends_it_ends_the_bench_that_runs(run: Run, benches: Path) -> None:
    waits = "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(600)"
    (benches / "storage.py").write_text(waits)
    assert run("--only", "storage") == 130
    left = [one for one in psutil.Process().children(recursive=True) if one.is_running()]
    assert not [one for one in left if str(benches) in " ".join(one.cmdline())]


def test_an_unknown_bench_and_a_folder_that_is_a_file_are_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--only", "speed") == 2
    assert "no bench speed; there are prediction, accuracy, storage" in capsys.readouterr().err
    (tmp_path / "kept").write_text("")
    assert run() == 2
    assert capsys.readouterr().err.startswith("error: [Errno ")
