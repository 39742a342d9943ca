"""The whole path on synthetic data, from nothing to verdicts on clips never seen."""

from __future__ import annotations

import time
from pathlib import Path

from artifacts import quiet
from artifacts.certificate import Certificate
from artifacts.leaderboard import board as leaderboard
from artifacts.leaderboard.load import load
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.preparation.prepare import Execution, PreparationProgress, prepare
from data_prep.splits.splits import SplitRequest
from data_prep.synthetic.synthesize import finished_seed, synthesize, synthesize_clip
from search.cli.console import bars, log, run_progress, tables
from search.config import run_config as configuration
from search.run import run
from search.studies.study import (
    read_trials,
)

IDENTITIES = 60
UNSEEN_SEED = 1

# Whole clips and a small network from scratch: the fakes are marked in time as well, so that every
# stream has something to find.
SETTINGS = {
    "preset": "quick",
    "space": {"backbones": ["small_cnn"]},
    "architecture": {"trials": 6, "epochs": 6, "batch_size": 8, "learning_rate": 1e-3},
    "training": {"trials": 3, "frames": 0, "views": 4},
}


def run_demo(run_dir: Path, seed: int) -> None:
    """Synthesize, prepare, search, evaluate and predict; goes on where it was stopped.

    Args:
        run_dir: of the run; the data lie beside it in ``<run_dir>-data``.
        seed: of data and search.
    """
    started = time.monotonic()
    console = tables()
    data = run_dir.with_name(f"{run_dir.name}-data")
    videos, store = data / "videos", data / "store.h5"
    log.print("All data of this demo are SYNTHETIC; its scores say that the machine runs.")
    found = finished_seed(videos)
    if found not in (None, seed):
        raise UserError(f"{videos} was made from seed {found}, not {seed}; use another folder")
    if found is None:
        with bars("synthesizing") as [progress]:
            synthesize(videos, identities=IDENTITIES, seed=seed, jobs=-1, progress=progress)
    if not store.exists():
        with bars("preparing", "writing") as [progress, writing]:
            prepare(
                videos,
                store,
                execution=Execution(jobs=-1),
                split=SplitRequest(seed=seed),
                progress=PreparationProgress(preparing=progress, writing=writing),
            )
    settings = {"store": store, "run_dir": run_dir, "seed": seed, **SETTINGS}
    with run_progress(run_dir) as progress_of_run:
        run(configuration.resolve(settings), progress_of_run)

    directory = RunDirectory(run_dir)
    board = load(directory, read_trials(directory))
    console.print(leaderboard.to_table(board.rows, f"{run_dir} (SYNTHETIC data)"))
    for note in board.notes:
        console.print(note, markup=False)
    test = Certificate.read(directory).test
    if test is None or test.auc_ci is None:
        raise UserError(f"{store} is not the store of this demo; use another run directory")
    console.print(
        f"test, {test.videos} SYNTHETIC clips of people never seen in training: "
        f"AUC {test.auc:.3f} (95% interval {test.auc_ci[0]:.3f} to {test.auc_ci[1]:.3f}), "
        f"accuracy {test.accuracy:.3f} at threshold {test.threshold:.3f}"
    )
    unseen = [
        synthesize_clip(data / f"unseen_{name}.mp4", fake=name == "fake", seed=UNSEEN_SEED + seed)
        for name in ("real", "fake")
    ]
    quiet.import_tensorflow()
    from artifacts.prediction import predict

    for answer in predict.predict(directory, unseen):
        if isinstance(answer, predict.NoVerdict):
            console.print(f"{answer.path}: no verdict: {answer.error}")
        else:
            console.print(
                f"{answer.path}: {answer.label}, fake probability {answer.probability:.3f}"
            )
    console.print(
        f"\n{run_dir} (in {time.monotonic() - started:.0f} s)\n"
        "  best_model.h5, best_model.keras   the detector; loads with stock Keras\n"
        "  best_model.png                    its layers\n"
        "  best_model.json                   what it expects and what it scored\n"
        "  leaderboard.csv, scores.csv       every trial, every clip\n"
        f"{data}\n"
        "  videos/, store.h5                 the SYNTHETIC data set and its store\n"
        f"next: dfsearch predict {run_dir} YOUR_VIDEO.mp4"
    )
