"""Notes of trials as plain text, in a page that renders them as Markdown."""

from __future__ import annotations

import re

from data_prep.text import one_line

# Characters of links, pictures, HTML, code, tables and headings, as references. An underscore
# between letters has no effect in Markdown, and names have many.
_MARKUP = re.compile(r"[&<>\[\]!`*~|\\#]|\b_|_\b")
# GitHub's Markdown links bare addresses. A word joiner, which has no width, breaks them.
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)
_WORD_JOINER = "\u2060"


def escape_markdown(text: str) -> str:
    """Return Markdown that shows a text as it is, in one line and without links or pictures."""
    plain = _ADDRESS.sub(_WORD_JOINER, one_line(text).strip())
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", plain)
