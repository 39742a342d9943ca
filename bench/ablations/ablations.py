"""Ablations of a detector: ``python -m bench.ablations --keep FOLDER``.

Each comparison is between two detectors that differ in one part: the grey channel, each stream,
pseudo-fakes, GAN fakes, the features of the GAN's discriminator, an architecture search. The first
half uses SYNTHETIC people whose fakes carry known marks. The second half needs real videos in the
folder named by ``DFSEARCH_REAL_DATA`` and uses the rows of ``bench.accuracy``. If ``--keep`` is a
folder of that bench, only rows missing there are trained.

Differences are computed on the same clips, within each draw of people and of trainings. An interval
that contains zero is reported as not significant; with too few people there is no interval. Scores
are kept by row, and a restarted bench trains only missing rows.
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

from bench.ablations import real, synthetic
from bench.ablations.comparison import (
    Comparison,
    Effect,
    build_methods_table,
    build_table,
    compare,
    describe,
)
from bench.accuracy.data import VARIABLE
from bench.accuracy.rows import RECIPE, RGB, RGB_GREY, ScoreFile
from bench.accuracy.table import ScoredClips
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.cli.app import INTERRUPTED, USAGE
from search.cli.console import log, tables

REAL_PREFIX = "real/"
IDENTITIES, QUICK_IDENTITIES, QUICK_EPOCHS = 48, 16, 3

SYNTHETIC_COMPARISONS = (
    Comparison("grey in addition to colour", RGB_GREY, RGB),
    Comparison("spatial stream", synthetic.ALL, f"no-{synthetic.SPATIAL}"),
    Comparison("recurrence over its frames", synthetic.ALL, "no-recurrence"),
    Comparison("micro-expression stream", synthetic.ALL, f"no-{synthetic.MICRO}"),
    Comparison("noise-residual stream", synthetic.ALL, f"no-{synthetic.NOISE}"),
    Comparison("pseudo-fakes", "pseudo-fakes", synthetic.ALL),
    Comparison("fakes of a GAN", "gan-fakes", synthetic.ALL),
    Comparison("features of its discriminator", "gan-stream", synthetic.ALL),
    Comparison(
        f"{synthetic.SEARCH_TRIALS} trials of all streams, not two of the recipe",
        synthetic.SEARCH,
        RECIPE,
    ),
    Comparison("the same, not two of equal training time", synthetic.SEARCH, synthetic.TWO_TRIALS),
)


@dataclasses.dataclass(frozen=True)
class ComparisonSet:
    """Comparisons on one set of clips.

    Attributes:
        title: Name of the clips and their number.
        effects: Effects of the parts that both detectors of a comparison scored.
        absent: Names of the other parts.
    """

    title: str
    effects: list[Effect]
    absent: list[str]


def compare_all(clips: ScoredClips, comparisons: Sequence[Comparison]) -> ComparisonSet:
    """Return all comparisons on a set of clips."""
    found = {one.question: compare(clips, one) for one in comparisons}
    return ComparisonSet(
        f"{clips.title}: {clips.size}",
        [one for one in found.values() if one is not None],
        [question for question, one in found.items() if one is None],
    )


def list_synthetic_rows(
    seeds: Sequence[int], *, quick: bool, epochs: int = synthetic.EPOCHS
) -> list[synthetic.Row]:
    """Return the rows of the synthetic half by seed, searches last.

    Args:
        seeds: Seeds of the trainings.
        quick: Whether to return few rows of few epochs.
        epochs: Epochs of a training that is not a search, unless quick.
    """
    if quick:
        short = [name for name in synthetic.VARIANTS if name not in synthetic.SEARCH_VARIANTS]
        return [synthetic.Row(name, seeds[0], QUICK_EPOCHS) for name in short]
    short, long = (
        [name for name in synthetic.VARIANTS if (name in synthetic.SEARCH_VARIANTS) == wanted]
        for wanted in (False, True)
    )
    trained = [synthetic.Row(name, seed, epochs) for seed in seeds for name in short]
    return trained + [synthetic.Row(name, seed) for seed in seeds for name in long]


def run_synthetic(
    chosen: argparse.Namespace, rows: Sequence[synthetic.Row]
) -> tuple[ComparisonSet, list[synthetic.Row], dict[str, list[float]]]:
    """Train missing rows until time is up.

    Returns:
        The comparisons, the rows still missing, and the seconds of each training by detector.
    """
    path = synthetic.make_store(
        chosen.keep, QUICK_IDENTITIES if chosen.quick else chosen.identities
    )
    kept = ScoreFile(chosen.keep / "ablations.jsonl")
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
        synthetic.train_and_score(chosen.keep, path, row, kept)
        log.print(f"{row.name}: {kept.entries()[row.key(mark)]['seconds']:.0f} s", markup=False)
    entries = kept.entries()
    seconds: dict[str, list[float]] = {}
    for row in rows:
        if row.key(mark) in entries:
            seconds.setdefault(row.variant, []).append(entries[row.key(mark)]["seconds"])
    return (
        compare_all(synthetic.read_scored_clips(path, rows, entries), SYNTHETIC_COMPARISONS),
        missing,
        seconds,
    )


def _select(names: Mapping[str, Any], patterns: str) -> list[Any]:
    """Return the values whose name matches a comma-separated pattern; all without patterns."""
    wanted = [pattern for pattern in patterns.split(",") if pattern]
    return [
        row
        for name, row in names.items()
        if not wanted or any(fnmatch(name, pattern) for pattern in wanted)
    ]


def _build_time_table(title: str, seconds: Mapping[str, Sequence[float]]) -> Table:
    shown = Table(title=f"{title}: training time by detector", title_justify="left")
    for column in ("detector", "trainings", "seconds each"):
        shown.add_column(column)
    for name, taken in seconds.items():
        shown.add_row(name, str(len(taken)), ", ".join(f"{one:.0f}" for one in taken))
    return shown


def _print(sets: Sequence[ComparisonSet]) -> None:
    console = tables()
    for one in sets:
        if one.effects:
            console.print(build_table(one.title, one.effects))
            by_method = build_methods_table(one.title.partition(":")[0], one.effects)
            if by_method is not None:
                console.print(by_method)
        for found in one.effects:
            console.print(describe(found), markup=False)
        if one.absent:
            console.print(f"not compared, scores missing: {'; '.join(one.absent)}", markup=False)
        console.print()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.ablations", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--keep", type=Path, required=True, metavar="FOLDER", help="stores, models, scores"
    )
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings, comma-separated")
    parser.add_argument(
        "--only", default="", metavar="ROWS", help="such as drawn/*,real/rgb*-fold?"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few synthetic people, short trainings"
    )
    parser.add_argument(
        "--identities", type=int, default=IDENTITIES, help="number of synthetic people"
    )
    parser.add_argument(
        "--epochs",
        type=int,
        default=synthetic.EPOCHS,
        help="of synthetic trainings, except searches",
    )
    parser.add_argument(
        "--minutes", type=float, default=120, help="limit of each half; 0 prints kept scores"
    )
    parser.add_argument(
        "--as-kept",
        action="store_true",
        help="also use real rows that were kept under other settings",
    )
    parser.add_argument("--test", type=Path, action="append", default=[], metavar="STORE.h5")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _run(chosen: argparse.Namespace, seeds: list[int]) -> None:
    """Run both halves and print."""
    chosen.keep.mkdir(parents=True, exist_ok=True)
    sets: list[ComparisonSet] = []
    times: dict[str, Mapping[str, Sequence[float]]] = {}
    notes = []
    ours = {
        row.name: row
        for row in list_synthetic_rows(seeds, quick=chosen.quick, epochs=chosen.epochs)
    }
    rows = _select(ours, chosen.only)
    if rows:
        found, missing, times["SYNTHETIC"] = run_synthetic(chosen, rows)
        sets.append(found)
        notes += [row.name for row in missing]
    outdated: list[str] = []
    if os.environ.get(VARIABLE):
        wanted = {REAL_PREFIX + row.name: row for row in real.order_rows(seeds, quick=chosen.quick)}
        rows = _select(wanted, chosen.only)
        if rows:
            results = real.train_and_read(chosen, rows)
            sets += [compare_all(clips, real.COMPARISONS) for clips in results.test_sets]
            notes += [REAL_PREFIX + row.name for row in results.missing]
            outdated = [REAL_PREFIX + row.name for row in results.outdated]
            times["real"] = results.seconds
    else:
        log.print(f"SYNTHETIC half only: {VARIABLE} is not set", markup=False)
    if chosen.json:
        print(json.dumps([dataclasses.asdict(one) for one in sets], indent=1))
        return
    _print(sets)
    console = tables()
    for title, taken in times.items():
        console.print(_build_time_table(title, taken))
    if outdated:
        console.print(f"kept under other settings: {', '.join(outdated)}", markup=False)
    if notes:
        named = ", ".join(notes)
        console.print(f"missing; to continue, repeat the command: {named}", markup=False)


def main() -> None:
    """Train missing rows and print the comparisons."""
    chosen = _parse_arguments()
    try:
        seeds = [int(seed) for seed in chosen.seeds.split(",")]
    except ValueError:
        print(
            f"error: --seeds takes whole numbers such as 0,1,2, not {chosen.seeds}", file=sys.stderr
        )
        sys.exit(USAGE)
    try:
        _run(chosen, seeds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        print("stopped; to resume, repeat the command", file=sys.stderr)
        sys.exit(INTERRUPTED)
