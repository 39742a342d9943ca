"""Parts of a report that need the model: clips with heat maps, contributions of streams."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from artifacts.certificate import Certificate
from artifacts.report.curves import Scored
from artifacts.report.parts import Missing, Paragraph, Part, Picture
from artifacts.run_directory import RunDirectory, read_json
from data_prep.errors import UserError
from data_prep.store.store import FAKE, REAL, Store

_EACH = 2
_STREAMS = "streams.json"


@dataclasses.dataclass(frozen=True)
class Inspection:
    """Results of the model itself.

    Attributes:
        streams: content of ``streams.json``, or the reason why it is missing.
        faces: parts of the section of sample clips.
    """

    streams: Mapping[str, Any] | str
    faces: tuple[Part, ...]


def inspect_model(
    run: RunDirectory,
    certificate: Certificate,
    store: Store | str,
    scores: Mapping[str, Scored] | str,
    *,
    faces: bool,
) -> Inspection:
    """Compute streams and sample clips with the model of a run.

    The model is opened only if one of them is needed.

    Args:
        run: a finished run.
        certificate: certificate of its model.
        store: store of the run, or the reason why it is missing.
        scores: scores of validation clips, by split, or the reason why they are missing.
        faces: whether faces are wanted.
    """
    rows, why = _wanted(store, scores, certificate.threshold)
    if not faces:
        rows, why = [], "left out, as was asked for (--no-faces)."
    missing = Missing("Sample clips", why)
    kept = _kept_streams(run, certificate)
    if isinstance(store, str):
        return Inspection(kept or store, (missing,))
    if kept is not None and not rows:
        return Inspection(kept, (missing,))
    try:
        found, shown = _ask(run, store, rows, wants_streams=kept is None)
    except UserError as error:
        return Inspection(kept or str(error), (Missing("Sample clips", why or str(error)),))
    except (KeyError, ValueError) as error:
        # A model of an earlier version, or of another maker, need not have the parts looked for.
        reason = f"the model cannot be taken apart: {error}"
        return Inspection(kept or reason, (Missing("Sample clips", why or reason),))
    return Inspection(kept or found, tuple(shown) or (missing,))


def _wanted(
    store: Store | str, scores: Mapping[str, Scored] | str, threshold: float
) -> tuple[list[int], str]:
    """Return the rows of the clips to show, or none and the reason."""
    if isinstance(store, str):
        return [], store
    if isinstance(scores, str):
        return [], scores
    rows = select_clear_clips(scores.get("val"), store, threshold)
    return rows, "" if rows else "no validation clip has both a score and a place in the store."


def _kept_streams(run: RunDirectory, certificate: Certificate) -> Mapping[str, Any] | None:
    """Return the stored contributions of streams if model and validation split are unchanged."""
    try:
        found = read_json(run.root / _STREAMS)
        expected = certificate.files.h5.sha256, run.read_fingerprint(), "val"
    except UserError:
        return None
    if not isinstance(found, dict):
        return None
    measured = tuple(found.get(name) for name in ("model", "store", "split"))
    return found if measured == expected else None


def _ask(
    run: RunDirectory, store: Store, rows: list[int], *, wants_streams: bool
) -> tuple[Mapping[str, Any] | str, list[Part]]:
    # TensorFlow, which a report without these does without.
    from artifacts import quiet

    quiet.import_tensorflow()
    from artifacts.explain.clips import explain_clips
    from artifacts.explain.stream_contributions import read_or_measure_contributions
    from artifacts.models.saved import load_detector

    model, _ = load_detector(run)
    streams: Mapping[str, Any] | str = ""
    if wants_streams:
        try:
            streams = read_or_measure_contributions(run, model, store).to_json()
        except (UserError, ValueError) as error:
            streams = str(error)
    if not rows:
        return streams, []
    parts: list[Part] = [
        Paragraph(
            "Validation clips: the most certain correct and the most certain wrong scores, real "
            "and fake. Above: frames of the clip. Below: regions that raised the fake score "
            "(Grad-CAM; Selvaraju et al., 2017). Heat shows the evidence of the model. It does "
            "not show that a region was manipulated."
        ),
        Paragraph(
            "Faces are personal data: show this report only to whom these people or the law "
            "allow, or make another with --no-faces."
        ),
    ]
    parts += [
        Picture(
            clip.png,
            f"Frames of {clip.key} and where the model looked in them.",
            f"{clip.key}: {clip.caption}",
        )
        for clip in explain_clips(model, store, rows)
    ]
    return streams, parts


def select_clear_clips(scored: Scored | None, store: Store, threshold: float) -> list[int]:
    """Select clips to show: the surest correct ones of each label, then the surest wrong ones.

    Args:
        scored: validation clips.
        store: store of the clips.
        threshold: lowest probability of a clip called fake.

    Returns:
        At most eight rows, reals first.
    """
    if scored is None:
        return []
    place = {str(key): row for row, key in enumerate(store.keys)}
    rows = np.array([place.get(str(key), -1) for key in scored.keys], np.int64)
    labels, probabilities = scored.clips.labels, scored.clips.probabilities
    called = probabilities >= threshold
    sure = np.abs(probabilities - threshold)
    chosen: list[int] = []
    for label in (REAL, FAKE):
        for right in (True, False):
            ours = (rows >= 0) & (labels == label) & ((called == (label == FAKE)) == right)
            chosen += _surest(rows, sure, ours)
    return chosen


def _surest(
    rows: npt.NDArray[np.int64], sure: npt.NDArray[np.float64], ours: npt.NDArray[np.bool_]
) -> list[int]:
    places = np.flatnonzero(ours)
    order = np.argsort(-sure[places], kind="stable")[:_EACH]
    return [int(row) for row in rows[places[order]]]
