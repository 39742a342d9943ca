"""``dfsearch datasets``: what it prints, and what it exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from search.cli import datasets as cli_datasets  # noqa: F401
from search.cli.app import app


def _dfsearch(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "80"})


@pytest.fixture
def uadfv(tmp_path: Path) -> Path:
    """All files of UADFV, without content."""
    for number in range(49):
        for name in (f"real/{number:04}.mp4", f"fake/{number:04}_fake.mp4"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
    return tmp_path


def test_the_known_data_sets_are_listed() -> None:
    shown = _dfsearch("datasets")
    assert shown.exit_code == 0, shown.output
    for name in ("FaceForensics++", "Celeb-DF++", "DF40", "AV-Deepfake1M"):
        assert name in shown.stdout
    assert len(json.loads(_dfsearch("datasets", "--json").stdout)) >= 19


def test_a_data_set_is_described_with_its_tree() -> None:
    shown = _dfsearch("datasets", "faceforensics++")
    assert shown.exit_code == 0, shown.output
    assert "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4" in shown.stdout
    for heading in ("licence", "where to ask", "size", "expected tree", "what goes wrong"):
        assert heading in shown.stdout
    # Square brackets are no markup.
    assert '[["071", "054"], ...]' in shown.stdout
    facts = json.loads(_dfsearch("datasets", "FaceForensics++", "--json").stdout)
    assert facts["counts"]["real"] == [1000]


def test_an_unknown_data_set_is_one_line_and_exit_code_2() -> None:
    shown = _dfsearch("datasets", "nothing\x1b[31m")
    assert shown.exit_code == 2
    assert shown.stderr.count("\n") == 1
    assert "\x1b" not in shown.stderr


def test_a_whole_data_set_passes_its_check(uadfv: Path) -> None:
    shown = _dfsearch("datasets", "--check", uadfv)
    assert shown.exit_code == 0, shown.output
    assert "UADFV, nothing missing or mislabelled" in shown.stdout.replace("\n", " ")


def test_a_missing_video_is_exit_code_1(uadfv: Path) -> None:
    (uadfv / "fake/0007_fake.mp4").unlink()
    shown = _dfsearch("datasets", "--check", uadfv)
    assert shown.exit_code == 1
    assert "not whole" in shown.stdout
    assert json.loads(_dfsearch("datasets", "--check", uadfv, "--json").stdout)["whole"] is False


def test_a_mislabelled_video_is_exit_code_1(tmp_path: Path) -> None:
    for name in ("Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "List_of_testing_videos.txt").write_text("0 Celeb-real/id0_0000.mp4\n")
    shown = _dfsearch("datasets", "--check", tmp_path)
    assert shown.exit_code == 1
    assert "mislabelled" in shown.stdout


def test_a_check_of_no_folder_is_exit_code_2(tmp_path: Path) -> None:
    for words in ((tmp_path / "nothing",), (tmp_path, "--layout", "nope")):
        shown = _dfsearch("datasets", "--check", *words)
        assert shown.exit_code == 2
        assert shown.stderr.count("\n") == 1
    assert _dfsearch("datasets", "UADFV", "--check", tmp_path).exit_code == 2
