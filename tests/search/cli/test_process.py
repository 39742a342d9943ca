from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from data_prep.store.store import SPLITS, Clip, write_store

ROOT = Path(__file__).parents[3]
# As the installed command, which does not import from the current folder.
DFSEARCH = (sys.executable, "-P", "-m", "search.cli")
# Modules of the standard library, of packages and of this project that workers import.
SHADOWS = ("random.py", "numpy.py", "keras.py", "spaces.py", "search.py", "data_prep.py")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a verb: ``run("verify", store, redirect=">&-", LANG="C")``."""

    def run_verb(
        *arguments: object, redirect: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirect}', "sh", *DFSEARCH, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run_verb


@pytest.fixture
def clean(make_clip: Callable[..., Clip], tmp_path: Path) -> Path:
    """A store without a leak and without damage."""
    clips = [
        make_clip(f"person{number}", kind, split=SPLITS[number % 3])
        for number in range(15)
        for kind in ("real", "swap")
    ]
    write_store(tmp_path / "clean.h5", clips, [], {})
    return tmp_path / "clean.h5"


@pytest.mark.parametrize(
    "redirect", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"]
)
def test_a_closed_stream_does_not_keep_a_verb_from_its_work(
    run: Run, clean: Path, tmp_path: Path, redirect: str
) -> None:
    picture = tmp_path / "page.png"

    done = run("audit", clean, "--picture", picture, redirect=redirect)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert ("identity groups" in done.stdout) == (not redirect.startswith((">&-", "<&- >&-")))


def test_standard_output_that_cannot_be_written_is_one_line(run: Run, clean: Path) -> None:
    full = run("verify", clean, redirect=">/dev/full")
    assert (full.returncode, full.stderr) == (
        2,
        "error: standard output: No space left on device\n",
    )


def test_a_reader_that_has_gone_ends_a_verb_silently(clean: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*DFSEARCH, "verify", clean],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=300,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_variables_of_python_change_nothing(run: Run, clean: Path) -> None:
    usual = run("verify", clean)
    foreign = {
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYTHONINSPECT": "1",
        "PYTHONDEVMODE": "1",
        "PYTHONSTARTUP": "/nowhere.py",
    }

    done = run("verify", clean, **foreign)

    assert (done.returncode, done.stdout, done.stderr) == (0, usual.stdout, "")
    # Without docstrings a verb has no description.
    assert "Read a whole store" in run("--help", **foreign).stdout


def test_an_encoding_without_the_characters_shows_them_as_escapes(
    run: Run, clean: Path, tmp_path: Path
) -> None:
    store = tmp_path / "größe.h5"
    store.symlink_to(clean)

    done = run("verify", store, PYTHONIOENCODING="ascii", LC_ALL="C", LANG="C")

    assert done.returncode == 0, done.stderr
    assert "gr\\xf6\\xdfe.h5: intact" in done.stdout


def test_modules_of_the_current_folder_are_not_imported(
    run: Run, clean: Path, tmp_path: Path
) -> None:
    for name in SHADOWS:
        (tmp_path / name).write_text("raise SystemExit('imported from the current folder')\n")

    made = run("synthesize", "videos", "--identities", 4, "--frames", 4, "--jobs", 2)
    verified = run("verify", clean)

    assert made.returncode == 0, made.stderr
    assert verified.returncode == 0, verified.stderr


DEFAULT_SIGNALS = (
    *(sys.executable, "-c"),
    "import os, signal, sys\n"
    "for number in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:\n"
    "    signal.signal(number, signal.SIG_DFL)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
)


def begin_synthesis(folder: Path, before: str = "") -> subprocess.Popen[str]:
    """Start a synthesis in a group of its own; return once its workers have made a video."""
    command = [*DFSEARCH, "synthesize", "videos", "--identities", "60", "--jobs", "2"]
    process = subprocess.Popen(
        # A test run in the background ignores signals, and its children would too.
        [*DEFAULT_SIGNALS, "sh", "-c", f'{before} exec "$@"', "sh", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((folder / "videos").rglob("*.mp4")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_stops_a_verb_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = begin_synthesis(tmp_path)
    workers = psutil.Process(process.pid).children(recursive=True)

    os.killpg(process.pid, number)
    _, printed = process.communicate(timeout=60)

    assert process.returncode == 130
    assert printed.endswith("stopped; to resume, repeat the command\n")
    assert "Traceback" not in printed and "Error" not in printed
    _, living = psutil.wait_procs(workers, timeout=20)
    assert not living


def test_a_verb_under_nohup_survives_the_end_of_its_terminal(tmp_path: Path) -> None:
    process = begin_synthesis(tmp_path, before="trap '' HUP;")

    os.killpg(process.pid, signal.SIGHUP)
    time.sleep(1)

    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
