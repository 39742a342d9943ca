from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_prep.text import one_line, printable, read_text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_a_text_is_read_in_the_encoding_of_its_mark(encoding: str, tmp_path: Path) -> None:
    text = "Müller 東京\r\nnext\n"
    mark = "\ufeff" if encoding.endswith("be") else ""
    (tmp_path / "a.txt").write_bytes((mark + text).encode(encoding))
    assert read_text(tmp_path / "a.txt") == text


@pytest.mark.parametrize(
    "content", [b"\xff", b"a\0b\0", b"\0a\0b", b"\xff\xfea", b"\xef\xbb\xbf\xff"]
)
def test_what_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError):
        read_text(tmp_path / "a.txt")


def test_bytes_that_are_no_text_become_readable() -> None:
    name = os.fsdecode(b"clip \xff.mp4")
    assert printable(name) == "clip \\xff.mp4"
    printable(name).encode("utf-8")


def test_half_a_surrogate_pair_becomes_readable() -> None:
    assert printable("a\ud800b\udfffc") == "a\\ud800b\\udfffc"


def test_text_stays_as_it_is() -> None:
    assert printable("Müller 東京.mp4") == "Müller 東京.mp4"


def test_white_space_becomes_one_space() -> None:
    assert one_line("a\n\t b") == "a b"
