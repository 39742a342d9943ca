"""A detector's scores of the clips of a prepared store, and the figures of them."""

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

# Settings that leave the frames as they are: what lies beside them, and where a file lies.
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
    """Evaluate the probabilities of these rows, of both labels, at a frozen threshold.

    Args:
        probabilities: (n,), of fake.
        store: of the clips.
        rows: (n,), which.
        split: name for the record.
        threshold: from validation.
        untrained: the best score without training on the same clips, for the record.
        seed: of the bootstraps.
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
    """The same as :func:`score_split`, and of one label alone what there is to say of it."""
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
    """The videos of these rows with their scores, by :func:`average_by_video`."""
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
    """The rows of a split that the certified model can score.

    Args:
        store: any store of the same frames and size.
        certificate: of the model.
        split: ``train``, ``val``, ``test``, or ``all`` of the store.

    Raises:
        UserError: the store has other clips, or none in the split.
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
    """Settings in which a store's clips were prepared otherwise than the model's: name and both.

    What does not change the frames is passed over, and a setting that the certificate is too old
    to name has the value that predictions use.
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
