"""The demo: the whole path on synthetic data, from nothing to verdicts on unseen people."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import dfsearch
from artifacts.leaderboard import board
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.synthetic.synthesize import finished_seed, synthesize_clip
from dfsearch.leaderboards import read_leaderboard
from search.cli.console import cell, log, run_progress, tables, work_bars

IDENTITIES = 60
UNSEEN_SEED = 1

# Whole clips and a small network from scratch: the fakes carry marks in time as well, so that every
# stream can contribute.
SETTINGS: dict[str, Any] = {
    "preset": "quick",
    "space": {"backbones": ["small_cnn"]},
    "architecture": {"trials": 6, "samples": 576, "batch_size": 8, "learning_rate": 1e-3},
    "training": {"trials": 3, "epoch_samples": 96, "max_samples": 1344, "frames": 0, "views": 4},
}


def run_demo(run_dir: Path, seed: int) -> None:
    """Synthesize, prepare, search, evaluate and predict; resume after an interruption.

    Args:
        run_dir: Folder of the run; the data go to ``<run_dir>-data`` beside it.
        seed: Seed of data and search.
    """
    started = time.monotonic()
    console = tables()
    data = run_dir.with_name(f"{run_dir.name}-data")
    videos, store = data / "videos", data / "store.h5"
    log.print("All data of this demo are SYNTHETIC. Its scores show only that the software works.")
    drawn = finished_seed(videos)
    if drawn not in (None, seed):
        raise UserError(f"{videos} was made from seed {drawn}, not {seed}; use another folder")
    with work_bars("synthesizing", "preparing", "writing") as progress:
        if drawn is None:
            dfsearch.synthesize(videos, identities=IDENTITIES, seed=seed, progress=progress)
        if not store.exists():
            dfsearch.prepare(videos, store, seed=seed, progress=progress)
    with run_progress(run_dir) as run_bars:
        run = dfsearch.search(store, run_dir, seed=seed, progress=run_bars, **SETTINGS)

    found = read_leaderboard([RunDirectory(run.path)])
    console.print(board.to_table(found.rows, f"{run_dir} (SYNTHETIC data)"))
    for note in found.notes:
        console.print(cell(note))
    test = run.certificate.test
    if test is None or test.auc_ci is None:
        raise UserError(f"{store} is not the store of this demo; use another run directory")
    console.print(
        f"test split, {test.videos} SYNTHETIC videos of people unseen in training: "
        f"AUC {test.auc:.3f} (95% CI {test.auc_ci[0]:.3f} to {test.auc_ci[1]:.3f}), "
        f"accuracy {test.accuracy:.3f} at threshold {test.threshold:.3f}"
    )
    unseen = [
        synthesize_clip(data / f"unseen_{name}.mp4", fake=name == "fake", seed=UNSEEN_SEED + seed)
        for name in ("real", "fake")
    ]
    for answer in run.predict(unseen):
        if isinstance(answer, dfsearch.NoVerdict):
            console.print(cell(f"{answer.path}: no verdict: {answer.error}"))
        else:
            console.print(
                f"{answer.path}: {answer.label}, fake probability {answer.probability:.3f}"
            )
    console.print(
        f"\n{run_dir} (in {time.monotonic() - started:.0f} s)\n"
        "  best_model.h5, best_model.keras   the detector; loads with stock Keras\n"
        "  best_model.png                    its layers\n"
        "  best_model.json                   its input, origin and scores\n"
        "  leaderboard.csv, scores.csv       every trial, every clip\n"
        f"{data}\n"
        "  videos/, store.h5                 the SYNTHETIC data set and its store\n"
        f"next: dfsearch predict {run_dir} YOUR_VIDEO.mp4"
    )
