from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from bench.suite import benches as suite
from bench.suite import runs

SCRIPT = """
import json, os, sys
from pathlib import Path
count = Path(sys.argv[2]) / "count"
count.write_text(str(int(count.read_text()) + 1) if count.exists() else "1")
print("half way", file=sys.stderr)
print(json.dumps({"ratio": 2.0, "lost": float("nan"), "asked": sys.argv[1:]}))
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the package ``bench`` by one in a folder with spaces."""
    root = tmp_path / "the benches"
    folder = root / "bench"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.setattr(suite, "ROOT", root)
    return folder


def bench(written: Path, text: str) -> suite.Bench:
    (written / "one.py").write_text(text)
    return suite.Bench("one", f"--keep {suite.KEPT} --json", "--quick --json", minutes=1)


def test_figures_are_kept_with_machine_and_versions(written: Path, tmp_path: Path) -> None:
    one = bench(written, SCRIPT)
    assert runs.read_record(one, tmp_path, quick=False) is None
    record = runs.run(one, tmp_path, minutes=1, quick=False)
    own = str(tmp_path / "one")
    assert record.figures == {"ratio": 2.0, "lost": None, "asked": ["--keep", own, "--json"]}
    assert {"processor", "cores", "memory", "Python", "keras", "h5py"} <= set(record.machine)
    assert record.minutes > 0
    assert (tmp_path / "one.log").read_text() == "half way\n"
    assert runs.read_record(one, tmp_path, quick=False) == record
    # Another call is another measurement.
    assert runs.read_record(one, tmp_path, quick=True) is None
    (tmp_path / "one.json").write_text('{"arguments": "--keep')
    assert runs.read_record(one, tmp_path, quick=False) is None


def test_the_folder_of_a_bench_is_kept_unless_fresh(written: Path, tmp_path: Path) -> None:
    one = bench(written, SCRIPT)
    for fresh, count in ((False, "1"), (False, "2"), (True, "1")):
        runs.run(one, tmp_path, minutes=1, quick=False, fresh=fresh)
        assert (tmp_path / "one" / "count").read_text() == count


def test_a_failed_bench_has_the_last_line_as_reason(written: Path, tmp_path: Path) -> None:
    one = bench(written, "import sys\nprint('{}')\nprint('error: no disk', file=sys.stderr)\n1 / 0")
    with pytest.raises(runs.FailedError, match="exit code 1: ZeroDivisionError: division by zero"):
        runs.run(one, tmp_path, minutes=1, quick=False)
    assert runs.read_record(one, tmp_path, quick=False) is None
    with pytest.raises(runs.FailedError, match="it printed no JSON"):
        runs.run(bench(written, "print('ratio: 2')"), tmp_path, minutes=1, quick=False)


def test_a_bench_past_its_time_limit_is_stopped_with_its_children(
    written: Path, tmp_path: Path
) -> None:
    text = (
        "import subprocess, sys, os\n"
        "from pathlib import Path\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "Path(sys.argv[2], 'child').write_text(str(child.pid))\n"
        "child.wait()\n"
    )
    one = bench(written, text)
    with pytest.raises(runs.FailedError, match="stopped after"):
        runs.run(one, tmp_path, minutes=4 / 60, quick=False)
    child = int((tmp_path / "one" / "child").read_text())
    until = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the child of the bench is still there"
        time.sleep(0.05)
    assert psutil.pid_exists(os.getpid())
