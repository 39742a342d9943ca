"""Every command that the documentation shows is one the command line takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import search.cli.__main__  # noqa: F401 - registers the commands
from search.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`(dfsearch [^`]+)`(?!`)")
# What stands for a number where one is wanted.
_NUMBERS = {"N": "3", "S": "3", "SECONDS": "3"}


def _commands(page: Path) -> Iterator[str]:
    """Commands of dfsearch on a page: lines of blocks, and whole spans of a sentence."""
    text = page.read_text()
    for language, block in _BLOCK.findall(text):
        if language not in ("", "sh"):
            continue
        joined = block.replace("\\\n", " ")
        yield from (line for line in joined.splitlines() if re.match(r"(\S*/)?dfsearch ", line))
    yield from (" ".join(span.split()) for span in _SPAN.findall(_BLOCK.sub("", text)))


COMMANDS = [(page, line) for page in PAGES for line in dict.fromkeys(_commands(page))]
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def _refusal(line: str) -> str:
    """Why the command line would not take a command, empty where it would; it is not run."""
    words = [word for word in shlex.split(line, comments=True)[1:] if word not in ("...", "…")]
    verb, *rest = [_NUMBERS.get(word, word) for word in words]
    if verb == "--help":
        return ""
    if verb not in VERBS:
        return f"there is no {verb}"
    # A verb alone, or with names of options, is a mention of it, as its help is.
    if "--help" in rest or all(word.startswith("--") for word in rest):
        known = {name for option in VERBS[verb].params for name in option.opts}
        return " ".join(sorted({*rest} - {*known, "--help"}))
    try:
        VERBS[verb].make_context(verb, rest)
    except Exception as error:  # of the copy of Click that Typer brings
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())
    return ""


@pytest.mark.parametrize(
    ("page", "line"),
    COMMANDS,
    ids=[f"{page.stem}: {line}" for page, line in COMMANDS],
)
def test_a_command_of_the_documentation_can_be_given(page: Path, line: str) -> None:
    assert _refusal(line) == ""


def test_most_pages_and_every_command_are_covered() -> None:
    assert len(COMMANDS) > 80
    shown = {shlex.split(line, comments=True)[1] for _, line in COMMANDS}
    assert set(VERBS) <= shown


@pytest.mark.parametrize(
    "line",
    ["dfsearch fly", "dfsearch run store.h5 --no-such-option", "dfsearch prepare a b --size x"],
)
def test_a_command_that_is_none_is_noticed(line: str) -> None:
    assert _refusal(line)
