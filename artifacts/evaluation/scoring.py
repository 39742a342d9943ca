"""Figures of a detector's scores on clips of a prepared store."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from artifacts.certificate import Certificate
from artifacts.evaluation.request import ALL
from artifacts.metrics.baselines import BaselineComparison
from artifacts.metrics.metrics import Evaluation, evaluate
from artifacts.metrics.per_video import ScoredClips, average_by_video, video_names
from artifacts.metrics.single_label import SingleLabel, evaluate_single_label
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Store

# Settings that do not change the frames: other modalities, and the path of a file.
_NOT_OF_FRAMES = frozenset({"modalities", "detector_model"})


def score_split(
    probabilities: npt.NDArray[np.float64],
    store: Store,
    rows: npt.NDArray[np.int64],
    *,
    split: str,
    threshold: float,
    untrained: BaselineComparison | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return the figures of rows with both labels at a frozen threshold.

    Args:
        probabilities: (n,) fake probabilities.
        store: Store of the clips.
        rows: (n,) rows of the clips.
        split: Name for the record.
        threshold: Threshold frozen on validation.
        untrained: Comparison with the best baseline on the same clips, for the record.
        seed: Seed of the bootstraps.
    """
    clips = _clips_of(probabilities, store, rows)
    return evaluate(
        clips,
        split=split,
        threshold=threshold,
        quarantined=len(store.quarantine),
        videos=video_names(store.keys[rows], store.paths[rows]),
        untrained=None if untrained is None else untrained.to_json(),
        seed=seed,
    )


def score_either(
    probabilities: npt.NDArray[np.float64],
    store: Store,
    rows: npt.NDArray[np.int64],
    *,
    split: str,
    threshold: float,
    untrained: BaselineComparison | None = None,
    seed: int = 0,
) -> Evaluation | SingleLabel:
    """Return the figures as :func:`score_split` does; fewer figures for a single label."""
    if len(np.unique(store.labels[rows])) > 1:
        return score_split(
            probabilities,
            store,
            rows,
            split=split,
            threshold=threshold,
            untrained=untrained,
            seed=seed,
        )
    return evaluate_single_label(
        join_videos(probabilities, store, rows),
        clips=len(rows),
        split=split,
        threshold=threshold,
        quarantined=len(store.quarantine),
        seed=seed,
    )


def join_videos(
    probabilities: npt.NDArray[np.float64], store: Store, rows: npt.NDArray[np.int64]
) -> ScoredClips:
    """Return the videos of these rows with their scores, see :func:`average_by_video`."""
    names = video_names(store.keys[rows], store.paths[rows])
    return average_by_video(_clips_of(probabilities, store, rows), names)


def _clips_of(
    probabilities: npt.NDArray[np.float64], store: Store, rows: npt.NDArray[np.int64]
) -> ScoredClips:
    kinds = {"quality": store.qualities[rows]}
    if "codec" in store.media:
        kinds["codec"] = store.media["codec"][rows]
    return ScoredClips(
        store.labels[rows],
        probabilities,
        store.groups[rows],
        store.methods[rows],
        store.coverage[rows],
        kinds,
    )


def rows_to_score(
    store: Store, certificate: Certificate, split: str = "test"
) -> npt.NDArray[np.int64]:
    """Return the rows of a split that the certified model can score.

    Args:
        store: Store with clips of the same frames and size.
        certificate: Certificate of the model.
        split: ``train``, ``val``, ``test`` or ``all``.

    Raises:
        UserError: The store has other clips, or none in the split.
    """
    expected = certificate.input.shape
    if store.clip_shape != expected:
        raise UserError(
            f"{store.path} has clips of {_shape(store.clip_shape)}, the model takes "
            f"{_shape(expected)}; prepare it with --frames {expected[0]} --size {expected[1]}"
        )
    missing = [name for name in certificate.modalities if name not in store.modalities]
    if missing:
        raise UserError(
            f"{store.path} has no {' and no '.join(missing)}, which the model needs; prepare it "
            f"with --modalities {','.join(certificate.modalities)}"
        )
    rows = np.arange(len(store)) if split == ALL else store.rows(split)
    if not len(rows):
        known = "" if split == ALL else "; try --split all"
        raise UserError(f"{store.path} has no clip in the {split} split{known}")
    return rows


def differing_preparation(run: RunDirectory, store: Store) -> list[str]:
    """Return the settings in which a store's preparation differs from the model's, as text.

    Settings that do not change the frames are ignored. A setting that an old certificate lacks has
    the value that predictions use.
    """
    expected = Certificate.read(run).clip_preparation.to_dict()
    found = store.preparation.get("clip", {})
    return [
        f"{name} {found.get(name)}, expected {value}"
        for name, value in expected.items()
        if name not in _NOT_OF_FRAMES and found.get(name) != value
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
