"""Text of files and file names, as it can be read, stored and printed."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_prep.files import LARGEST_FILE, read_bytes

# The longer mark first: that of UTF-16 is its beginning.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# Control characters, marks of direction, separators of lines, and marks without width.
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Apostrophes before the mark: a text that begins like a guarded one is guarded too.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def read_text(path: Path, largest: int = LARGEST_FILE) -> str:
    """Read a text file in UTF-8, or in the encoding of its byte order mark.

    Notepad and PowerShell write such marks; Windows PowerShell writes UTF-16. Line ends stay.

    Raises:
        OSError: it is no regular file, is too large or cannot be read.
        ValueError: it is no text in this encoding.
    """
    content = read_bytes(path, largest)
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


def visible(text: str) -> str:
    """Return printable text in one line, with an escape for every character that acts.

    Control characters act on a terminal; other marks reverse the order of letters or hide them.
    Names of files and of methods may contain them.
    """
    return _ACTING.sub(_escape, printable(text))


def visible_lines(text: str) -> str:
    """Return text like :func:`visible`, with its line breaks."""
    return "\n".join(map(visible, text.split("\n")))


def one_line(text: str) -> str:
    """Return visible text with every run of white space made one space."""
    return visible(re.sub(r"\s+", " ", printable(text)))


def enumerate_first(names: Iterable[object], most: int = 10) -> str:
    """Return the first names, separated by commas, and the number of the others."""
    texts = [str(name) for name in names]
    others = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {others:,} more" if others > 0 else "")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a question with the known names that are closest to a wrong one, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def guard_cell(value: Any) -> Any:
    """Return a value for a CSV file that no spreadsheet takes for a formula.

    A text that begins like a formula begins with an apostrophe instead, as OWASP advises.
    Numbers stay. :func:`read_cell` returns the original.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def read_cell(text: str) -> str:
    """Return the original of a text that :func:`guard_cell` wrote."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    if letter in _SHORT:
        return _SHORT[letter]
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"
