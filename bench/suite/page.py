"""The page of ``make bench``: machine, versions, and a table and a plot of each bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from artifacts.run_directory import write_text
from bench.suite.benches import ACCURACY, BENCHES, PREDICTION, PREPARATION, SEARCH, STORAGE, Bench
from bench.suite.plots import draw
from bench.suite.runs import Record
from bench.suite.sections import Section

_ORDER = (SEARCH, PREPARATION, PREDICTION, STORAGE, ACCURACY)
_QUICK = """\
!!! danger "Quick trial: these figures mean nothing"
    Made by `make bench QUICK=1` on very little data, to show that every bench runs. Do not publish
    this page or quote its figures.

"""
_PLAIN = """\
Every figure is a score with its interval, or a ratio of runs that took turns on one machine.
Seconds of one machine are not valid for another. One command measures everything again in less than
an hour on two cores, and writes this page:

```
DFSEARCH_REAL_DATA=FOLDER make bench
```

`FOLDER` holds `ffpp/`, FaceForensics++ in its official layout ([accuracy](../accuracy.md)). Without
it, synthetic videos are measured and accuracy is skipped. Results are kept in `runs/bench` and not
measured again. To resume a stopped run, repeat the command.

| command | effect |
| --- | --- |
| `make bench FRESH=1` | measures everything again |
| `make bench ONLY=storage,search` | runs these benches |
| `make bench QUICK=1` | shows only that every bench runs |

Other programs on the machine disturb a measurement, so the load before each is recorded.
"""


def write_page(
    path: Path,
    found: Mapping[str, tuple[Record, Section]],
    missing: Mapping[str, str],
    *,
    quick: bool,
) -> None:
    """Write the page, and the plots to ``images/bench-<name>.svg`` beside it.

    Args:
        path: Page; its folder is made if missing.
        found: Records and sections by bench name.
        missing: Reasons for missing figures, by bench name.
        quick: Whether this is a quick check.
    """
    images = path.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    parts = ["# Benchmarks\n", _QUICK if quick else "", _PLAIN, _format_machines(found)]
    for bench in sorted(BENCHES, key=lambda bench: _ORDER.index(bench.name)):
        if bench.name in found:
            record, section = found[bench.name]
            draw(images / f"bench-{bench.name}.svg", section.plot, quick=quick)
            parts.append(_format_section(bench, record, section, quick=quick))
        elif bench.name in missing:
            parts.append(
                f"## {bench.name.capitalize()}\n\nNo figures: {missing[bench.name]}.\n\n"
                f"```\n{bench.build_command(quick=quick)}\n```\n"
            )
    write_text(path, "\n".join(part for part in parts if part))


def _format_machines(found: Mapping[str, tuple[Record, Section]]) -> str:
    """Return a table of the machine, with a column for each set of facts."""
    columns: list[tuple[dict[str, str], list[str]]] = []
    for name, (record, _) in found.items():
        same = next((names for facts, names in columns if facts == record.machine), None)
        if same is None:
            columns.append((record.machine, [name]))
        else:
            same.append(name)
    if not columns:
        return ""
    heads = ["measured"] if len(columns) == 1 else [", ".join(names) for _, names in columns]
    facts = list(dict.fromkeys(fact for machine, _ in columns for fact in machine))
    rows = [[fact, *(machine.get(fact, "-") for machine, _ in columns)] for fact in facts]
    return "## Machine and versions\n\n" + _format_table(["", *heads], rows)


def _format_section(bench: Bench, record: Record, section: Section, *, quick: bool) -> str:
    """Return one bench: question, command, table, plot, notes."""
    duration = f"{record.minutes:.0f} minutes" if record.minutes >= 1.5 else "a minute"
    when = record.date.replace("T", " ").removesuffix("+00:00")
    measured = f"Measured {when} UTC in {duration}, load before {record.load:.1f}"
    warning = " **Quick trial: the figures mean nothing.**" if quick else ""
    notes = [*section.notes, *([f"Missing: {section.missing}."] if section.missing else [])]
    return "\n".join(
        [
            f"## {section.title}\n",
            f"{section.question}{warning}\n",
            f"```\n{bench.build_command(quick=quick)}\n```\n",
            f"{measured}.\n",
            _format_table(section.columns, section.rows),
            f"![{section.title}: {section.plot.axis}](images/bench-{bench.name}.svg)\n",
            *(f"- {note}" for note in notes),
            "",
        ]
    )


def _format_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )
