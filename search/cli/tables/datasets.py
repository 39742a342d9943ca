"""Known data sets and checks of folders for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_prep.catalogue.check import Check
from data_prep.catalogue.known import DataSet
from data_prep.text import visible
from search.cli.console import cell, tables

_LISTED = 10


def print_data_sets(known: Sequence[DataSet]) -> None:
    """Print the known data sets, one a row."""
    table = Table("data set", "content", "people", "official splits")
    for each in known:
        table.add_row(each.name, each.summary, each.people, each.splits)
    console = tables()
    console.print(table)
    console.print("dfsearch datasets NAME describes one.", style="dim")


def print_data_set(known: DataSet) -> None:
    """Print the facts about one data set, and its expected tree."""
    facts = Table.grid(padding=(0, 2))
    for name in ("licence", "ask", "size", "people", "splits"):
        facts.add_row({"ask": "where to ask"}.get(name, name), cell(getattr(known, name)))
    if known.counts:
        counts = (f"{method} {_published(number)}" for method, number in known.counts.items())
        facts.add_row("published", cell(", ".join(counts)))
    facts.add_row("page", cell(f"docs/{known.page}"))
    console = tables()
    console.print(cell(f"{known.name}: {known.summary}", "bold"))
    console.print(facts)
    console.print("\nexpected tree", style="bold")
    for line in known.tree:
        console.print(Text(f"  {visible(line)}"), soft_wrap=True)
    console.print("\nwhat goes wrong", style="bold")
    for pitfall in known.pitfalls:
        console.print(cell(f"- {pitfall}"))
    if known.unverified:
        console.print(cell(f"\nNot verified: {known.unverified}"[1:]))


def print_check(result: Check) -> None:
    """Print what a folder has, and what is missing, extra and mislabelled."""
    console = tables()
    if result.layout is None:
        console.print(cell(f"{result.folder}: mislabelled", "bold"))
        console.print(cell(result.contradiction))
        return
    verdict = "nothing missing or mislabelled" if result.whole else "not whole"
    console.print(cell(f"{result.folder}: {result.layout}, {verdict}", "bold"))
    table = Table("label", "method", "quality")
    for column in ("videos", "published", "absent"):
        table.add_column(column, justify="right")
    for count in result.counts:
        kind = (count.label, cell(count.method), cell(count.quality))
        absent = f"{count.absent:,}" if count.published else ""
        style = "red" if count.absent else ""
        table.add_row(*kind, str(count.videos), _published(count.published), absent, style=style)
    console.print(table)
    for name in ("missing", "mislabelled", "extra"):
        _print_names(console, name, getattr(result, name))
    reasons = [f"{problem.path}: {problem.reason}" for problem in result.problems]
    _print_names(console, "other problems", reasons)
    if not any(count.published for count in result.counts):
        console.print("No count is published; only lists in the folder were compared.")


def _published(numbers: tuple[int, ...]) -> str:
    return " or ".join(f"{number:,}" for number in numbers)


def _print_names(console: Console, name: str, names: Sequence[str]) -> None:
    if not names:
        return
    console.print(cell(f"{name}: {len(names)}", "bold"))
    for each in names[:_LISTED]:
        console.print(cell(f"  {each}"))
    if len(names) > _LISTED:
        console.print(cell(f"  and {len(names) - _LISTED} more; all with --json"))
