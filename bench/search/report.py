"""What ``bench.search`` asks for and prints."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.search.engines import OURS
from bench.search.material import FROZEN, MEMORY, UNFROZEN
from bench.search.overhead import BARE, SPENT
from bench.search.overhead import OURS as TRIAL
from bench.search.parts import (
    FULL,
    QUICK,
    SHORT,
    Searched,
    Sizes,
    memory,
    overhead,
    scaling,
    searches,
)
from bench.shared.measure import machine
from search.cli.console import log, tables

OVERHEAD, SCALING = "overhead", "scaling"
PARTS = (FROZEN, UNFROZEN, MEMORY, OVERHEAD, SCALING)
PACKAGES = ("autokeras", "keras-tuner", "keras", "tensorflow", "optuna")


def search_table(title: str, found: Sequence[Searched], minutes: float) -> Table:
    """A line a search: trials an hour, ours in terms of theirs, AUC at equal time."""
    shown = Table(title=title, title_justify="left", caption_justify="left")
    for column in ("engine", "seed", "trials", "seconds", "trials an hour"):
        shown.add_column(column)
    for column in ("ours, times as many", "AUC at equal time", "GB"):
        shown.add_column(column)
    for row in search_rows(found, minutes):
        cells = [row["engine"], str(row["seed"]), str(row["trials"])]
        cells += [_number(row["seconds"], 0), _number(row["per_hour"], 1)]
        cells += [_number(row["ratio"], 1), _number(row["auc"], 3)]
        shown.add_row(*cells, _number(row["peak"] / 1e9, 2))
    return shown


def search_rows(found: Sequence[Searched], minutes: float) -> list[dict[str, Any]]:
    """Figures of searches; AUC is the best of the trials that have ended at one and the same time.

    That is when the minutes are over, or, where an engine needs longer, when all of a seed have
    ended a trial; those that stopped before then have had less time.

    Args:
        found: of one case.
        minutes: each engine was given.
    """
    rows = []
    for one in found:
        ours = next(x for x in found if x.engine == OURS and x.seed == one.seed)
        firsts = [x.ends[0] for x in found if x.seed == one.seed and x.ends]
        equal = max([60 * minutes, *firsts])
        rows.append(
            {
                "engine": one.engine,
                "seed": one.seed,
                "trials": len(one.ends),
                "seconds": one.ends[-1] if one.ends else None,
                "per_hour": one.per_hour,
                "ratio": _ratio(ours.per_hour, one.per_hour),
                "equal_seconds": equal,
                "auc": one.best_at(equal),
                "ends": one.ends,
                "aucs": one.aucs,
                "peak": one.peak,
                "notes": one.notes,
            }
        )
    return rows


def memory_table(found: Sequence[Searched]) -> Table:
    """A line a search: most memory at one moment."""
    shown = Table(title="most memory, all processes together", title_justify="left")
    for column in ("engine", "store, GB", "resident, GB", "without pages of files, GB", "trials"):
        shown.add_column(column)
    for one in found:
        peaks = (f"{one.peak / 1e9:.2f}", f"{one.own_peak / 1e9:.2f}")
        shown.add_row(one.engine, f"{one.case.gigabytes:.2f}", *peaks, str(len(one.ends)))
    return shown


def overhead_row(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of both ways, and what a trial takes more, a share of the bare way."""
    ways = {way: [one for one in events if one[SPENT] == way] for way in (TRIAL, BARE)}
    pairs = list(zip(ways[TRIAL], ways[BARE], strict=True))
    return {
        "trial_seconds": statistics.median(one["wall"] for one in ways[TRIAL]),
        "bare_seconds": statistics.median(one["wall"] for one in ways[BARE]),
        "overhead": statistics.median(a["wall"] / b["wall"] - 1 for a, b in pairs),
        "overhead_cpu": statistics.median(a["cpu"] / b["cpu"] - 1 for a, b in pairs),
        "rounds": len(pairs),
    }


def scaling_row(found: Sequence[Searched]) -> dict[str, Any]:
    """Trials an hour of one worker and of two, and their ratio."""
    one, two = found
    return {
        "one_per_hour": one.per_hour,
        "two_per_hour": two.per_hour,
        "ratio": _ratio(two.per_hour, one.per_hour),
        "trials": [len(one.ends), len(two.ends)],
    }


def measure(parts: Sequence[str], sizes: Sizes, folder: Path, *, as_json: bool) -> dict[str, Any]:
    """Run the parts, print each as it is done, and return all figures."""
    console = tables()

    def say(text: str) -> None:
        log.print(text, markup=False)

    def show(thing: object, found: Sequence[Searched] = ()) -> None:
        if not as_json:
            console.print(thing)
            for note in dict.fromkeys(
                f"{one.engine}: {note}" for one in found for note in one.notes
            ):
                console.print(note, markup=False)

    told: dict[str, Any] = {}
    for name in (FROZEN, UNFROZEN):
        if name in parts:
            found = searches(name, sizes, folder, say)
            minutes = sizes.minutes[name]
            title = f"{name}: {found[0].case}; {minutes:g} minutes each"
            show(search_table(title, found, minutes), found)
            told[name] = {
                "case": dataclasses.asdict(found[0].case),
                "minutes": minutes,
                "searches": search_rows(found, minutes),
            }
    if MEMORY in parts:
        found = memory(sizes, folder, say)
        show(f"{MEMORY}: {sizes.memory}")
        show(memory_table(found), found)
        told[MEMORY] = [
            {
                "engine": one.engine,
                "gigabytes": one.case.gigabytes,
                "peak": one.peak,
                "own_peak": one.own_peak,
                "notes": one.notes,
            }
            for one in found
        ]
    if OVERHEAD in parts:
        row = overhead_row(overhead(sizes, folder, say))
        told[OVERHEAD] = {"case": dataclasses.asdict(sizes.unfrozen), **row}
        show(
            f"{OVERHEAD}: {sizes.unfrozen}: a trial {row['trial_seconds']:.1f} s, a bare fit "
            f"{row['bare_seconds']:.1f} s; a trial takes {row['overhead']:+.1%}, of processor time "
            f"{row['overhead_cpu']:+.1%} (medians of {row['rounds']} rounds)"
        )
    if SCALING in parts:
        found = scaling(sizes, folder, say)
        row = scaling_row(found)
        told[SCALING] = row | {"notes": [note for one in found for note in one.notes]}
        show(
            f"{SCALING}: {sizes.unfrozen}: {_number(row['one_per_hour'], 1)} trials an hour with "
            f"one worker, {_number(row['two_per_hour'], 1)} with two: "
            f"{_number(row['ratio'], 2)} times as many",
            found,
        )
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.search",
        description="Our search beside stock AutoKeras and KerasTuner.",
    )
    parser.add_argument("--only", default=",".join(PARTS), help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="on next to nothing: that it runs")
    parser.add_argument("--short", action="store_true", help="less of all: a third of an hour")
    parser.add_argument("--minutes", type=float, help="of each search (frozen, unfrozen)")
    parser.add_argument("--fewest", type=int, help="trials of each search, however long they take")
    parser.add_argument("--seeds", help="of the searches, comma-separated")
    parser.add_argument("--folder", type=Path, help="for stores (6 GB); default a temporary one")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    parts = chosen.only.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    sizes = QUICK if chosen.quick else SHORT if chosen.short else FULL
    if chosen.minutes is not None:
        sizes = dataclasses.replace(sizes, minutes=dict.fromkeys(sizes.minutes, chosen.minutes))
    if chosen.fewest is not None:
        sizes = dataclasses.replace(sizes, fewest=chosen.fewest)
    if chosen.seeds:
        sizes = dataclasses.replace(sizes, seeds=tuple(map(int, chosen.seeds.split(","))))

    told = f"{machine()}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    manner = (
        "SYNTHETIC clips. All engines sample at random from the same seeds, and nothing is pruned. "
        "This search first tries the defaults and one small detector. With a frozen network, the "
        f"others have one trial for each frame stride ({', '.join(map(str, sizes.strides))}). "
        "KerasTuner and AutoKeras are stock and hold all clips in memory. AutoKeras's own "
        "optimizers and learning rates are part of its space. It has the head of our detectors, "
        "because its ClassificationHead fails on Keras 3.15. A search begins when its engine "
        "receives the store, this one before it starts its worker"
    )
    if not chosen.json:
        tables().print(f"{told}\n{manner}\n", markup=False)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = measure(parts, sizes, folder.resolve(), as_json=chosen.json)
    if chosen.json:
        print(json.dumps({"machine": told, "manner": manner, "quick": chosen.quick, **figures}))


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours and theirs else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
