"""Overhead of a trial over plain ``fit``, for ``bench.search``, in its own process.

Both train the same detector from the same seed on the same clips for the same epochs. Plain ``fit``
has all clips in memory. A trial asks the study, reads batches from the store, scores validation
after each epoch, keeps the best weights and writes its files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from artifacts.quiet import import_tensorflow
from artifacts.run_directory import RunDirectory
from bench.search.engines import make_writer
from bench.search.material import Case, build_config
from bench.shared.timing import Time, time_run
from data_prep.store.store import Store

OURS, BARE = "trial", "bare fit"
SPENT = "spent"


def run_rounds(case: Case, folder: Path, out: Path, count: int) -> None:
    """Time a trial and plain ``fit`` in turns, one event each.

    The first round is a warm-up.
    """
    import_tensorflow()
    from search.detectors.space import build_detector, build_space
    from search.stages import architecture
    from search.studies.hyperparameters import fixed_hyperparameters
    from spaces.training.space import compile_detector

    write = make_writer(out)
    with Store(case.store(folder)) as store, tempfile.TemporaryDirectory() as runs:
        train, val = (
            (store.read(rows), store.labels[rows].astype(np.float32)[:, None])
            for rows in (store.rows("train"), store.rows("val"))
        )

        def fit_bare(number: int) -> None:
            ours = build_config(case, folder, Path(runs) / str(number))
            metrics = RunDirectory(ours.run_dir).trial("architecture", 0) / "metrics.json"
            answers = fixed_hyperparameters(json.loads(metrics.read_text())["hyperparameters"])
            model = build_detector(build_space(ours, store), answers, ours.seed)
            compile_detector(model, architecture.training_choices(ours))
            model.fit(
                *train,
                validation_data=val,
                epochs=case.epochs,
                batch_size=case.batch_size,
                verbose=0,
            )

        def run_trial(number: int) -> None:
            ours = build_config(case, folder, Path(runs) / str(number))
            ours.run_dir.mkdir()
            architecture.enqueue(ours)
            write_time(OURS, time_run(lambda: _check_complete(architecture.run(ours))), number)

        def write_time(way: str, time: Time, number: int) -> None:
            if number:
                write(**{SPENT: way, "round": number, **dataclasses.asdict(time)})

        for number in range(count + 1):
            run_trial(number)
            write_time(BARE, time_run(partial(fit_bare, number)), number)


def _check_complete(outcome: object) -> None:
    """Raise if a trial failed: its time would mean nothing."""
    if getattr(outcome, "state", "") != "complete":
        raise RuntimeError(f"the trial did not complete: {outcome}")


def main() -> None:
    """Time both and write events."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    run_rounds(Case(**json.loads(chosen.case)), chosen.folder, chosen.out, chosen.rounds)


if __name__ == "__main__":
    main()
