"""The work on a row of ``bench/accuracy.py``: train its detector, score what it is tested on."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import accuracy_data as data
from accuracy_rows import KEY, RUNS, Kept, Row, fingerprint, key, lacking, training_store

from artifacts.run_directory import RunDirectory
from data_prep.store import Store
from search import config as configuration


def measure(keep: Path, row: Row, tested: Sequence[data.TestSet]) -> None:
    """Train a row where it is not trained, and score what it lacks; for a process of its own.

    Args:
        keep: folder for models and scores.
        row: which.
        tested: test sets.
    """
    wanted = lacking(keep, row, tested)
    if not wanted:
        return
    train = training_store(keep, row)
    name = f"{row.name}-{row.manner}-{fingerprint(train)[:8]}"
    folder = RunDirectory(keep / "rows" / name)
    started = time.monotonic()
    if row.detector in RUNS:
        _search(row, train, folder)
    elif not folder.h5.is_file():
        _alone(row, train, folder)
    seconds = time.monotonic() - started

    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from artifacts.scoring import score_clips

    model = keras.models.load_model(folder.h5, compile=False)
    for path, rows in wanted:
        with Store(path) as store:
            scores = [float(score) for score in score_clips(model, store, rows)]
            known = dict(zip(KEY, key(keep, row, store.fingerprint), strict=True))
        Kept(keep / "scores.jsonl").add(known | {"seconds": round(seconds), "scores": scores})


def _search(row: Row, train: Path, folder: RunDirectory) -> None:
    """Leave ``best_model.h5`` in the folder; a search that was stopped goes on."""
    from search.console import run_progress
    from search.run import run

    places = {"store": train, "run_dir": folder.root, "seed": row.seed}
    with run_progress() as progress:
        run(configuration.resolve(row.settings | places), progress)


def _alone(row: Row, train: Path, folder: RunDirectory) -> None:
    """One training of one stream with the defaults of its space."""
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    from artifacts.export import plain_copy, save_model
    from search import detectors
    from search.fit import fit
    from search.hyperparameters import fixed
    from search.objectives import GENERALISATION
    from spaces.detector import detector_space
    from spaces.spatial import SpatialBlock
    from spaces.temporal import TemporalBlock
    from spaces.training import TrainingChoices

    with Store(train) as store, tempfile.TemporaryDirectory() as features:
        graph = detector_space(
            store.clip_shape,
            streams=("spatial" if row.detector == "temporal" else row.detector,),
            spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
            temporal=TemporalBlock(kind="mean" if row.detector == "spatial" else "bilstm"),
        )
        model = detectors.build(graph, fixed({}), row.seed)
        fit(
            model,
            store,
            TrainingChoices(**row.settings),
            seed=row.seed,
            features=Path(features),
            objective=GENERALISATION,
        )
    folder.root.mkdir(parents=True, exist_ok=True)
    save_model(plain_copy(model), folder)
