"""Paths that the system refuses, and options by the name that the reader uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dfsearch
from data_prep.errors import UserError, VideoError

RUN = "runs/ffpp"
REFUSED = {
    "null": ("a\0b", "a path holds no null character"),
    "long name": ("x" * 300, "File name too long"),
    "long path": ("/".join(["x" * 100] * 60), "File name too long"),
}
READERS: dict[str, Callable[[str], Any]] = {
    "Run": lambda path: dfsearch.Run(path),
    "Detector": lambda path: dfsearch.Detector.load(path),
    "compare": lambda path: dfsearch.compare(RUN, path),
    "verify": lambda path: dfsearch.verify(path),
    "audit": lambda path: dfsearch.audit(path),
    "prepare, source": lambda path: dfsearch.prepare(path, "new.h5"),
    "search, store": lambda path: dfsearch.search(path, "runs/new"),
    "search, configuration": lambda path: dfsearch.search(f"{path}.toml"),
    "evaluate": lambda path: dfsearch.Run(RUN).evaluate(path),
    "pseudo_fakes": lambda path: dfsearch.pseudo_fakes(path, "new.png"),
}
WRITERS: dict[str, Callable[[str], Any]] = {
    "synthesize": lambda path: dfsearch.synthesize(path, identities=4),
    "prepare": lambda path: dfsearch.prepare("videos", path),
    "search": lambda path: dfsearch.search("ffpp.h5", path),
    "picture": lambda path: dfsearch.audit("ffpp.h5", picture=path),
    "pseudo_fakes": lambda path: dfsearch.pseudo_fakes("ffpp.h5", path, clips=1),
    "report": lambda path: dfsearch.Run(RUN).report(path, faces=False),
    "export": lambda path: dfsearch.Run(RUN).export("keras", out=path),
}


def _line(call: Callable[[str], Any], path: str) -> str:
    with pytest.raises(dfsearch.DfsearchError) as raised:
        call(path)
    (line,) = str(raised.value).splitlines()
    assert len(line) < 500
    return line


@pytest.mark.parametrize("refused", REFUSED)
def test_a_path_that_no_system_accepts_is_an_error_of_one_line(here: Path, refused: str) -> None:
    path, reason = REFUSED[refused]
    before = sorted(here.rglob("*"))
    for call in (*READERS.values(), *WRITERS.values()):
        assert reason in _line(call, path)
    assert sorted(here.rglob("*")) == before


def test_a_path_below_a_file_is_an_error_of_one_line(here: Path) -> None:
    for name, call in (READERS | WRITERS).items():
        assert "video.mp4/deeper" in _line(call, "video.mp4/deeper/x"), name


def test_a_picture_or_report_in_a_missing_folder_is_an_error_that_names_the_argument(
    here: Path,
) -> None:
    found = {name: _line(WRITERS[name], "missing/x") for name in ("picture", "report")}
    assert found["picture"].endswith("No such file or directory; name another: picture=PNG")
    assert found["report"].endswith("No such file or directory; name another file: out=FILE")


@pytest.mark.parametrize(
    ("printed", "in_python"),
    [
        ("x exists; pass --overwrite to replace it", "x exists; pass overwrite to replace it"),
        ("--filter 'a' is no condition", "where 'a' is no condition"),
        ("prepare it with --frames 4 --size 32", "prepare it with frames=4 size=32"),
        ("use --held-out METHOD", "use held_out=METHOD"),
        ("pip install --force-reinstall mtcnn", "pip install --force-reinstall mtcnn"),
        ("see dfsearch run --help; or --top 3", "see dfsearch run --help; or top=3"),
    ],
)
def test_an_error_names_options_on_the_command_line_and_arguments_in_python(
    printed: str, in_python: str
) -> None:
    error = UserError(printed)
    assert (error.command_line, str(error)) == (printed, in_python)
    video = VideoError("decode", printed)
    assert (video.command_line, str(video)) == (f"decode: {printed}", f"decode: {in_python}")
