"""Text of files and file names, as it can be read, stored and printed."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from data_prep.files import read_bytes

# The longer mark first: that of UTF-16 is its beginning.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or in the encoding of its byte order mark.

    Notepad and PowerShell write such marks; Windows PowerShell writes UTF-16. Line ends stay.

    Raises:
        OSError: it is no regular file, is too large or cannot be read.
        ValueError: it is no text in this encoding.
    """
    content = read_bytes(path)
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    if not mark and b"\0" in content[:1024]:
        raise ValueError("no UTF-8 text, perhaps UTF-16 without a byte order mark")
    return content[len(mark) :].decode(_MARKS.get(mark, "utf-8"))


def printable(text: str) -> str:
    """Return text that UTF-8 can hold: invalid bytes of a file name become ``\\xNN``.

    Half a surrogate pair, as broken JSON can have it, becomes ``\\uNNNN``.
    """
    text = re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Return printable text with every run of white space made one space."""
    return re.sub(r"\s+", " ", printable(text))


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a question with the known names that are closest to a wrong one, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""
