"""The two commands that look into a store: what they print, and what they exit with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from click.testing import Result
from typer.testing import CliRunner

from data_prep.store.store import SPLITS, Clip, write_store
from search.cli import store as cli_store  # noqa: F401
from search.cli.app import app

MakeClip = Callable[..., Clip]


def _dfsearch(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "80"})


@pytest.fixture
def clean(make_clip: MakeClip, tmp_path: Path) -> Path:
    clips = [
        make_clip(f"person{number}", kind, split=SPLITS[number % 3])
        for number in range(15)
        for kind in ("real", "swap")
    ]
    write_store(tmp_path / "clean.h5", clips, [], {})
    return tmp_path / "clean.h5"


@pytest.fixture
def leaking(make_clip: MakeClip, tmp_path: Path) -> Path:
    """The frames of each video dealt out over the splits, a clip each."""
    clips = [
        make_clip(person, kind, 1, key=f"set/{kind}/c23/{person}_{at}", split=split)
        for person in ("anna", "ben")
        for kind in ("real", "swap")
        for at, split in enumerate(SPLITS)
    ]
    write_store(tmp_path / "leaking.h5", clips, [], {})
    return tmp_path / "leaking.h5"


def test_a_clean_store_passes_and_gets_its_picture(clean: Path) -> None:
    shown = _dfsearch("audit", clean)
    assert shown.exit_code == 0, shown.output
    assert "no leak between the splits was found" in shown.stdout
    assert "30 clips of 15 identity groups" in shown.stdout
    assert "sharpness" in shown.stdout
    assert clean.with_name("clean.h5.audit.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_of_the_folder_one_is_in_lies_beside_it(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [make_clip("anna", kind) for kind in ("real", "swap")]
    write_store(tmp_path / "shards", clips, [], {}, shard_clips=1)
    monkeypatch.chdir(tmp_path / "shards")
    shown = _dfsearch("audit", ".")
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "shards.audit.png").is_file()


def test_a_picture_that_cannot_be_written_can_be_put_elsewhere(clean: Path) -> None:
    shown = _dfsearch("audit", clean, "--picture", clean / "p.png")
    assert shown.exit_code == 2
    assert "p.png cannot be written: Not a directory; name another: --picture" in shown.stderr
    assert "no leak between the splits was found" in shown.stdout


def test_an_audit_is_printed_where_no_picture_can_be_written(clean: Path) -> None:
    # Root may write to a read-only folder, and replaces no folder by a file.
    clean.with_name("clean.h5.audit.png").mkdir()

    shown = _dfsearch("audit", clean)
    as_json = _dfsearch("audit", clean, "--json")

    assert shown.exit_code == 0, shown.output
    assert "no leak between the splits was found" in shown.stdout
    assert "sample crops" not in shown.stdout
    assert "note: the picture" in shown.stderr and "cannot be written" in shown.stderr
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout)["picture"] is None


def test_a_leak_is_exit_code_1_and_named(leaking: Path) -> None:
    shown = _dfsearch("audit", leaking)
    assert shown.exit_code == 1
    for kind in ("identity group", "source file", "source video", "near-identical content"):
        assert kind in shown.stdout
    assert "leak: 2 identity groups are in more than one split" in shown.stdout


def test_the_audit_as_json(leaking: Path, tmp_path: Path) -> None:
    shown = _dfsearch("audit", leaking, "--json", "--picture", tmp_path / "p.png")
    assert shown.exit_code == 1
    found = json.loads(shown.stdout)
    assert found["picture"] == str(tmp_path / "p.png")
    assert (tmp_path / "p.png").is_file()
    assert [leak["kind"] for leak in found["leaks"]] == [
        "identity group",
        "source file",
        "source video",
        "near-identical content",
    ]
    assert found["findings"][0]["severity"] == "leak"


def test_a_whole_store_is_verified(clean: Path) -> None:
    shown = _dfsearch("verify", clean)
    assert shown.exit_code == 0
    assert "whole" in shown.stdout
    assert json.loads(_dfsearch("verify", clean, "--json").stdout) == {
        "store": str(clean),
        "whole": True,
        "problems": [],
    }


def test_a_damaged_store_is_exit_code_1(clean: Path) -> None:
    with h5py.File(clean, "a") as file:
        frames = file["frames"][3]
        frames[0, 5, 5, 0] ^= 128
        file["frames"][3] = frames
    shown = _dfsearch("verify", clean)
    assert shown.exit_code == 1
    assert "/frames row 3" in shown.stdout
    problems = json.loads(_dfsearch("verify", clean, "--json").stdout)["problems"]
    assert problems[0]["where"] == "/frames row 3 (set/swap/c23/person1)"


@pytest.mark.parametrize("verb", ["audit", "verify"])
def test_what_is_no_store_is_exit_code_2_in_one_line(verb: str, tmp_path: Path) -> None:
    (tmp_path / "notes.h5").write_text("no store")
    for name in ("notes.h5", "nothing.h5"):
        shown = _dfsearch(verb, tmp_path / name)
        assert shown.exit_code == 2
        assert shown.stderr.startswith("error: ")
        assert shown.stderr.count("\n") == 1


def test_a_picture_that_cannot_be_written_is_exit_code_2(clean: Path, tmp_path: Path) -> None:
    shown = _dfsearch("audit", clean, "--picture", tmp_path / "nowhere" / "p.png")
    assert shown.exit_code == 2
    assert "cannot be written" in shown.stderr


@pytest.mark.parametrize("verb", ["audit", "verify"])
def test_the_help_has_an_example(verb: str) -> None:
    shown = _dfsearch(verb, "--help")
    assert shown.exit_code == 0
    assert f"dfsearch {verb} ffpp.h5" in shown.stdout


def test_no_line_is_wider_than_a_terminal(
    leaking: Path, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from search.cli.tables import audit as audit_tables

    long = dataclasses.replace(
        make_clip("x" * 90, "swap"), key="set/" + "m" * 60 + "/c23/" + "x" * 90, method="m" * 60
    )
    write_store(leaking, [long, dataclasses.replace(long, key="y", split="val")], [], {})
    monkeypatch.setattr(audit_tables, "tables", lambda: Console(width=80, highlight=False))
    for verb in ("audit", "verify"):
        shown = _dfsearch(verb, leaking)
        assert shown.exit_code == 1
        assert max(map(len, shown.stdout.splitlines())) <= 80
