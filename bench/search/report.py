"""Command line of ``bench.search``, its figures and its tables."""

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
    SearchRecord,
    Sizes,
    measure_memory,
    measure_overhead,
    measure_scaling,
    run_searches,
)
from bench.shared.timing import describe_machine
from search.cli.console import log, tables

OVERHEAD, SCALING = "overhead", "scaling"
PARTS = (FROZEN, UNFROZEN, MEMORY, OVERHEAD, SCALING)
PACKAGES = ("autokeras", "keras-tuner", "keras", "tensorflow", "optuna")


def build_search_table(title: str, found: Sequence[SearchRecord], minutes: float) -> Table:
    """Return a table with a row a search: trials an hour, our ratio, AUC at equal time."""
    shown = Table(title=title, title_justify="left", caption_justify="left")
    for column in ("engine", "seed", "trials", "seconds", "trials an hour"):
        shown.add_column(column)
    for column in ("ratio", "AUC at equal time", "GB"):
        shown.add_column(column)
    for row in compute_search_rows(found, minutes):
        cells = [row["engine"], str(row["seed"]), str(row["trials"])]
        cells += [_format_number(row["seconds"], 0), _format_number(row["per_hour"], 1)]
        cells += [_format_number(row["ratio"], 1), _format_number(row["auc"], 3)]
        shown.add_row(*cells, _format_number(row["peak"] / 1e9, 2))
    return shown


def compute_search_rows(found: Sequence[SearchRecord], minutes: float) -> list[dict[str, Any]]:
    """Return the figures of searches, with the best AUC at equal time.

    That time is the given minutes, or later if an engine needs longer for its first trial of a
    seed. Searches that stopped earlier have had less time.

    Args:
        found: Searches of one case.
        minutes: Duration of each search.
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
                "ratio": _divide(ours.per_hour, one.per_hour),
                "equal_seconds": equal,
                "auc": one.best_at(equal),
                "ends": one.ends,
                "aucs": one.aucs,
                "peak": one.peak,
                "notes": one.notes,
            }
        )
    return rows


def build_memory_table(found: Sequence[SearchRecord]) -> Table:
    """Return a table with a row a search: peak memory."""
    shown = Table(title="peak memory of all processes", title_justify="left")
    for column in ("engine", "store, GB", "resident, GB", "without file pages, GB", "trials"):
        shown.add_column(column)
    for one in found:
        peaks = (f"{one.peak / 1e9:.2f}", f"{one.own_peak / 1e9:.2f}")
        shown.add_row(one.engine, f"{one.case.gigabytes:.2f}", *peaks, str(len(one.ends)))
    return shown


def compute_overhead(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of both ways and the overhead of a trial over plain ``fit``."""
    ways = {way: [one for one in events if one[SPENT] == way] for way in (TRIAL, BARE)}
    pairs = list(zip(ways[TRIAL], ways[BARE], strict=True))
    return {
        "trial_seconds": statistics.median(one["wall"] for one in ways[TRIAL]),
        "bare_seconds": statistics.median(one["wall"] for one in ways[BARE]),
        "overhead": statistics.median(a["wall"] / b["wall"] - 1 for a, b in pairs),
        "overhead_cpu": statistics.median(a["cpu"] / b["cpu"] - 1 for a, b in pairs),
        "rounds": len(pairs),
    }


def compute_scaling(found: Sequence[SearchRecord]) -> dict[str, Any]:
    """Return the trials an hour of one worker and of two, and their ratio."""
    one, two = found
    return {
        "one_per_hour": one.per_hour,
        "two_per_hour": two.per_hour,
        "ratio": _divide(two.per_hour, one.per_hour),
        "trials": [len(one.ends), len(two.ends)],
    }


def run_parts(parts: Sequence[str], sizes: Sizes, folder: Path, *, as_json: bool) -> dict[str, Any]:
    """Run the parts, print each when it is done, and return all figures."""
    console = tables()

    def report_progress(text: str) -> None:
        log.print(text, markup=False)

    def print_part(thing: object, found: Sequence[SearchRecord] = ()) -> None:
        if not as_json:
            console.print(thing)
            for note in dict.fromkeys(
                f"{one.engine}: {note}" for one in found for note in one.notes
            ):
                console.print(note, markup=False)

    figures: dict[str, Any] = {}
    for name in (FROZEN, UNFROZEN):
        if name in parts:
            found = run_searches(name, sizes, folder, report_progress)
            minutes = sizes.minutes[name]
            title = f"{name}: {found[0].case}; {minutes:g} minutes each"
            print_part(build_search_table(title, found, minutes), found)
            figures[name] = {
                "case": dataclasses.asdict(found[0].case),
                "minutes": minutes,
                "searches": compute_search_rows(found, minutes),
            }
    if MEMORY in parts:
        found = measure_memory(sizes, folder, report_progress)
        print_part(f"{MEMORY}: {sizes.memory}")
        print_part(build_memory_table(found), found)
        figures[MEMORY] = [
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
        row = compute_overhead(measure_overhead(sizes, folder, report_progress))
        figures[OVERHEAD] = {"case": dataclasses.asdict(sizes.unfrozen), **row}
        print_part(
            f"{OVERHEAD}: {sizes.unfrozen}: a trial {row['trial_seconds']:.1f} s, plain fit "
            f"{row['bare_seconds']:.1f} s; overhead {row['overhead']:+.1%}, by processor time "
            f"{row['overhead_cpu']:+.1%} (medians of {row['rounds']} rounds)"
        )
    if SCALING in parts:
        found = measure_scaling(sizes, folder, report_progress)
        row = compute_scaling(found)
        figures[SCALING] = row | {"notes": [note for one in found for note in one.notes]}
        print_part(
            f"{SCALING}: {sizes.unfrozen}: {_format_number(row['one_per_hour'], 1)} trials an hour "
            f"with one worker, {_format_number(row['two_per_hour'], 1)} with two: "
            f"ratio {_format_number(row['ratio'], 2)}",
            found,
        )
    return figures


def main() -> None:
    """Run the chosen parts and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.search",
        description="Our search compared with stock AutoKeras and KerasTuner.",
    )
    parser.add_argument("--only", default=",".join(PARTS), help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that it runs")
    parser.add_argument("--short", action="store_true", help="smaller sizes: twenty minutes")
    parser.add_argument("--minutes", type=float, help="duration of each search (frozen, unfrozen)")
    parser.add_argument("--fewest", type=int, help="minimum number of trials of each search")
    parser.add_argument("--seeds", help="seeds of the searches, comma-separated")
    parser.add_argument("--folder", type=Path, help="for stores (6 GB); default: temporary")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    parts = chosen.only.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"unknown part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    sizes = QUICK if chosen.quick else SHORT if chosen.short else FULL
    if chosen.minutes is not None:
        sizes = dataclasses.replace(sizes, minutes=dict.fromkeys(sizes.minutes, chosen.minutes))
    if chosen.fewest is not None:
        sizes = dataclasses.replace(sizes, fewest=chosen.fewest)
    if chosen.seeds:
        sizes = dataclasses.replace(sizes, seeds=tuple(map(int, chosen.seeds.split(","))))

    setting = f"{describe_machine()}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
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
        tables().print(f"{setting}\n{manner}\n", markup=False)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = run_parts(parts, sizes, folder.resolve(), as_json=chosen.json)
    if chosen.json:
        print(json.dumps({"machine": setting, "manner": manner, "quick": chosen.quick, **figures}))


def _divide(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours and theirs else None


def _format_number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
