"""Detectors on people they never saw: ``DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy``.

Detectors are trained on the training people of FaceForensics++, chosen on its validation people,
and tested on its test people, on Celeb-DF and on any other prepared store (``--test STORE.h5``):
the original recipe, the presets ``quick`` and ``standard``, each stream alone, and the quick preset
with each manipulation method held out of training. ``--folds`` has all people of FaceForensics++
take their turn as the tested ones instead.

Each is judged by the AUC of its video scores and by pair ranking, how often a fake scores above the
very video it was made from; both again on matched pairs, of which the sharper clip is blurred
until it is as sharp as the other; and by what it is ahead of the best score that needs no training.

Everything stays in ``--keep``: stores, models and scores. A bench started again goes on with what
is missing; ``--minutes`` says for how long it works, the rows that tell most first.
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
    Kept,
    Key,
    Row,
    fingerprint,
    in_folds,
    in_order,
    key,
    lacking,
)
from bench.accuracy.table import (
    KINDS,
    Judged,
    held_out_table,
    judged,
    methods_table,
    results,
    sentences,
    table,
    together,
)
from bench.accuracy.training import measure
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.cli.app import INTERRUPTED, USAGE
from search.cli.console import log, tables

_GRACE_SECONDS = 60


def test_sets(keep: Path, others: Sequence[Path]) -> list[data.TestSet]:
    """FaceForensics++, Celeb-DF and the stores named beside them, none with anybody trained on."""
    named = data.test_stores(keep)
    found = [data.test_set(keep, name, path) for name, path in named.items()]
    for path in others:
        with Store(data.train_store(keep)) as ours, Store(path) as theirs:
            people.check_apart(ours, theirs)
        found.append(data.test_set(keep, path.stem, path))
    return found


def tested_by(keep: Path, row: Row, common: Sequence[data.TestSet]) -> list[data.TestSet]:
    """The test sets of a row: with a method held out, its fakes alone; of a fold, its people."""
    if row.held_out:
        _, path = data.held_out_stores(keep, row.held_out, extras=row.extras)
        return [data.test_set(keep, f"{row.held_out} held out", path)]
    if row.fold is not None:
        _, path = data.fold_stores(keep, row.fold, extras=row.extras)
        return [data.test_set(keep, f"fold {row.fold}", path)]
    return list(common)


def work(
    chosen: argparse.Namespace, rows: Sequence[Row], common: Sequence[data.TestSet]
) -> list[Row]:
    """Train and score what is missing until the time is up; the rows that are still missing."""
    until = time.monotonic() + 60 * chosen.minutes
    missing = []
    for row in rows:
        if not lacking(chosen.keep, row, tested_by(chosen.keep, row, common)):
            continue
        left = until - time.monotonic()
        if left <= 0 or not _in_own_process(chosen, row, left):
            missing.append(row)
    return missing


def _in_own_process(chosen: argparse.Namespace, row: Row, seconds: float) -> bool:
    """Whether a row was finished; one that runs out of time is stopped and goes on next time."""
    log.print(f"{row.name}: {seconds / 60:.0f} minutes left", markup=False)
    command = [sys.executable, "-m", "bench.accuracy", "--keep", str(chosen.keep)]
    command += [f"--test={path}" for path in chosen.test]
    command += ["--row", json.dumps(dataclasses.asdict(row))]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        log.print(f"{row.name}: the time is up", markup=False)
    finally:
        _stop(process)
    if process.returncode not in (0, INTERRUPTED):
        log.print(f"{row.name}: ended with exit code {process.returncode}", markup=False)
    return process.returncode == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a row that is still running; a search keeps what its trials have found."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def judge(
    keep: Path,
    rows: Sequence[Row],
    common: Sequence[data.TestSet],
    entries: Mapping[Key, Mapping[str, Any]] | None = None,
) -> tuple[list[Judged], dict[str, dict[str, Judged]]]:
    """Test sets of the rows with every score there is; those of methods held out, by method.

    Both are of clips and of matched pairs.

    Args:
        keep: folder of stores and scores.
        rows: which.
        common: test sets of the rows that have none of their own.
        entries: scores by key; those kept if None.
    """
    if entries is None:
        entries = Kept(keep / "scores.jsonl").entries()

    def scored(one: data.TestSet, ours: Sequence[Row], signs: Path) -> dict[str, Judged]:
        """Of clips and of matched pairs."""
        found = {}
        for path, kind in zip((one.path, one.matched), KINDS, strict=True):
            if path is None:
                continue
            mark = fingerprint(path)
            trained: dict[str, dict[int, list[float]]] = {}
            for row in ours:
                entry = entries.get(key(keep, row, mark))
                if entry:
                    trained.setdefault(row.detector, {})[row.seed] = entry["scores"]
            found[kind] = judged(f"{one.name}, {kind}", path, signs, trained)
        return found

    def pooled(title: str, sets: Sequence[dict[str, Judged]], *, apart: bool) -> dict[str, Judged]:
        return {
            kind: together(f"{title}, {kind}", parts, apart=apart)
            for kind in KINDS
            if (parts := [found[kind] for found in sets if kind in found])
        }

    signs = data.train_store(keep, extras=False)
    found: list[dict[str, Judged]] = []
    plain = [row for row in rows if not row.held_out and row.fold is None]
    if plain or not rows:
        found = [scored(one, plain, signs) for one in common]
        if len(found) > 1:
            found.append(pooled("all of these", found, apart=False))
    held_out: dict[str, dict[str, Judged]] = {}
    for method in dict.fromkeys(row.held_out for row in rows if row.held_out):
        ours = [row for row in rows if row.held_out == method]
        (one,) = tested_by(keep, ours[0], common)
        held_out[method] = scored(one, ours, signs)
    folds = sorted({row.fold for row in rows if row.fold is not None})
    if folds:
        of_folds = []
        for fold in folds:
            ours = [row for row in rows if row.fold == fold]
            signs, _ = data.fold_stores(keep, fold, extras=False)
            of_folds += [scored(one, ours, signs) for one in tested_by(keep, ours[0], common)]
        found.append(pooled("all people in turn", of_folds, apart=True))
    return [part for kinds in found for part in kinds.values()], held_out


def report(
    parts: Sequence[Judged],
    held_out: Mapping[str, Mapping[str, Judged]],
    missing: Sequence[Row],
    *,
    as_json: bool,
) -> None:
    """Print tables and sentences, or everything as JSON."""
    if as_json:
        every = [*parts, *(part for kinds in held_out.values() for part in kinds.values())]
        print(json.dumps([_plain(part, results(part)) for part in every], indent=1))
        return
    found = [(part, results(part)) for part in parts]
    console = tables()
    for part, figures in found:
        console.print(table(part, figures))
        by_method = methods_table(part, figures)
        if by_method is not None:
            console.print(by_method)
        console.print()
    said = [sentence for part, figures in found for sentence in sentences(part, figures)]
    for sentence in said:
        console.print(sentence, markup=False)
    if not said and any(part.trained for part in parts):
        console.print(
            "no set has the five groups of people of each label that an interval needs, so nothing "
            "here is told from chance: test more people with --test STORE.h5, or all in turn with "
            "--folds"
        )
    if any(part.trained for kinds in held_out.values() for part in kinds.values()):
        console.print(held_out_table(held_out))
    if missing:
        names = ", ".join(row.name for row in missing)
        console.print(f"missing, the same command goes on with them: {names}", markup=False)


def _plain(part: Judged, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "clips": part.title,
        "size": part.size,
        "figures": {
            score: {name: dataclasses.asdict(figure) for name, figure in of_score.items()}
            for score, of_score in figures.items()
        },
    }


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.accuracy", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--keep", type=Path, required=True, metavar="FOLDER", help="where all stays"
    )
    parser.add_argument("--seeds", default="0,1,2", help="of the trainings, comma-separated")
    parser.add_argument("--only", default="", metavar="ROWS", help="as quick-0,spatial-*")
    parser.add_argument("--quick", action="store_true", help="one seed, quick rows")
    parser.add_argument("--folds", action="store_true", help="test all people in turn")
    parser.add_argument("--minutes", type=float, default=120, help="to work for; 0 prints alone")
    parser.add_argument("--test", type=Path, action="append", default=[], metavar="STORE.h5")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    chosen = _chosen()
    # A row is asked to end as a person would ask it, also where interruptions are ignored.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        common = test_sets(chosen.keep, chosen.test)
        if chosen.row:
            row = Row(**json.loads(chosen.row))
            measure(chosen.keep, row, tested_by(chosen.keep, row, common))
            return
        for one in common:
            log.print(f"{one.name}: its {one.split} clips are tested", markup=False)
        seeds = [int(seed) for seed in chosen.seeds.split(",")]
        rows = in_order(seeds, data.methods(chosen.keep), quick=chosen.quick)
        if chosen.folds:
            rows = in_folds(seeds, quick=chosen.quick)
        patterns = [pattern for pattern in chosen.only.split(",") if pattern]
        if patterns:
            rows = [row for row in rows if any(fnmatch(row.name, one) for one in patterns)]
        missing = work(chosen, rows, common)
        report(*judge(chosen.keep, rows, common), missing, as_json=chosen.json)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        sys.exit(INTERRUPTED)
