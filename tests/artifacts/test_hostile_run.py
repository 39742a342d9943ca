"""A run directory from another person: no command waits in it, or writes out of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from artifacts.certificate import Certificate, ModelFile
from artifacts.dashboard.files import RunArtifacts
from artifacts.ensemble_record import read_ensembles
from artifacts.evaluation import openings
from artifacts.histories import HISTORY, read_history
from artifacts.leaderboard import validation_split
from artifacts.leaderboard.validation_split import SCORES, ValidationSplit
from artifacts.metrics.scores_table import read_lines, read_scores
from artifacts.models.export_run import export_run
from artifacts.run_directory import RunDirectory, read_json, replace_file, write_json
from data_prep.errors import UserError
from data_prep.files import UnreadableFileError, open_regular, parse_json, read_bytes
from search.config import run_config


def make_socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": make_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
}
READERS: dict[str, Callable[[RunDirectory], object]] = {
    "run.json": lambda run: run.read_fingerprint(),
    "config.toml": lambda run: (run.setting("store"), run_config.load(run.config)),
    "best_model.json": lambda run: Certificate.read(run),
    "best_model.h5": lambda run: ModelFile.from_path(run.h5),
    "best_model.png": lambda run: read_bytes(run.picture),
    "ensemble.json": lambda run: read_ensembles(run),
    "evaluation.json": lambda run: read_json(run.evaluation),
    "scores.csv": lambda run: (read_scores(run.scores, "val"), read_lines(run.scores, "val")),
    "test_openings.jsonl": lambda run: openings.openings(run),
    "validation.npz": lambda run: ValidationSplit.read(run),
    f"trials/gan/0/{HISTORY}": lambda run: read_history(run.trial("gan", 0) / HISTORY),
    f"trials/gan/0/{SCORES}": lambda run: validation_split.read_scores(run.trial("gan", 0), 3),
    "trials/gan/0/error.txt": lambda run: RunArtifacts(run).list_by_trial("gan", [0]),
}


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Fail a test that waits instead of leaving it to hang."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(300)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("kind", KINDS)
def test_no_reader_waits_for_what_is_no_file(own_run: RunDirectory, kind: str) -> None:
    for name, read in READERS.items():
        path = own_run.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = path.with_name("kept")
        if path.exists():
            path.rename(kept)
        KINDS[kind](path)
        try:
            read(own_run)
        except (UserError, UnreadableFileError) as error:
            assert "\n" not in str(error)
            assert name.rpartition("/")[2] in str(error) or "no run at" in str(error)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        if kept.exists():
            kept.rename(path)


COMMANDS = """
import sys
from pathlib import Path
import dfsearch

for name in sys.argv[1:]:
    root = Path(name)
    calls = (
        lambda: dfsearch.Run(root).leaderboard(as_rows=True),
        lambda: dfsearch.Run(root).evaluate(),
        lambda: dfsearch.search(root / "no.h5", root),
        lambda: dfsearch.Run(root).work(),
    )
    for call in calls:
        try:
            call()
        except dfsearch.DfsearchError as error:
            assert "\\n" not in str(error), error
print("done")
"""


@pytest.mark.slow
def test_no_command_waits_for_a_named_pipe(own_run: RunDirectory, tmp_path: Path) -> None:
    roots = []
    for number, name in enumerate((*READERS, "studies.log", "latencies.json", "robustness.json")):
        root = Path(shutil.copytree(own_run.root, tmp_path / f"run{number}"))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)
        roots.append(str(root))
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, *roots],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "done\n"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"store_fingerprint": NaN}',
        "[Infinity]",
        "[1e999]",
        f"[{'9' * 400}]",
        f"[{'9' * 5000}]",
        "{",
        "\x00",
    ],
)
def test_json_that_cannot_be_used_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$"):
        parse_json(text)
    run = RunDirectory(tmp_path)
    run.state.write_text(text)
    with pytest.raises(UserError, match=r"run\.json cannot be read: [^\n]*$"):
        run.read_fingerprint()
    run.openings.write_text(f"{text}\n{text}\n")
    assert [each.by for each in openings.openings(run)] == [openings.UNREADABLE] * 2


def test_a_file_of_any_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with run.state.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UserError, match=r"run\.json has 1,099,511,627,776 bytes, more than"):
        read_json(run.state)
    with open_regular(run.state) as file:
        assert file.read(3) == b"\0\0\0"


@pytest.mark.parametrize("text", ["a = " + "[" * 29_000, "a." * 50_000 + "b = 1"])
def test_a_configuration_that_is_nested_deeply_is_one_line(tmp_path: Path, text: str) -> None:
    run = RunDirectory(tmp_path)
    run.config.write_text(text)
    for read in (lambda: run.setting("store"), lambda: run_config.load(run.config)):
        with pytest.raises(UserError, match=r"^[^\n]*$"):
            read()


OUT = {
    "evaluations": lambda run: run.check_links(run.evaluations),
    "exports": lambda run: export_run(run, None, (), (), None),
    "exports/model.onnx": lambda run: export_run(run, None, (), (), None),
    "test_openings.jsonl": lambda run: openings.record(run, openings.BY_EVALUATE, {}, ""),
    "trials": lambda run: run.check_links(),
    "trials/gan/0/history.csv": lambda run: run.check_links(),
    "features": lambda run: run.check_links(),
    "studies.log": lambda run: run.check_links(),
    ".lock": lambda run: run.check_links(),
}


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("name", OUT)
def test_nothing_is_written_through_a_link_out_of_the_run(
    own_run: RunDirectory, tmp_path: Path, name: str, exists: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside / "there" if exists else outside / "missing"
    if exists:
        target.write_text("mine") if "." in name else target.mkdir()
    link = own_run.root / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    before = contents(outside)
    call: Callable[[RunDirectory], Any] = OUT[name]
    with pytest.raises(UserError, match=rf"{re.escape(str(link))} is a link out of .*; remove it"):
        call(own_run)
    assert contents(outside) == before


def contents(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() if path.is_file() else "" for path in folder.rglob("*")}


def test_links_within_a_run_and_to_a_run_are_used(own_run: RunDirectory, tmp_path: Path) -> None:
    (own_run.root / "latest").symlink_to("trials")
    (tmp_path / "link").symlink_to(own_run.root)
    linked = RunDirectory(tmp_path / "link")
    linked.check_links()
    assert openings.record(linked, openings.BY_EVALUATE, {}, "")
    (own_run.root / "circle").symlink_to("circle")
    with pytest.raises(UserError, match="circle is a link out of"):
        own_run.check_links()


def test_a_written_file_replaces_a_link_and_its_temporary_name_cannot_be_guessed(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("mine")
    (tmp_path / "evaluation.json").symlink_to(outside)
    write_json(tmp_path / "evaluation.json", {"auc": 1})
    assert outside.read_text() == "mine"
    names = set()
    for _ in range(2):
        with replace_file(tmp_path / "a.json") as temporary:
            names.add(temporary.name)
            temporary.touch()
    assert len(names) == 2
