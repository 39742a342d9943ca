from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.suite import benches as suite
from bench.suite import page
from bench.suite import suite as everything
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
    """Replace the benches: one prints figures, one fails, one needs real videos."""
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
    """Run the command and return its exit code: ``run("--quick")``."""

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


def test_a_failed_bench_is_named_and_the_others_continue(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 1
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "## Prediction\n\nNo figures: failed: exit code 1: error: no network" in page
    assert "## Accuracy\n\nNo figures: not run: DFSEARCH_REAL_DATA names no folder" in page
    assert "| store | 0.5 |  |" in page
    printed = capsys.readouterr()
    # Unused minutes of earlier benches are added.
    assert "prediction: at most 1 minutes\n" in printed.err
    assert "storage: at most 3 minutes\nstorage: done in 0.0 minutes\n" in printed.err
    assert "accuracy: not run: DFSEARCH_REAL_DATA names no folder" in printed.err
    assert printed.out == f"{tmp_path / 'docs' / 'benchmarks.md'}\n"


def test_a_bench_that_cannot_run_is_no_failure(run: Run) -> None:
    assert run("--only", "storage,accuracy") == 0


def test_kept_figures_are_not_measured_again_unless_fresh(
    run: Run, benches: Path, tmp_path: Path
) -> None:
    calls = benches / "storage.calls"
    for arguments, count in (((), 1), ((), 1), (("--fresh",), 2), ((), 2)):
        run(*arguments)
        assert len(calls.read_text().splitlines()) == count
    # Other benches stay on the page.
    assert run("--only", "accuracy") == 0
    assert "| store | 0.5 |  |" in (tmp_path / "docs" / "benchmarks.md").read_text()
    assert len(calls.read_text().splitlines()) == 2


def test_kept_figures_that_are_empty_are_measured_again(
    run: Run, benches: Path, tmp_path: Path
) -> None:
    assert run("--only", "storage") == 0
    record = tmp_path / "kept" / "storage.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"figures": {"rows": []}}))
    assert run("--only", "storage") == 0
    assert len((benches / "storage.calls").read_text().splitlines()) == 2


def test_a_quick_check_has_another_page(run: Run, benches: Path, tmp_path: Path) -> None:
    assert run("--quick", "--only", "storage") == 0
    assert not (tmp_path / "docs").exists()
    page = (tmp_path / "kept" / "quick" / "benchmarks.md").read_text()
    assert "Quick trial: these figures mean nothing" in page
    assert (benches / "storage.calls").read_text() == "--quick --json\n"
    # A later run does not use it as a measurement.
    assert run("--only", "storage") == 0
    assert (benches / "storage.calls").read_text() == "--quick --json\n--json\n"


def test_sigterm_stops_the_running_bench(run: Run, benches: Path) -> None:
    waits = "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(600)"
    (benches / "storage.py").write_text(waits)
    assert run("--only", "storage") == 130
    left = [one for one in psutil.Process().children(recursive=True) if one.is_running()]
    assert not [one for one in left if str(benches) in " ".join(one.cmdline())]


def test_an_unknown_bench_and_a_folder_that_is_a_file_are_one_line_errors(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--only", "speed") == 2
    assert (
        "unknown bench speed: choose from prediction, accuracy, storage" in capsys.readouterr().err
    )
    (tmp_path / "kept").write_text("")
    assert run() == 2
    assert capsys.readouterr().err.startswith("error: [Errno ")
