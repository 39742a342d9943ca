from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import os, sys, time
child = os.fork()
if child == 0:
    from data_prep.workers import follow_parent
    follow_parent(os.getppid())
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(60)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait(condition: object, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_a_worker_ignores_interrupts_and_ends_with_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", CODE, str(note)])
    assert wait(lambda: note.exists() and note.read_text())
    worker = int(note.read_text())
    os.kill(worker, signal.SIGINT)
    time.sleep(0.3)
    assert alive(worker)
    parent.kill()
    parent.wait()
    assert wait(lambda: not alive(worker))
