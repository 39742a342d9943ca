"""What each part of a detector brings: ``python -m bench.ablations --keep FOLDER``.

Each claim of the recipe is put to the test by two detectors that differ in that one thing: grey
beside red, green and blue; each stream; pseudo-fakes; fakes of a GAN, and the features of its
discriminator; an architecture search. First on SYNTHETIC people, whose fakes carry known marks;
then, where ``DFSEARCH_REAL_DATA`` names a folder of real videos, on those, by the rows of
``bench.accuracy``: ``--keep`` may be a folder that that bench has kept, and only what is missing
there is trained.

Differences are taken on the same clips, within each draw of people and of trainings. An interval
that includes zero is a null result and is called one; where there are too few people there is no
interval. Scores are kept by row, and a bench started again goes on with what is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.ablations import drawn, real
from bench.ablations.compared import (
    Comparison,
    Difference,
    difference,
    methods_table,
    sentence,
    table,
)
from bench.accuracy.data import VARIABLE
from bench.accuracy.rows import RECIPE, RGB, RGB_GREY, Kept
from bench.accuracy.table import Judged
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.cli.app import INTERRUPTED, USAGE
from search.cli.console import log, tables

REAL_PREFIX = "real/"
IDENTITIES, QUICK_IDENTITIES, QUICK_EPOCHS = 48, 16, 3

DRAWN_COMPARISONS = (
    Comparison("grey beside red, green and blue", RGB_GREY, RGB),
    Comparison("spatial stream", drawn.ALL, f"no-{drawn.SPATIAL}"),
    Comparison("recurrence over its frames", drawn.ALL, "no-recurrence"),
    Comparison("micro-expression stream", drawn.ALL, f"no-{drawn.MICRO}"),
    Comparison("noise-residual stream", drawn.ALL, f"no-{drawn.NOISE}"),
    Comparison("pseudo-fakes", "pseudo-fakes", drawn.ALL),
    Comparison("fakes of a GAN", "gan-fakes", drawn.ALL),
    Comparison("features of its discriminator", "gan-stream", drawn.ALL),
    Comparison(
        f"{drawn.SEARCH_TRIALS} trials of all streams for the recipe's two", drawn.SEARCH, RECIPE
    ),
    Comparison("the same for two that train as long", drawn.SEARCH, drawn.TWO_TRIALS),
)


@dataclasses.dataclass(frozen=True)
class Part:
    """What is said of one set of clips.

    Attributes:
        title: of the clips, and how many.
        differences: those that can be had.
        absent: questions whose detectors have not both scored the clips.
    """

    title: str
    differences: list[Difference]
    absent: list[str]


def part(clips: Judged, comparisons: Sequence[Comparison]) -> Part:
    """All comparisons on some clips."""
    found = {one.question: difference(clips, one) for one in comparisons}
    return Part(
        f"{clips.title}: {clips.size}",
        [one for one in found.values() if one is not None],
        [question for question, one in found.items() if one is None],
    )


def drawn_rows(seeds: Sequence[int], *, quick: bool, epochs: int = drawn.EPOCHS) -> list[drawn.Row]:
    """Rows of the SYNTHETIC half, a seed after the other, searches last.

    Args:
        seeds: of the trainings.
        quick: few rows of few epochs.
        epochs: of a training that is no search, if not quick.
    """
    if quick:
        short = [name for name in drawn.VARIANTS if name not in drawn.LONG]
        return [drawn.Row(name, seeds[0], QUICK_EPOCHS) for name in short]
    short, long = (
        [name for name in drawn.VARIANTS if (name in drawn.LONG) == wanted]
        for wanted in (False, True)
    )
    trained = [drawn.Row(name, seed, epochs) for seed in seeds for name in short]
    return trained + [drawn.Row(name, seed) for seed in seeds for name in long]


def drawn_half(
    chosen: argparse.Namespace, rows: Sequence[drawn.Row]
) -> tuple[Part, list[drawn.Row], dict[str, list[float]]]:
    """Train what is missing while there is time; comparisons, missing rows, seconds by detector."""
    path = drawn.people_store(chosen.keep, QUICK_IDENTITIES if chosen.quick else chosen.identities)
    kept = Kept(chosen.keep / "ablations.jsonl")
    with Store(path) as store:
        mark = store.fingerprint
    until = time.monotonic() + 60 * chosen.minutes
    missing = []
    for row in rows:
        if row.key(mark) in kept.entries():
            continue
        if time.monotonic() >= until:
            missing.append(row)
            continue
        drawn.measure(chosen.keep, path, row, kept)
        log.print(f"{row.name}: {kept.entries()[row.key(mark)]['seconds']:.0f} s", markup=False)
    entries = kept.entries()
    seconds: dict[str, list[float]] = {}
    for row in rows:
        if row.key(mark) in entries:
            seconds.setdefault(row.variant, []).append(entries[row.key(mark)]["seconds"])
    return part(drawn.judged(path, rows, entries), DRAWN_COMPARISONS), missing, seconds


def _only(names: Mapping[str, Any], patterns: str) -> list[Any]:
    """What has a name that fits one of the patterns, comma-separated; all where there is none."""
    wanted = [pattern for pattern in patterns.split(",") if pattern]
    return [
        row
        for name, row in names.items()
        if not wanted or any(fnmatch(name, pattern) for pattern in wanted)
    ]


def _seconds_table(title: str, seconds: Mapping[str, Sequence[float]]) -> Table:
    shown = Table(title=f"{title}: how long each row takes", title_justify="left")
    for column in ("row", "trainings", "seconds each"):
        shown.add_column(column)
    for name, taken in seconds.items():
        shown.add_row(name, str(len(taken)), ", ".join(f"{one:.0f}" for one in taken))
    return shown


def _print(parts: Sequence[Part]) -> None:
    console = tables()
    for one in parts:
        if one.differences:
            console.print(table(one.title, one.differences))
            by_method = methods_table(one.title.partition(":")[0], one.differences)
            if by_method is not None:
                console.print(by_method)
        for found in one.differences:
            console.print(sentence(found), markup=False)
        if one.absent:
            console.print(f"not compared here: {'; '.join(one.absent)}", markup=False)
        console.print()


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.ablations", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--keep", type=Path, required=True, metavar="FOLDER", help="where all stays"
    )
    parser.add_argument("--seeds", default="0,1,2", help="of the trainings, comma-separated")
    parser.add_argument("--only", default="", metavar="ROWS", help="as drawn/*,real/rgb*-fold?")
    parser.add_argument("--quick", action="store_true", help="few drawn people, short trainings")
    parser.add_argument("--identities", type=int, default=IDENTITIES, help="people that are drawn")
    parser.add_argument(
        "--epochs", type=int, default=drawn.EPOCHS, help="of drawn trainings that are no search"
    )
    parser.add_argument("--minutes", type=float, default=120, help="each half; 0 prints alone")
    parser.add_argument(
        "--as-kept", action="store_true", help="take real rows of other settings than today's, too"
    )
    parser.add_argument("--test", type=Path, action="append", default=[], metavar="STORE.h5")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args()


def _both(chosen: argparse.Namespace, seeds: list[int]) -> None:
    """Measure both halves and print."""
    chosen.keep.mkdir(parents=True, exist_ok=True)
    parts: list[Part] = []
    times: dict[str, Mapping[str, Sequence[float]]] = {}
    notes = []
    ours = {row.name: row for row in drawn_rows(seeds, quick=chosen.quick, epochs=chosen.epochs)}
    rows = _only(ours, chosen.only)
    if rows:
        found, missing, times["SYNTHETIC"] = drawn_half(chosen, rows)
        parts.append(found)
        notes += [row.name for row in missing]
    earlier: list[str] = []
    if os.environ.get(VARIABLE):
        wanted = {REAL_PREFIX + row.name: row for row in real.in_order(seeds, quick=chosen.quick)}
        rows = _only(wanted, chosen.only)
        if rows:
            results = real.measured(chosen, rows)
            parts += [part(clips, real.COMPARISONS) for clips in results.judged]
            notes += [REAL_PREFIX + row.name for row in results.missing]
            earlier = [REAL_PREFIX + row.name for row in results.earlier]
            times["real"] = results.seconds
    else:
        log.print(f"the SYNTHETIC half alone: {VARIABLE} is not set", markup=False)
    if chosen.json:
        print(json.dumps([dataclasses.asdict(one) for one in parts], indent=1))
        return
    _print(parts)
    console = tables()
    for title, taken in times.items():
        console.print(_seconds_table(title, taken))
    if earlier:
        console.print(f"trained under other settings: {', '.join(earlier)}", markup=False)
    if notes:
        named = ", ".join(notes)
        console.print(f"missing, the same command goes on with them: {named}", markup=False)


def main() -> None:
    """Measure and print."""
    chosen = _chosen()
    try:
        seeds = [int(seed) for seed in chosen.seeds.split(",")]
    except ValueError:
        print(f"error: --seeds takes whole numbers, as 0,1,2, not {chosen.seeds}", file=sys.stderr)
        sys.exit(USAGE)
    try:
        _both(chosen, seeds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        sys.exit(INTERRUPTED)
