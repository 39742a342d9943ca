"""What our trial costs beside a bare ``fit``, for ``bench.search``; a process of its own.

Both build the same detector from the same seed and train it on the same clips for the same epochs.
The bare way has all clips in memory and does nothing else; a trial asks the study, reads batches
from the store, scores validation after each epoch, keeps the best weights and writes its files.
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
from bench.search.engines import write_to
from bench.search.material import Case, config
from bench.shared.measure import Time, timed
from data_prep.store.store import Store

OURS, BARE = "trial", "bare fit"
SPENT = "spent"


def rounds(case: Case, folder: Path, out: Path, count: int) -> None:
    """A trial, and the same detector the bare way, in turns; a line each.

    The first round is not counted.
    """
    import_tensorflow()
    from search.detectors.space import build_detector, build_space
    from search.stages import architecture
    from search.studies.hyperparameters import fixed
    from spaces.training.space import compile_detector

    write = write_to(out)
    with Store(case.store(folder)) as store, tempfile.TemporaryDirectory() as runs:
        train, val = (
            (store.read(rows), store.labels[rows].astype(np.float32)[:, None])
            for rows in (store.rows("train"), store.rows("val"))
        )

        def bare(number: int) -> None:
            ours = config(case, folder, Path(runs) / str(number))
            told = RunDirectory(ours.run_dir).trial("architecture", 0) / "metrics.json"
            answers = fixed(json.loads(told.read_text())["hyperparameters"])
            model = build_detector(build_space(ours, store), answers, ours.seed)
            steps = -(-len(train[0]) // case.batch_size)
            compile_detector(model, architecture.training_choices(ours), steps)
            model.fit(
                *train,
                validation_data=val,
                epochs=case.epochs,
                batch_size=case.batch_size,
                verbose=0,
            )

        def one_trial(number: int) -> None:
            ours = config(case, folder, Path(runs) / str(number))
            ours.run_dir.mkdir()
            architecture.enqueue(ours)
            spent(OURS, timed(lambda: _complete(architecture.run(ours))), number)

        def spent(way: str, time: Time, number: int) -> None:
            if number:
                write(**{SPENT: way, "round": number, **dataclasses.asdict(time)})

        for number in range(count + 1):
            one_trial(number)
            spent(BARE, timed(partial(bare, number)), number)


def _complete(outcome: object) -> None:
    """Raise where a trial failed: its time says nothing."""
    if getattr(outcome, "state", "") != "complete":
        raise RuntimeError(f"the trial did not complete: {outcome}")


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    rounds(Case(**json.loads(chosen.case)), chosen.folder, chosen.out, chosen.rounds)


if __name__ == "__main__":
    main()
