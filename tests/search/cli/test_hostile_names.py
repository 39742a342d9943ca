"""Names of files and methods never control the terminal, whichever command prints them."""

from __future__ import annotations

import ast
import io
import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from click.testing import Result
from rich.table import Table
from typer.testing import CliRunner

from artifacts.prediction.verdict import NoVerdict
from artifacts.run_directory import RunDirectory
from data_prep.preparation.job import ClipCount, PreparationSummary
from data_prep.store.store import SPLITS, Clip, Quarantined, write_store
from search.cli import __main__ as commands  # noqa: F401
from search.cli.app import app, print_log, say, write_lines
from search.cli.console import VisibleConsole, cell
from search.cli.live_table import LiveProgress
from search.cli.predict import _lines as verdict_lines
from search.cli.tables.preparation import print_preparation

ROOT = Path(__file__).parents[3]
ACTING = {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
NAME = "evil\x1b[2J\x07\x9b31m\u202e\rx\nreal [red]"
SHOWN = "evil\\x1b[2J\\x07\\x9b31m\\u202e\\rx\\nreal [red]"


def _dfsearch(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def _flat(text: str) -> str:
    return "".join(text.split())


@pytest.fixture
def store(make_clip: Callable[..., Clip], tmp_path: Path) -> Path:
    """Clips of hostile names, of which people, files and videos are in several splits."""
    names = {"group": NAME, "sha256": NAME, "path": f"/v/{NAME}.mp4"}
    clips = [
        make_clip(
            "anna",
            kind,
            1,
            key=f"set/{kind}/c23/{NAME}{number}",
            method=kind if kind == "real" else NAME,
            split=split,
            **names,
        )
        for kind in ("real", "swap")
        for number, split in enumerate(SPLITS)
    ]
    path = tmp_path / "store.h5"
    write_store(path, clips, [Quarantined(f"/v/{NAME}", "decode", NAME)], {})
    return path


def test_an_audit_of_hostile_names_prints_escapes(store: Path) -> None:
    shown = _dfsearch("audit", store)
    assert shown.exit_code == 1, shown.output
    assert not ACTING & set(shown.output)
    assert _flat(SHOWN) in _flat(shown.stdout)
    assert not any(line.startswith("real [red]") for line in shown.output.splitlines())


def test_a_verification_prints_escapes(store: Path) -> None:
    with h5py.File(store, "a") as file:
        file["clips/split"][0] = "none"
        file[f"clips/{NAME}"] = h5py.SoftLink("/label")
    shown = _dfsearch("verify", store)
    assert shown.exit_code == 1, shown.output
    assert not ACTING & set(shown.output)
    assert _flat(SHOWN) in _flat(shown.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", NAME),
        ("leaderboard", NAME),
        ("audit", "x", f"--{NAME}"),
        ("audit", "x", "--seed", NAME),
        (NAME,),
        ("verify", "x", NAME),
    ],
)
def test_errors_print_escapes(arguments: tuple[str, ...]) -> None:
    shown = _dfsearch(*arguments)
    assert shown.exit_code == 2
    assert not ACTING & set(shown.output)


def test_a_console_prints_escapes_and_still_colours() -> None:
    console = VisibleConsole(file=io.StringIO(), force_terminal=True, width=200)
    table = Table()
    table.add_column("name")
    table.add_row(cell(NAME, "red"))
    console.print(table)
    console.print(f"plain {NAME}", markup=False, soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert SHOWN in text
    assert "\x1b[31m" in text
    assert "\x1b[2J" not in text
    assert not {"\x07", "\x9b", "\u202e"} & set(text)


def test_lines_of_a_live_run_print_escapes(tmp_path: Path) -> None:
    console = VisibleConsole(file=io.StringIO(), width=200)
    LiveProgress(console, RunDirectory(tmp_path)).message(NAME)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == f"  {SHOWN}\n"


def test_quarantined_videos_are_printed_with_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    summary = PreparationSummary(
        store=Path(f"{NAME}.h5"),
        layout="folders",
        split_policy="identity",
        split_note=NAME,
        overlap=0,
        videos=2,
        clips=1,
        coverage=1.0,
        seconds=1.0,
        resumed=0,
        paired=0,
        guided=0,
        silent=0,
        fingerprint="0" * 64,
        quarantined=(Quarantined(f"/v/{NAME}", NAME, NAME),),
        copies=(),
        notes=(NAME,),
        counts=(ClipCount("train", "fake", NAME, 1),),
    )
    print_preparation(summary)
    shown = capsys.readouterr().out
    assert not ACTING & set(shown)
    assert _flat(shown).count(_flat(SHOWN)) >= 6
    assert not any(line.startswith("real [red]") for line in shown.splitlines())


def test_verdicts_and_messages_are_printed_with_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_lines(*verdict_lines(NoVerdict(NAME, NAME)))
    say(f"error: {NAME}")
    with print_log():
        logging.getLogger("dfsearch").warning("%s", NAME)
    shown = capsys.readouterr()
    assert shown.out == f"{SHOWN}: no verdict: {SHOWN}\n"
    assert shown.err == f"error: {SHOWN}\nnote: {SHOWN}\n"


def test_commands_print_by_functions_that_escape() -> None:
    """Names reach only ``app.py``, which prints, and ``console.py``, which makes consoles."""
    allowed = {"print": {"app.py", "process.py"}, "Console": {"console.py"}}
    found = [
        f"{path.name}:{node.lineno} calls {node.func.id}"
        for path in sorted((ROOT / "search").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and path.name not in allowed.get(node.func.id, {path.name})
    ]
    assert not found
