"""Requests for an evaluation, their results, and the stored results of the test split."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from artifacts.certificate import Certificate
from artifacts.evaluation import openings
from artifacts.evaluation.openings import Opening
from artifacts.metrics.metrics import Evaluation, evaluate
from artifacts.metrics.per_video import video_names
from artifacts.metrics.scores_table import read_lines, read_scores
from artifacts.metrics.single_label import SingleLabel
from artifacts.run_directory import RunDirectory, read_json
from data_prep.errors import UserError
from data_prep.store.store import SPLITS

TEST, ALL = "test", "all"
SHARPNESS = "sharpness"
MATCHED = (SHARPNESS,)
_AGREEMENT = 1e-9


@dataclasses.dataclass(frozen=True)
class Request:
    """Options of an evaluation.

    Attributes:
        split: ``train``, ``val``, ``test`` or ``all``.
        mirror: Whether to average every clip with its mirror image.
        matched: ``sharpness`` to evaluate matched pairs also; empty for no matched pairs.
        robustness: Whether to evaluate degraded clips also.
        untrusted: Whether the model file may differ from the certified one.
    """

    split: str = TEST
    mirror: bool = False
    matched: str = ""
    robustness: bool = False
    untrusted: bool = False

    def check(self) -> None:
        """Check the split and the quantity.

        Raises:
            UserError: The split or the quantity is unknown.
        """
        if self.split not in (*SPLITS, ALL):
            raise UserError(f"--split must be train, val, test or all; received {self.split}")
        if self.matched and self.matched not in MATCHED:
            raise UserError(f"--matched must be {' or '.join(MATCHED)}; received {self.matched}")

    @property
    def is_plain(self) -> bool:
        """Whether the options are those of the run's own test."""
        return self == Request()

    def to_json(self) -> dict[str, Any]:
        """Return the options that are not the defaults."""
        plain = dataclasses.asdict(Request())
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value != plain[name]
        }


@dataclasses.dataclass(frozen=True)
class Assessment:
    """Result of an evaluation.

    Attributes:
        metrics: Metrics with their intervals, such as ``auc``, ``auc_ci``, ``accuracy`` and
            ``by_method``; of clips of one label alone, only those that are defined.
        store: ``path`` and ``fingerprint`` of the store.
        synthetic: Whether the clips are synthetic.
        own_test: Whether the clips are the run's own test split.
        openings: Every opening of this split so far.
        matched: Metrics on matched pairs, as in ``matched.json``; None if not requested.
        robustness: Metrics on degraded clips, as in ``robustness.json``; None if not requested.
        scores: Score of every clip as CSV; empty if the record is gone.
        remarks: Notes on the evaluation.
    """

    metrics: Evaluation | SingleLabel
    store: dict[str, str]
    synthetic: bool
    own_test: bool
    openings: tuple[Opening, ...]
    matched: dict[str, Any] | None
    robustness: dict[str, Any] | None
    scores: str
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the metrics, and the other attributes beside them."""
        return self.metrics.to_json() | {
            "synthetic": self.synthetic,
            "store": self.store,
            "test_openings": [opening.to_json() for opening in self.openings],
            "matched": self.matched,
            "robustness": self.robustness,
        }


def read_assessment(run: RunDirectory) -> Assessment | None:
    """Return the stored results of the test split; nothing is opened or scored.

    Figures that an earlier version lacks are computed from its scores.

    Returns:
        None if the test split lacks a label.

    Raises:
        UserError: The run has no certificate.
    """
    certificate = Certificate.read(run)
    if certificate.test is None:
        return None
    return Assessment(
        metrics=_with_all_figures(run, certificate, certificate.test),
        store={name: certificate.store.get(name, "") for name in ("path", "fingerprint")},
        synthetic=certificate.synthetic,
        own_test=True,
        openings=tuple(openings.openings(run)),
        matched=read_certified(run.matched, certificate),
        robustness=read_certified(run.robustness, certificate),
        scores=_scores(run),
    )


def read_certified(path: Path, certificate: Certificate) -> dict[str, Any] | None:
    """Return the content of a result file of the run if it is about the current model."""
    try:
        found = read_json(path)
    except UserError:
        return None
    mine = isinstance(found, dict) and found.get("model") == certificate.files.h5.sha256
    return found if mine else None


def _scores(run: RunDirectory) -> str:
    try:
        return read_lines(run.scores, TEST)
    except UserError:
        return ""


def _with_all_figures(run: RunDirectory, certificate: Certificate, test: Evaluation) -> Evaluation:
    if test.ece is not None:
        return test
    try:
        keys, clips = read_scores(run.scores, TEST)
    except UserError:
        return test
    if len(keys) != test.videos or len(np.unique(clips.labels)) < 2:
        return test
    found = evaluate(
        clips,
        split=TEST,
        threshold=test.threshold,
        quarantined=test.quarantined,
        videos=video_names(keys),
        seed=certificate.seed,
    )
    of_clips = found.auc if found.per_clip is None else found.per_clip["values"]["auc"]
    # The scores may be of another model than the certified one.
    return found if abs(of_clips - test.auc) < _AGREEMENT else test
