"""File names as text that can be stored and printed."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    """Return text that UTF-8 can hold: invalid bytes of a file name become ``\\xNN``.

    Half a surrogate pair, as broken JSON can have it, becomes ``\\uNNNN``.
    """
    text = re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Return printable text with every run of white space made one space."""
    return re.sub(r"\s+", " ", printable(text))
