"""The words that docs, docstrings, comments and printed strings do without.

Each has an everyday technical word in its place, which the failure names. Docstrings of functions
begin with a verb. Run this file to print every line to change:
``python tests/test_wording.py [FILE ...]``.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("dfsearch", "data_prep", "spaces", "artifacts", "search", "bench", "scripts", "notebooks")
PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Makefile", ".ci/run"),
    *("setup.cfg", "pyproject.toml", "mkdocs.yml", "scripts/parts", "notebooks/walkthrough.ipynb"),
)

# A pattern, and what to write.
BANNED = {
    r"tell|tells|telling|told": "report, print, record, distinguish, detect",
    r"says|said": "states, prints, records",
    r"nobody|somebody|whoever|anybody|no one": "name the person or thing",
    r"goes on|go on|going on|went on|gone on": "resume, continue",
    r"as (?:(?!(?:or|and) )\w+ ){1,4}as": "compare with a number, or name the condition",
    r"of which|of whom|of whose": "start a new sentence",
    r"likewise": "also",
    r"but for|for want of": "except, without",
    r"in vain": "without success",
    r"speaks? for|spoke for": "is evidence of",
    r"(?:is|are|was|be) worth": "is, scores, costs",
    r"stands? beside|stood beside": "is shown with",
    r"less (?:its|their|those|that|the)": "minus",
    r"ahead|behind": "margin, difference; after, below",
    r"as it were|as far as it shows": "leave it out",
}
_WORDS = (f"(?P<w{at}>{each})" for at, each in enumerate(BANNED))
# A phrase may be broken over two lines.
_PATTERN = re.compile(r"\b(?:" + "|".join(_WORDS).replace(" ", r"\s+") + r")\b", re.IGNORECASE)
# Words of other languages, of quoted code and of titles are not prose.
_CODE = re.compile(r"``.*?``|`[^`]*`|\[[^\]]*\]\([^)]*\)|https?://\S+", re.DOTALL)

# The first word of a docstring: a verb for a function, a noun for a property, class or module.
_QUESTION = "What|Which|Who|How|Where|When|Why"
_NO_VERB = re.compile(
    rf"{_QUESTION}|Whether|The|An?|All|Both|Each|Every|One|No|Of|By|As|If|Such|\w*[^\Ws]s"
)
_NO_NOUN = re.compile(rf"{_QUESTION}|Returns?")


def _blank(match: re.Match[str]) -> str:
    """Replace code by spaces; keep line breaks and the visible text of links."""
    text = match.group()
    if text.startswith("["):
        text = text[1 : text.index("](")]
        return " " + text.ljust(len(match.group()) - 1)
    return "".join("\n" if each == "\n" else " " for each in text)


def offences(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, words found, words to write) of one text."""
    for match in _PATTERN.finditer(_CODE.sub(_blank, text)):
        wanted = list(BANNED.values())[int(str(match.lastgroup)[1:])]
        yield text.count("\n", 0, match.start()) + 1, match.group(), wanted


def _page(text: str) -> str:
    """Return a page without its fenced code."""
    lines, fenced = [], False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        lines.append("" if fence or fenced else line)
        fenced ^= fence
    return "\n".join(lines)


def _of_python(source: str) -> Iterator[tuple[int, str, str]]:
    tree = ast.parse(source)
    yield from _first_words(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for line, found, wanted in offences(node.value):
                inside = node.value.count("\n") == (node.end_lineno or 0) - node.lineno
                yield node.lineno + (line - 1 if inside else 0), found, wanted
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for _, found, wanted in offences(token.string):
                yield token.start[0], found, wanted


def _first_words(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield (line, first word, words to write) of docstrings that begin with a wrong word."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            continue
        word, *_ = re.findall(r"\w+", ast.get_docstring(node) or "") or [""]
        is_action = isinstance(node, ast.FunctionDef) and not any(
            ast.unparse(each).endswith("property") for each in node.decorator_list
        )
        if (_NO_VERB if is_action else _NO_NOUN).fullmatch(word):
            yield node.body[0].lineno, word, "a verb first" if is_action else "a noun first"


def _of(path: Path) -> Iterator[tuple[int, str, str]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _of_python(text)
    elif path.suffix == ".ipynb":
        # In place of a line: the number of the cell.
        for number, cell in enumerate(json.loads(text)["cells"], start=1):
            source = "".join(cell["source"])
            read = _of_python(source) if cell["cell_type"] == "code" else offences(_page(source))
            yield from ((number, found, wanted) for _, found, wanted in read)
    else:
        yield from offences(_page(text))


def texts() -> list[Path]:
    """Return every file that is checked."""
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    found += sorted((ROOT / "docs").rglob("*.md"))
    for folder in ("artifacts/report/templates", "notebooks/page"):
        found += sorted((ROOT / folder).rglob("*.*"))
    return found + [ROOT / page for page in PAGES]


def report(paths: list[Path]) -> list[str]:
    """Return a line for every offence: file, line, words found, words to write."""
    return [
        f"{path.resolve().relative_to(ROOT)}:{line}: {found!r}: write {wanted}"
        for path in paths
        for line, found, wanted in sorted(_of(path))
    ]


def test_docs_docstrings_and_printed_strings_do_without_the_banned_words() -> None:
    found = report(texts())
    assert not found, "\n" + "\n".join(found)


def test_the_check_finds_what_it_is_for() -> None:
    assert [each[1] for each in offences("It is told at once.\nAs soon as it goes on")] == [
        "told",
        "As soon as",
        "goes on",
    ]
    more = "as good in every respect as; no one is ahead of it or behind; as text or as JSON"
    found = [each[1] for each in offences(more)]
    assert found == ["as good in every respect as", "no one", "ahead", "behind"]
    assert not list(offences("``told`` and `goes on` are names; [a title](told.md) is a link"))


def test_the_check_reads_the_cells_of_a_notebook(tmp_path: Path) -> None:
    sources = {"markdown": "It is told.", "code": "told = 1  # it says\nprint('likewise')"}
    cells = [{"cell_type": kind, "source": [text]} for kind, text in sources.items()]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    found = [(number, word) for number, word, _ in _of(tmp_path / "a.ipynb")]
    assert found == [(1, "told"), (2, "likewise"), (2, "says")]


def test_the_check_knows_the_first_words_of_docstrings() -> None:
    source = """'''A module.'''
class A:
    '''What it is.'''
    def f(self):
        '''The value.'''
    @cached_property
    def g(self):
        '''Whether it is.'''
    def h(self):
        '''Pass the value.'''
    def i(self):
        '''Values by name.'''
"""
    found = [each[1] for each in _first_words(ast.parse(source))]
    assert found == ["What", "The", "Values"]


if __name__ == "__main__":
    wanted = [Path(each) for each in sys.argv[1:]] or texts()
    print("\n".join(report(wanted)))
