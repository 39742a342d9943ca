"""What is asked of a finished run and found; and what is on record of its test split."""

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
    """What to evaluate, and how.

    Attributes:
        split: ``train``, ``val``, ``test`` or ``all``.
        mirror: average every clip with its mirror image.
        matched: ``sharpness`` to evaluate matched pairs, too; empty for not.
        robustness: whether to evaluate the clips under degradation, too.
        untrusted: whether the model file may be another than the certificate names.
    """

    split: str = TEST
    mirror: bool = False
    matched: str = ""
    robustness: bool = False
    untrusted: bool = False

    def check(self) -> None:
        """Refuse what there is not.

        Raises:
            UserError: an unknown split or quantity.
        """
        if self.split not in (*SPLITS, ALL):
            raise UserError(f"--split must be train, val, test or all, not {self.split}")
        if self.matched and self.matched not in MATCHED:
            raise UserError(f"--matched must be {' or '.join(MATCHED)}, not {self.matched}")

    @property
    def is_plain(self) -> bool:
        """Whether the figures are those that the run itself wrote down."""
        return self == Request()

    def to_json(self) -> dict[str, Any]:
        """What is beside the plain figures."""
        plain = dataclasses.asdict(Request())
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value != plain[name]
        }


@dataclasses.dataclass(frozen=True)
class Assessment:
    """What was found.

    Attributes:
        evaluation: the figures.
        store: ``path`` and ``fingerprint``.
        synthetic: whether the clips were drawn by a program.
        own_test: whether they are the run's own test split.
        openings: every time that this split was opened so far.
        matched, robustness: as ``matched.json`` and ``robustness.json`` have them; None where they
            were not asked for.
        scores: of every clip, CSV; empty where they are on record no more.
        remarks: what is worth saying of how it was done.
    """

    evaluation: Evaluation | SingleLabel
    store: dict[str, str]
    synthetic: bool
    own_test: bool
    openings: tuple[Opening, ...]
    matched: dict[str, Any] | None
    robustness: dict[str, Any] | None
    scores: str
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values: the evaluation's, and the others beside them."""
        return self.evaluation.to_json() | {
            "synthetic": self.synthetic,
            "store": self.store,
            "test_openings": [opening.to_json() for opening in self.openings],
            "matched": self.matched,
            "robustness": self.robustness,
        }


def read_assessment(run: RunDirectory) -> Assessment | None:
    """What the run wrote down of its test split; nothing is opened or scored.

    Figures that an earlier version did not have are computed from its scores.

    Returns:
        None where the run could not test on both labels.

    Raises:
        UserError: the run has no certificate.
    """
    certificate = Certificate.read(run)
    if certificate.test is None:
        return None
    return Assessment(
        evaluation=_with_all_figures(run, certificate, certificate.test),
        store={name: certificate.store.get(name, "") for name in ("path", "fingerprint")},
        synthetic=certificate.synthetic,
        own_test=True,
        openings=tuple(openings.openings(run)),
        matched=read_certified(run.matched, certificate),
        robustness=read_certified(run.robustness, certificate),
        scores=_scores(run),
    )


def read_certified(path: Path, certificate: Certificate) -> dict[str, Any] | None:
    """What an evaluation left in a file of the run, if it is of the model as it is now."""
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
    # Scores of another model than the one that is certified are no help.
    return found if abs(of_clips - test.auc) < _AGREEMENT else test
