from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_prep.text import (
    enumerate_first,
    guard_cell,
    one_line,
    printable,
    read_cell,
    read_text,
    visible,
    visible_lines,
)


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Ja", "\\x1b[2Ja"),
        ("a\x07\x08\x7f", "a\\x07\\x08\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("gpj.\u202e4pm\u2066", "gpj.\\u202e4pm\\u2066"),
        ("a\u2028b\u200b\ufeff", "a\\u2028b\\u200b\\ufeff"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("Müller 東京 שלום 👩 \\", "Müller 東京 שלום 👩 \\"),
    ],
)
def test_characters_that_act_are_shown_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(visible(text)) == shown
    assert one_line(text).isprintable()
    assert visible_lines(f"{text}\nx").endswith("\nx")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "''@"])
def test_a_text_like_a_formula_is_guarded_and_read_back(text: str) -> None:
    assert guard_cell(text) == f"'{text}"
    assert read_cell(guard_cell(text)) == text


@pytest.mark.parametrize("value", ["", "a=1", "'quoted'", "real", -1.5, 3, None])
def test_other_values_stay_as_they_are(value: object) -> None:
    assert guard_cell(value) is value
    assert not isinstance(value, str) or read_cell(value) == value


def test_a_long_list_ends_in_the_number_of_the_others() -> None:
    assert enumerate_first(["a", "b"]) == "a, b"
    assert enumerate_first(range(3), 3) == "0, 1, 2"
    assert enumerate_first((n for n in range(5000)), 2) == "0, 1 and 4,998 more"
