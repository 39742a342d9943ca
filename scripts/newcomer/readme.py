"""What README.md shows: its commands, in order, and the files it says a run leaves."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROGRAMS = ("apt-get", "dfsearch", "git", "make", "pip", "pre-commit", "python")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_ASSIGNMENTS = re.compile(r"^(?:[A-Z_]+=\S+\s+)*")
_FILE = re.compile(r"[\w.]+\.\w+|\w+/")


@dataclass(frozen=True)
class Shown:
    """Something a reader may try.

    Attributes:
        text: a command in one line, or a whole block of Python.
        line: where it begins, from 1.
        python: whether it is Python.
    """

    text: str
    line: int
    python: bool = False


def commands(readme: str) -> list[Shown]:
    """Every command of the fenced blocks and of the code within sentences and tables, in order.

    A command shown twice is listed once. Code within sentences is a command if it begins with one
    of ``PROGRAMS`` and says what that should do.
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
    """The cells of the table with these heads, without the heads; empty where there is none."""
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
    """What the table of files names, folders with a slash at the end."""
    return [name for row in rows(readme, "file", "what") for name in _SPAN.findall(row[0])]


def files_added(readme: str) -> list[str]:
    """What the sentence after the table of files says that further commands add."""
    sentence = re.search(r"^and `report`.*? add (.*?)\. `", readme, re.MULTILINE | re.DOTALL)
    names = _SPAN.findall(sentence[1]) if sentence else []
    return [name for name in names if _FILE.fullmatch(name)]
