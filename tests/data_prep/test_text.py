from __future__ import annotations

import os

from data_prep.text import one_line, printable


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
