"""All benches and a page of their figures: ``python -m bench.suite``, or ``make bench``.

Storage, prediction, preparation, accuracy and search run one after the other, each in its own
process with a time limit, in less than an hour of two cores. Figures are kept in ``--keep`` and not
measured again. If a bench fails or cannot run, the page has the reason and the others continue. The
exit code is 1 if one failed.

``--quick`` runs all of them on tiny sizes, to check that they run; it writes another page, which
states that its figures mean nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bench.suite.benches import BENCHES, ROOT, Bench, select
from bench.suite.runs import FailedError, NotRunError, Record, read_record, run
from bench.suite.sections import Section, UnreadableError, build_section

try:
    from bench.suite.page import write_page
except ModuleNotFoundError as absent:
    print(f"error: {absent.name} is missing: pip install -r requirements.txt", file=sys.stderr)
    sys.exit(2)

KEEP = ROOT / "runs" / "bench"
PAGE = ROOT / "docs" / "results" / "benchmarks.md"


def measure(
    bench: Bench, folder: Path, *, minutes: float, quick: bool, fresh: bool
) -> tuple[Record, Section]:
    """Return the kept figures of a bench if they are complete; otherwise run it.

    Raises:
        NotRunError: It cannot run on this machine.
        FailedError: It failed.
        UnreadableError: Its output has no figures.
    """
    earlier = None if fresh else read_kept(bench, folder, quick=quick)
    if earlier is not None and not earlier[1].missing:
        log_progress(f"{bench.name}: measured on {earlier[0].date}, kept")
        return earlier
    log_progress(f"{bench.name}: at most {minutes:.0f} minutes")
    record = run(bench, folder, minutes=minutes, quick=quick, fresh=fresh)
    log_progress(f"{bench.name}: done in {record.minutes:.1f} minutes")
    return record, build_section(bench.name, record.figures, bench.expected_detectors(quick=quick))


def read_kept(bench: Bench, folder: Path, *, quick: bool) -> tuple[Record, Section] | None:
    """Return the kept figures of the same command, if they can be read."""
    record = read_record(bench, folder, quick=quick)
    try:
        return record and (
            record,
            build_section(bench.name, record.figures, bench.expected_detectors(quick=quick)),
        )
    except UnreadableError:
        return None


def log_progress(text: str) -> None:
    """Print a line of progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def _parse_arguments() -> argparse.Namespace:
    names = ", ".join(bench.name for bench in BENCHES)
    parser = argparse.ArgumentParser(
        prog="python -m bench.suite", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--only", default="", metavar="BENCHES", help=f"names of {names}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that all run")
    parser.add_argument("--fresh", action="store_true", help="repeat kept measurements")
    parser.add_argument("--keep", type=Path, default=KEEP, metavar="FOLDER", help="records")
    parser.add_argument(
        "--page", type=Path, metavar="FILE.md", help="default docs/results/benchmarks.md"
    )
    found = parser.parse_args()
    try:
        found.benches = select(found.only)
    except ValueError as error:
        parser.error(str(error))
    return found


def main() -> None:
    """Measure missing benches and write the page."""
    chosen = _parse_arguments()
    # SIGTERM must also stop the running bench.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = (chosen.keep / "quick" if chosen.quick else chosen.keep).resolve()
    page = chosen.page or (folder / "benchmarks.md" if chosen.quick else PAGE)
    found: dict[str, tuple[Record, Section]] = {}
    missing: dict[str, str] = {}
    failed, spare = False, 0.0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for bench in BENCHES:
            if bench not in chosen.benches:
                earlier = read_kept(bench, folder, quick=chosen.quick)
                if earlier is None:
                    missing[bench.name] = "not measured yet"
                else:
                    found[bench.name] = earlier
                continue
            minutes, began = bench.minutes + spare, time.monotonic()
            try:
                found[bench.name] = measure(
                    bench, folder, minutes=minutes, quick=chosen.quick, fresh=chosen.fresh
                )
            except NotRunError as error:
                missing[bench.name] = f"not run: {error}"
            except (FailedError, UnreadableError) as error:
                missing[bench.name] = f"failed: {error}"
                failed = True
            # Unused minutes go to later benches; the total stays below an hour.
            spare = max(0.0, minutes - (time.monotonic() - began) / 60)
            if bench.name in missing:
                log_progress(f"{bench.name}: {missing[bench.name]}")
        write_page(page, found, missing, quick=chosen.quick)
    except KeyboardInterrupt:
        log_progress("stopped; to resume, repeat the command")
        sys.exit(130)
    except OSError as error:
        log_progress(f"error: {error}")
        sys.exit(2)
    print(page)
    sys.exit(1 if failed else 0)
