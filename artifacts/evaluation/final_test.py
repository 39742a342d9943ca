"""The test of a run: the test split is opened once, at the end."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt

from artifacts.certificate import ModelFile
from artifacts.evaluation import openings
from artifacts.evaluation.scoring import score_split
from artifacts.metrics.baselines import compare_with_baseline, find_orientation
from artifacts.metrics.metrics import Evaluation
from artifacts.metrics.scores_table import read_scores, scores_csv
from artifacts.models.inference import score_clips
from artifacts.run_directory import RunDirectory, read_json, write_json, write_text
from data_prep.errors import UserError
from data_prep.store.store import Store

TEST = "test"


@dataclasses.dataclass(frozen=True)
class FinalTest:
    """Figures of the test split, and the time when it was opened."""

    evaluation: Evaluation
    opened: str


def open_test_split(
    run: RunDirectory,
    model: keras.Model,
    store: Store,
    on_val: npt.NDArray[np.float64],
    *,
    threshold: float,
    seed: int,
) -> FinalTest | None:
    """Evaluate the exported model on the test split; write ``scores.csv`` and ``evaluation.json``.

    If a run was killed after this step and resumes with the same model file, it uses the stored
    scores. It does not read the split again. The opening is recorded before the first clip is read.

    Args:
        run: Run with ``best_model.h5``.
        model: Model in that file.
        store: Store of the run.
        on_val: Its scores of the validation clips, for ``scores.csv``.
        threshold: Threshold frozen on validation.
        seed: Seed of the bootstraps.

    Returns:
        None if the test split lacks a label; ``scores.csv`` then has validation only.
    """
    scored = {"val": (store.rows("val"), on_val)}
    rows = store.rows(TEST)
    if len(np.unique(store.labels[rows])) < 2:
        write_text(run.scores, scores_csv(store, scored))
        return None
    of_model = ModelFile.from_path(run.h5).sha256
    known = scores_on_record(run, store, of_model)
    if known is None:
        openings.record(run, openings.BY_RUN, {}, of_model)
        known = score_clips(model, store, rows)
    write_text(run.scores, scores_csv(store, scored | {TEST: (rows, known)}))
    directions = find_orientation(
        store, store.rows("train"), "the training split of the run's store"
    )
    evaluation = score_split(
        known,
        store,
        rows,
        split=TEST,
        threshold=threshold,
        untrained=compare_with_baseline(known, store, rows, directions, seed),
        seed=seed,
    )
    of_what = {"model": of_model, "store_fingerprint": store.fingerprint}
    write_json(run.evaluation, evaluation.to_json() | of_what)
    opened = [entry.opened for entry in openings.openings(run) if entry.model == of_model]
    return FinalTest(evaluation, opened[0] if opened else openings.now())


def scores_on_record(
    run: RunDirectory, store: Store, of_model: str
) -> npt.NDArray[np.float64] | None:
    """Return the stored scores (n,) of this model on the test clips of this store, if any.

    Args:
        run: Run with the scores.
        store: Store of the clips.
        of_model: SHA-256 of its ``best_model.h5``.
    """
    try:
        found = read_json(run.evaluation)
        keys, clips = read_scores(run.scores, TEST)
    except UserError:
        return None
    of_what = {"model": of_model, "store_fingerprint": store.fingerprint}
    if not isinstance(found, dict) or any(found.get(name) != of_what[name] for name in of_what):
        return None
    same = keys.tolist() == store.keys[store.rows(TEST)].tolist()
    return clips.probabilities if same else None
