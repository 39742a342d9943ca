"""Commands of README.md, in order, and its list of the files of a run."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROGRAMS = ("apt-get", "dfsearch", "git", "make", "pip", "pre-commit", "python")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_ASSIGNMENTS = re.compile(r"^(?:[A-Z_]+=\S+\s+)*")


@dataclass(frozen=True)
class Shown:
    """A command or a block of Python.

    Attributes:
        text: Command in one line, or a whole block of Python.
        line: First line in README.md, from 1.
        python: Whether it is Python.
    """

    text: str
    line: int
    python: bool = False


def commands(readme: str) -> list[Shown]:
    """Return the commands of fenced blocks, sentences and tables, in order.

    A repeated command is listed once. Code within a sentence is a command if it starts with one of
    ``PROGRAMS`` and has arguments.
    """
    found = []
    for match in _FENCE.finditer(readme):
        line = readme.count("\n", 0, match.start()) + 2
        language, block = match.groups()
        if language == "python":
            found.append(Shown(block, line, python=True))
        else:
            for text in re.split(r"(?<!\\)\n", block):
                if text.strip():
                    found.append(Shown(" ".join(text.replace("\\\n", " ").split()), line))
                line += text.count("\n") + 1
    prose = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), readme)
    for match in _SPAN.finditer(prose):
        text = " ".join(match[1].replace(r"\|", "|").split())
        words = _ASSIGNMENTS.sub("", text).split()
        if len(words) > 1 and words[0] in PROGRAMS:
            found.append(Shown(text, prose.count("\n", 0, match.start()) + 1))
    first: dict[str, Shown] = {}
    for shown in sorted(found, key=lambda shown: shown.line):
        first.setdefault(shown.text, shown)
    return list(first.values())


def rows(readme: str, *heads: str) -> list[list[str]]:
    """Return the cells of the table with these headings, or an empty list."""
    lines = [line.strip() for line in readme.splitlines()]
    head = f"| {' | '.join(heads)} |"
    if head not in lines:
        return []
    found = []
    for line in lines[lines.index(head) + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def files_of_a_run(readme: str) -> list[str]:
    """Return the names in the table of files; folders end in a slash."""
    table = rows(readme, "file of a run", "content")
    return [name for row in table for name in _SPAN.findall(row[0])]
