"""Evaluation of a finished run on labelled clips, with every result stored."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.certificate import Certificate, ModelFile
from artifacts.evaluation import openings
from artifacts.evaluation.matched_pairs import evaluate_matched
from artifacts.evaluation.request import ALL, TEST, Assessment, Request
from artifacts.evaluation.robustness import CONDITIONS, robustness, score_conditions
from artifacts.evaluation.scoring import join_videos, rows_to_score, score_either
from artifacts.metrics.baselines import Orientation, compare_with_baseline, find_orientation
from artifacts.metrics.scores_table import scores_csv
from artifacts.models.inference import score_clips
from artifacts.models.saved import load_detector
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError
from data_prep.store.store import Store

Say = Callable[[str], None]
# Called with the name of the work, the number done and the total.
Progress = Callable[[str, int, int], None]


def assess(
    run: RunDirectory,
    path: Path,
    request: Request,
    *,
    own: Path | None = None,
    say: Say = lambda line: None,
    progress: Progress = lambda what, done, total: None,
) -> Assessment:
    """Score the clips of a store with a run's exported model, and store the results.

    The threshold is the one frozen in the certificate. An opening of the run's own test split is
    recorded before the first clip is read. Results of the certified model on matched and degraded
    clips go to ``matched.json`` and ``robustness.json``, all others to a file in ``evaluations``.

    Args:
        run: Finished run.
        path: Path of the store.
        request: Options of the evaluation.
        own: Store of the run; the directions of baselines come from its training split.
        say: Called with a line to print before the work begins.
        progress: Called with the progress of the work.

    Raises:
        UserError: The request, the run or the store cannot be used.
    """
    request.check()
    run.check_links(run.evaluations, run.openings)
    model, certificate = load_detector(run, untrusted=request.untrusted)
    tested = ModelFile.from_path(run.h5).sha256
    with Store(path) as store:
        rows = rows_to_score(store, certificate, request.split)
        mine = store.fingerprint == run.read_fingerprint()
        own_test = mine and request.split == TEST
        remarks = []
        if mine and not own_test:
            say(f"the model was made with the {request.split} split of this store")
        if mine and request.split in (TEST, ALL):
            opened = openings.record(run, openings.BY_EVALUATE, request.to_json(), tested)
            if not opened:
                remarks.append(f"{run.root} is not writable: this opening is not recorded")
        work = _Work(model, certificate, tested, store, rows, request, progress)
        found = dataclasses.replace(work(_directions(run, store, rows, own)), own_test=own_test)
    found = dataclasses.replace(found, openings=tuple(openings.openings(run)) if mine else ())
    if not _write(run, found, request):
        remarks.append(f"{run.root} is not writable: these figures are not stored")
    return dataclasses.replace(found, remarks=tuple(remarks))


@dataclasses.dataclass(frozen=True)
class _Work:
    model: keras.Model
    certificate: Certificate
    tested: str
    store: Store
    rows: npt.NDArray[np.int64]
    request: Request
    progress: Progress

    def __call__(self, directions: Orientation | None) -> Assessment:
        store, rows, request = self.store, self.rows, self.request
        threshold, seed = self.certificate.threshold, self.certificate.seed
        scores = score_clips(
            self.model,
            store,
            rows,
            mirror=request.mirror,
            progress=partial(self.progress, "clips"),
        )
        metrics = score_either(
            scores,
            store,
            rows,
            split=request.split,
            threshold=threshold,
            untrained=compare_with_baseline(scores, store, rows, directions, seed),
            seed=seed,
        )
        return Assessment(
            metrics=metrics,
            store={"path": str(store.path), "fingerprint": store.fingerprint},
            synthetic=store.is_synthetic,
            own_test=False,
            openings=(),
            matched=self._matched(scores, directions) if request.matched else None,
            robustness=self._robustness(scores) if request.robustness else None,
            scores=scores_csv(store, {request.split: (rows, scores)}),
        )

    def _matched(
        self, scores: npt.NDArray[np.float64], directions: Orientation | None
    ) -> dict[str, Any]:
        found = evaluate_matched(
            self.model,
            self.store,
            self.rows,
            scores,
            threshold=self.certificate.threshold,
            directions=directions,
            mirror=self.request.mirror,
            seed=self.certificate.seed,
            progress=partial(self.progress, "matched pairs"),
        )
        return self._header() | found.to_json()

    def _robustness(self, scores: npt.NDArray[np.float64]) -> dict[str, Any]:
        degraded = score_conditions(
            self.model,
            self.store,
            self.rows,
            mirror=self.request.mirror,
            progress=partial(self.progress, "degraded clips"),
        )
        videos = {
            name: join_videos(values, self.store, self.rows).probabilities
            for name, values in degraded.items()
        }
        clean = join_videos(scores, self.store, self.rows)
        settings = self.certificate.threshold, CONDITIONS, self.certificate.seed
        grid = robustness(clean, videos, *settings)
        return self._header() | {
            "videos": len(clean.labels),
            "conditions": [row.to_json() for row in grid],
        }

    def _header(self) -> dict[str, Any]:
        """Return the model, store and options of the figures."""
        return {
            "made": openings.now(),
            "model": self.tested,
            "store": {"path": str(self.store.path), "fingerprint": self.store.fingerprint},
            "synthetic": self.store.is_synthetic,
            "split": self.request.split,
            "mirror": self.request.mirror,
            "threshold": self.certificate.threshold,
        }


def _directions(
    run: RunDirectory, store: Store, rows: npt.NDArray[np.int64], own: Path | None
) -> Orientation | None:
    """Return the directions of baselines, from clips that are not tested if there are any."""
    if len(np.unique(store.labels[rows])) < 2:
        return None
    found = None if own is None else _of_the_run(run, own)
    train = store.rows("train")
    if found is None and not np.isin(train, rows).any():
        found = find_orientation(store, train, f"the training split of {store.path.name}")
    return found or find_orientation(store, rows, "the tested clips")


def _of_the_run(run: RunDirectory, own: Path) -> Orientation | None:
    try:
        with Store(own) as made_on:
            if made_on.fingerprint == run.read_fingerprint():
                clips = "the training split of the run's store"
                return find_orientation(made_on, made_on.rows("train"), clips)
    except UserError:
        pass
    return None


def _write(run: RunDirectory, found: Assessment, request: Request) -> bool:
    """Write the results where the report reads them; return whether that was possible."""
    try:
        if found.own_test and not request.mirror and not request.untrusted:
            for path, part in ((run.matched, found.matched), (run.robustness, found.robustness)):
                if part is not None:
                    write_json(path, part)
        else:
            run.evaluations.mkdir(exist_ok=True)
            write_json(run.evaluations / _name(found, request), found.to_json())
    except OSError:
        return False
    return True


def _name(found: Assessment, request: Request) -> str:
    stem = re.sub(r"[^\w.-]+", "-", Path(found.store["path"]).stem) or "store"
    kind = ("-mirror" if request.mirror else "") + ("-untrusted" if request.untrusted else "")
    return f"{stem}-{found.store['fingerprint'][:8]}-{request.split}{kind}.json"
