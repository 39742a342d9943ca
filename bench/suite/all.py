"""Every bench in one go, and a page of what it told: ``python -m bench.suite``, or ``make bench``.

Storage, prediction, preparation, accuracy and search run one after the other, each in a process of
its own and no longer than it may, in all less than an hour of two cores. What was measured stays in
``--keep`` and is not measured again; a bench that fails or cannot run is named with its reason, and
the others go on. The exit code is 1 if one failed.

``--quick`` runs all of them on next to nothing, which shows that they run and nothing else; its
page is another one and says so.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bench.suite.benches import BENCHES, ROOT, Bench, chosen
from bench.suite.runs import FailedError, NotRunError, Record, kept_record, run
from bench.suite.sections import Section, UnreadableError, section

try:
    from bench.suite.page import write_page
except ModuleNotFoundError as absent:
    print(f"error: {absent.name} is missing: pip install -r requirements.txt", file=sys.stderr)
    sys.exit(2)

KEEP = ROOT / "runs" / "bench"
PAGE = ROOT / "docs" / "results" / "benchmarks.md"


def measured(
    bench: Bench, folder: Path, *, minutes: float, quick: bool, fresh: bool
) -> tuple[Record, Section]:
    """One bench: what is kept of it where that is whole, else measured now.

    Raises:
        NotRunError: it cannot run here.
        FailedError: it failed.
        UnreadableError: it told no figures.
    """
    before = None if fresh else kept(bench, folder, quick=quick)
    if before is not None and not before[1].missing:
        say(f"{bench.name}: measured before, {before[0].date}")
        return before
    say(f"{bench.name}: at most {minutes:.0f} minutes")
    record = run(bench, folder, minutes=minutes, quick=quick, fresh=fresh)
    say(f"{bench.name}: done in {record.minutes:.1f} minutes")
    return record, section(bench.name, record.told, bench.told_of(quick=quick))


def kept(bench: Bench, folder: Path, *, quick: bool) -> tuple[Record, Section] | None:
    """What the same call told before, if it can be read."""
    record = kept_record(bench, folder, quick=quick)
    try:
        return record and (record, section(bench.name, record.told, bench.told_of(quick=quick)))
    except UnreadableError:
        return None


def say(text: str) -> None:
    """A line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _chosen() -> argparse.Namespace:
    names = ", ".join(bench.name for bench in BENCHES)
    parser = argparse.ArgumentParser(
        prog="python -m bench.suite", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--only", default="", metavar="BENCHES", help=f"of {names}")
    parser.add_argument("--quick", action="store_true", help="on next to nothing: that they run")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument("--keep", type=Path, default=KEEP, metavar="FOLDER", help="where all stays")
    parser.add_argument(
        "--page", type=Path, metavar="FILE.md", help="default docs/results/benchmarks.md"
    )
    found = parser.parse_args()
    try:
        found.benches = chosen(found.only)
    except ValueError as error:
        parser.error(str(error))
    return found


def main() -> None:
    """Measure what is missing and write the page."""
    asked = _chosen()
    # Whoever ends this ends the bench that runs, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = (asked.keep / "quick" if asked.quick else asked.keep).resolve()
    page = asked.page or (folder / "benchmarks.md" if asked.quick else PAGE)
    found: dict[str, tuple[Record, Section]] = {}
    missing: dict[str, str] = {}
    failed, spare = False, 0.0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for bench in BENCHES:
            if bench not in asked.benches:
                before = kept(bench, folder, quick=asked.quick)
                if before is None:
                    missing[bench.name] = "not measured yet"
                else:
                    found[bench.name] = before
                continue
            minutes, began = bench.minutes + spare, time.monotonic()
            try:
                found[bench.name] = measured(
                    bench, folder, minutes=minutes, quick=asked.quick, fresh=asked.fresh
                )
            except NotRunError as error:
                missing[bench.name] = f"not run: {error}"
            except (FailedError, UnreadableError) as error:
                missing[bench.name] = f"failed: {error}"
                failed = True
            # What one does not need another may take: in all it stays an hour.
            spare = max(0.0, minutes - (time.monotonic() - began) / 60)
            if bench.name in missing:
                say(f"{bench.name}: {missing[bench.name]}")
        write_page(page, found, missing, quick=asked.quick)
    except KeyboardInterrupt:
        say("stopped; the same command goes on where it was")
        sys.exit(130)
    except OSError as error:
        say(f"error: {error}")
        sys.exit(2)
    print(page)
    sys.exit(1 if failed else 0)
