"""Accuracy of detectors on unseen people: ``DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy``.

Detectors are trained on the training people of FaceForensics++ and selected on its validation
people. They are tested on its test people, on Celeb-DF and on any other prepared store (``--test
STORE.h5``). The rows are the original recipe, the presets ``quick`` and ``standard``, each stream
alone, and the quick preset with each manipulation method held out of training. With ``--folds``,
every person of FaceForensics++ is tested once, by cross-validation.

Each detector is scored by the AUC of its video scores and by pair ranking. Both are repeated on
matched pairs, whose sharper clip is blurred until both are equally sharp. The margin is the
detector minus the best baseline without training.

Stores, models and scores stay in ``--keep``. A restarted bench trains only missing rows, the most
informative first; ``--minutes`` limits the time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.accuracy import data, people
from bench.accuracy.rows import (
    Row,
    ScoreFile,
    ScoreKey,
    find_missing_scores,
    fold_rows,
    make_score_key,
    order_rows,
    read_fingerprint,
)
from bench.accuracy.table import (
    KINDS,
    ScoredClips,
    build_held_out_table,
    build_methods_table,
    build_table,
    compute_results,
    describe,
    pool,
    read_scored_clips,
)
from bench.accuracy.training import train_and_score
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.cli.app import INTERRUPTED, USAGE
from search.cli.console import log, tables

_GRACE_SECONDS = 60


def make_test_sets(keep: Path, others: Sequence[Path]) -> list[data.TestSet]:
    """Return the test sets: FaceForensics++, Celeb-DF and the named stores.

    Raises:
        UserError: A test set shares people, files or pictures with the training store.
    """
    named = data.make_test_stores(keep)
    found = [data.make_test_set(keep, name, path) for name, path in named.items()]
    for path in others:
        with Store(data.make_train_store(keep)) as ours, Store(path) as theirs:
            people.check_no_overlap(ours, theirs)
        found.append(data.make_test_set(keep, path.stem, path))
    return found


def find_test_sets(keep: Path, row: Row, common: Sequence[data.TestSet]) -> list[data.TestSet]:
    """Return the test sets of a row.

    A row with a held-out method is tested on its fakes, a fold on its people, any other row on
    ``common``.
    """
    if row.held_out:
        _, path = data.make_held_out_stores(keep, row.held_out, extras=row.extras)
        return [data.make_test_set(keep, f"{row.held_out} held out", path)]
    if row.fold is not None:
        _, path = data.make_fold_stores(keep, row.fold, extras=row.extras)
        return [data.make_test_set(keep, f"fold {row.fold}", path)]
    return list(common)


def train_missing(
    chosen: argparse.Namespace, rows: Sequence[Row], common: Sequence[data.TestSet]
) -> list[Row]:
    """Train and score missing rows until time is up; return the rows that are still missing."""
    until = time.monotonic() + 60 * chosen.minutes
    missing = []
    for row in rows:
        if not find_missing_scores(chosen.keep, row, find_test_sets(chosen.keep, row, common)):
            continue
        left = until - time.monotonic()
        if left <= 0 or not _run_in_process(chosen, row, left):
            missing.append(row)
    return missing


def _run_in_process(chosen: argparse.Namespace, row: Row, seconds: float) -> bool:
    """Run a row in its own process and return whether it finished before the time limit."""
    log.print(f"{row.name}: {seconds / 60:.0f} minutes left", markup=False)
    command = [sys.executable, "-m", "bench.accuracy", "--keep", str(chosen.keep)]
    command += [f"--test={path}" for path in chosen.test]
    command += ["--row", json.dumps(dataclasses.asdict(row))]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        log.print(f"{row.name}: no time left; the next run resumes it", markup=False)
    finally:
        _stop(process)
    if process.returncode not in (0, INTERRUPTED):
        log.print(f"{row.name}: ended with exit code {process.returncode}", markup=False)
    return process.returncode == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a running row; a search keeps the results of finished trials."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def collect_results(
    keep: Path,
    rows: Sequence[Row],
    common: Sequence[data.TestSet],
    entries: Mapping[ScoreKey, Mapping[str, Any]] | None = None,
) -> tuple[list[ScoredClips], dict[str, dict[str, ScoredClips]]]:
    """Return the test sets of the rows with their scores, and those of held-out methods by method.

    Both contain clips and matched pairs.

    Args:
        keep: Folder of stores and scores.
        rows: Rows to report.
        common: Test sets of the rows that have none of their own.
        entries: Scores by key; ``None`` reads the kept ones.
    """
    if entries is None:
        entries = ScoreFile(keep / "scores.jsonl").entries()

    def read_sets(one: data.TestSet, ours: Sequence[Row], train: Path) -> dict[str, ScoredClips]:
        """Return the clips and the matched pairs of one test set."""
        found = {}
        for path, kind in zip((one.path, one.matched), KINDS, strict=True):
            if path is None:
                continue
            mark = read_fingerprint(path)
            trained: dict[str, dict[int, list[float]]] = {}
            for row in ours:
                entry = entries.get(make_score_key(keep, row, mark))
                if entry:
                    trained.setdefault(row.detector, {})[row.seed] = entry["scores"]
            found[kind] = read_scored_clips(f"{one.name}, {kind}", path, train, trained)
        return found

    def pool_sets(
        title: str, sets: Sequence[dict[str, ScoredClips]], *, apart: bool
    ) -> dict[str, ScoredClips]:
        return {
            kind: pool(f"{title}, {kind}", parts, apart=apart)
            for kind in KINDS
            if (parts := [found[kind] for found in sets if kind in found])
        }

    train = data.make_train_store(keep, extras=False)
    found: list[dict[str, ScoredClips]] = []
    plain = [row for row in rows if not row.held_out and row.fold is None]
    if plain or not rows:
        found = [read_sets(one, plain, train) for one in common]
        if len(found) > 1:
            found.append(pool_sets("all of these", found, apart=False))
    held_out: dict[str, dict[str, ScoredClips]] = {}
    for method in dict.fromkeys(row.held_out for row in rows if row.held_out):
        ours = [row for row in rows if row.held_out == method]
        (one,) = find_test_sets(keep, ours[0], common)
        held_out[method] = read_sets(one, ours, train)
    folds = sorted({row.fold for row in rows if row.fold is not None})
    if folds:
        of_folds = []
        for fold in folds:
            ours = [row for row in rows if row.fold == fold]
            train, _ = data.make_fold_stores(keep, fold, extras=False)
            of_folds += [
                read_sets(one, ours, train) for one in find_test_sets(keep, ours[0], common)
            ]
        found.append(pool_sets("all people in turn", of_folds, apart=True))
    return [clips for kinds in found for clips in kinds.values()], held_out


def report(
    sets: Sequence[ScoredClips],
    held_out: Mapping[str, Mapping[str, ScoredClips]],
    missing: Sequence[Row],
    *,
    as_json: bool,
) -> None:
    """Print tables and sentences, or all figures as JSON."""
    if as_json:
        every = [*sets, *(clips for kinds in held_out.values() for clips in kinds.values())]
        print(json.dumps([_to_json(clips, compute_results(clips)) for clips in every], indent=1))
        return
    found = [(clips, compute_results(clips)) for clips in sets]
    console = tables()
    for clips, figures in found:
        console.print(build_table(clips, figures))
        by_method = build_methods_table(clips, figures)
        if by_method is not None:
            console.print(by_method)
        console.print()
    sentences = [sentence for clips, figures in found for sentence in describe(clips, figures)]
    for sentence in sentences:
        console.print(sentence, markup=False)
    if not sentences and any(clips.trained for clips in sets):
        console.print(
            "no confidence intervals: they need five identity groups of each label in a test set. "
            "Test more people with --test STORE.h5, or every person once with --folds"
        )
    if any(clips.trained for kinds in held_out.values() for clips in kinds.values()):
        console.print(build_held_out_table(held_out))
    if missing:
        names = ", ".join(row.name for row in missing)
        console.print(f"missing; to continue, repeat the command: {names}", markup=False)


def _to_json(clips: ScoredClips, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "clips": clips.title,
        "size": clips.size,
        "figures": {
            score: {name: dataclasses.asdict(figure) for name, figure in of_score.items()}
            for score, of_score in figures.items()
        },
    }


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.accuracy", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--keep",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="stores, models, scores",
    )
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings, comma-separated")
    parser.add_argument("--only", default="", metavar="ROWS", help="such as quick-0,spatial-*")
    parser.add_argument("--quick", action="store_true", help="run one seed of the short rows")
    parser.add_argument("--folds", action="store_true", help="test every person once")
    parser.add_argument(
        "--minutes",
        type=float,
        default=120,
        help="0: print kept scores",
    )
    parser.add_argument(
        "--test",
        type=Path,
        action="append",
        default=[],
        metavar="STORE.h5",
        help="another store to test on",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Train missing rows and print the results."""
    chosen = _parse_arguments()
    # A shell may start this with interruptions ignored; a row must still stop on SIGTERM.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        common = make_test_sets(chosen.keep, chosen.test)
        if chosen.row:
            row = Row(**json.loads(chosen.row))
            train_and_score(chosen.keep, row, find_test_sets(chosen.keep, row, common))
            return
        for one in common:
            log.print(f"{one.name}: testing on split {one.split}", markup=False)
        seeds = [int(seed) for seed in chosen.seeds.split(",")]
        rows = order_rows(seeds, data.list_methods(chosen.keep), quick=chosen.quick)
        if chosen.folds:
            rows = fold_rows(seeds, quick=chosen.quick)
        patterns = [pattern for pattern in chosen.only.split(",") if pattern]
        if patterns:
            rows = [row for row in rows if any(fnmatch(row.name, one) for one in patterns)]
        missing = train_missing(chosen, rows, common)
        report(*collect_results(chosen.keep, rows, common), missing, as_json=chosen.json)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        print("stopped; to resume, repeat the command", file=sys.stderr)
        sys.exit(INTERRUPTED)
