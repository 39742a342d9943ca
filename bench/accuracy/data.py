"""Stores of ``bench.accuracy``: training people and unseen people.

All stores are made once, in the folder of ``--keep``, from the folder named by
``DFSEARCH_REAL_DATA``. These data sets are used if present:

=====================  ===========================================================================
``ffpp``               FaceForensics++ in its official layout, with its official split lists
``ffpp_methods``       the same with other people and more methods
``celebdf``            Celeb-DF in its official layout; tested whole
``real_clips/mead``    real clips whose names begin with the person; more reals for training
``real_clips/grid``    real clips without known identities; for training only
``faces_lfw``          real stills, one folder a person; for training, as clips of equal frames
=====================  ===========================================================================

Training and validation people are those of the official lists. The test people of FaceForensics++
and all of Celeb-DF appear nowhere else. A test store that shares a person, a file or a picture
with the training store is refused.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from artifacts.evaluation.matching import write_matched
from bench.accuracy.people import (
    check_no_overlap,
    check_splits,
    qualify_group,
    select_test_rows,
    split_without_fold,
    split_without_method,
)
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution, PreparationProgress
from data_prep.preparation.prepare import prepare, prepare_sources
from data_prep.sources.source import Source, Sources
from data_prep.splits import splits
from data_prep.splits.splits import SplitRequest
from data_prep.store.clip_reader import ClipReader
from data_prep.store.format import FAKE, FRAME_FIELDS, REAL_ONLY
from data_prep.store.store import Clip, Store, write_store
from search.cli.console import bars

VARIABLE = "DFSEARCH_REAL_DATA"
PREPARATION = Preparation(frames=8)
FRAMES, SIDE = PREPARATION.frames, PREPARATION.size

FACE_FORENSICS, CELEB_DF = "FaceForensics++", "Celeb-DF"
FACE_FORENSICS_SETS = ("ffpp", "ffpp_methods")
CELEB_DF_SET = "celebdf"
IDENTIFIED_REALS = ("real_clips/mead", "faces_lfw")
"""Reals with known identities, partly for validation."""
UNIDENTIFIED_REALS = ("real_clips/grid",)
"""Reals without identities, for training only."""


@dataclasses.dataclass(frozen=True)
class TestSet:
    """Clips to test detectors on.

    Attributes:
        name: Name in the table.
        path: Store.
        matched: Store of its matched pairs; ``None`` if there are none.
        split: ``test`` if that split has both labels, else ``all``.
    """

    name: str
    path: Path
    matched: Path | None
    split: str


def make_train_store(keep: Path, *, extras: bool = True) -> Path:
    """Return the training store: the official train and val people of FaceForensics++.

    Args:
        keep: Folder for all stores, made if missing.
        extras: Add reals of other data sets to train or val, for pseudo-fakes.

    Raises:
        UserError: The real data is missing, or train and val overlap.
    """
    path = keep / "stores" / f"{_name_train_store(extras)}.h5"
    if not path.exists():
        clips = _read_face_forensics(keep, ("train", "val"))
        _write(path, [*clips, *_read_extras(keep)] if extras else clips, check_splits)
    return path


def make_held_out_stores(keep: Path, method: str, *, extras: bool = True) -> tuple[Path, Path]:
    """Return a training store without a method, and a test store of its fakes and their reals.

    See :func:`bench.accuracy.people.split_without_method`.

    Raises:
        UserError: Only training people have fakes of the method.
    """
    train = keep / "stores" / f"{_name_train_store(extras)}-without-{method}.h5"
    test = keep / "stores" / f"test-{method}.h5"
    if not (train.exists() and test.exists()):
        clips = _read_face_forensics(keep, ("train", "val", "test"))
        _write_both(keep, train, test, *split_without_method(clips, method), extras=extras)
    return train, test


def make_fold_stores(keep: Path, fold: int, *, extras: bool = True) -> tuple[Path, Path]:
    """Return a training store without one fold of FaceForensics++, and the test store of that fold.

    The official test list is short in a small sample; cross-validation tests every person once. See
    :func:`bench.accuracy.people.split_without_fold`.

    Raises:
        UserError: The real data is missing, or the splits overlap.
    """
    train = keep / "stores" / f"{_name_train_store(extras)}-fold{fold}.h5"
    test = keep / "stores" / f"test-fold{fold}.h5"
    if not (train.exists() and test.exists()):
        clips = _read_face_forensics(keep, ("train", "val", "test"))
        _write_both(keep, train, test, *split_without_fold(clips, fold), extras=extras)
    return train, test


def list_methods(keep: Path) -> list[str]:
    """Return the names of the manipulation methods that can be held out."""
    with Store(make_train_store(keep, extras=False)) as store:
        return sorted(set(store.methods[store.labels == FAKE].tolist()))


def make_test_stores(keep: Path) -> dict[str, Path]:
    """Return the test stores by name: FaceForensics++ and, if present, Celeb-DF.

    Raises:
        UserError: The real data is missing, or overlaps the training store.
    """
    found: dict[str, Path] = {}
    path = keep / "stores" / "test-forged.h5"
    if not path.exists():
        _write(path, _read_face_forensics(keep, ("test",)), _check_against(make_train_store(keep)))
    found[FACE_FORENSICS] = path
    if _exists(CELEB_DF_SET):
        path = keep / "stores" / "test-celeb.h5"
        if not path.exists():
            clips = list(_read_clips(_prepare_set(keep, CELEB_DF_SET, policy=splits.TEST)))
            _write(path, clips, _check_against(make_train_store(keep)))
        found[CELEB_DF] = path
    return found


def make_test_set(keep: Path, name: str, path: Path) -> TestSet:
    """Return a store as a test set, with its matched pairs made if missing.

    Raises:
        UserError: The store lacks a label.
    """
    path = _fit_store(keep, path)
    with Store(path) as store:
        rows, split = select_test_rows(store)
        matched = keep / "stores" / f"matched-{store.fingerprint[:16]}.h5"
        unmatched = matched.with_suffix(".none")
        if not matched.exists() and not unmatched.exists():
            try:
                write_matched(store, rows, matched)
            except UserError as error:
                unmatched.write_text(f"{error}\n")
    return TestSet(name, path, matched if matched.exists() else None, split)


def _find_real_data() -> Path:
    folder = os.environ.get(VARIABLE)
    if not folder or not (Path(folder) / FACE_FORENSICS_SETS[0]).is_dir():
        problem = (
            f"names {folder}, which has no {FACE_FORENSICS_SETS[0]}/" if folder else "is not set"
        )
        raise UserError(
            f"{VARIABLE} {problem}: name the folder of real videos that holds "
            f"{FACE_FORENSICS_SETS[0]}/ in the layout of FaceForensics++"
        )
    return Path(folder)


def _exists(name: str) -> bool:
    return (_find_real_data() / name).is_dir()


def _prepare_set(keep: Path, name: str, *, policy: str) -> Path:
    """Return the store of one data set, prepared if missing; a killed preparation resumes."""
    path = keep / "stores" / "sets" / f"{name.replace('/', '-')}.h5"
    if not path.exists():
        source = _find_real_data() / name
        with bars(f"preparing {name}", "writing") as [preparing, writing]:
            prepare(
                source,
                path,
                PREPARATION,
                execution=Execution(jobs=-1),
                split=SplitRequest(policy=policy),
                progress=PreparationProgress(preparing=preparing, writing=writing),
            )
    return path


def _read_clips(path: Path) -> Iterator[Clip]:
    """Yield every clip of a prepared set, its identity group qualified by the data set."""
    with Store(path) as store:
        read = ClipReader(store)
        for row in range(len(store)):
            clip = read(row)
            yield dataclasses.replace(clip, group=qualify_group(clip.key, clip.group))


def _read_face_forensics(keep: Path, wanted: Sequence[str]) -> list[Clip]:
    """Return the clips of FaceForensics++ in these official splits."""
    found: dict[str, Clip] = {}
    for name in filter(_exists, FACE_FORENSICS_SETS):
        for clip in _read_clips(_prepare_set(keep, name, policy=splits.OFFICIAL)):
            if clip.split in wanted:
                found.setdefault(clip.key, clip)
    return [found[key] for key in sorted(found)]


def _read_extras(keep: Path) -> list[Clip]:
    """Return reals of other data sets as material for pseudo-fakes, some people for validation."""
    root = _find_real_data()
    faces = [
        Source(
            root / name,
            name=name.replace("/", "-"),
            role=REAL_ONLY,
            split="train" if name in UNIDENTIFIED_REALS else splits.AUTO,
        )
        for name in filter(_exists, (*IDENTIFIED_REALS, *UNIDENTIFIED_REALS))
    ]
    if not faces:
        return []
    path = keep / "stores" / "sets" / "extras.h5"
    if not path.exists():
        # Beside videos, pictures become clips of equal frames.
        beside = Source(root / FACE_FORENSICS_SETS[0])
        with bars("preparing faces", "writing") as [preparing, writing]:
            prepare_sources(
                Sources((beside, *faces)),
                path,
                PREPARATION,
                execution=Execution(jobs=-1),
                progress=PreparationProgress(preparing=preparing, writing=writing),
            )
    return [clip for clip in _read_clips(path) if clip.role == REAL_ONLY]


def _fit_store(keep: Path, path: Path) -> Path:
    """Return a store of the training frame count and size: the same store, or a converted one.

    Longer clips are sampled evenly, shorter ones repeat frames; modalities are dropped.
    """
    with Store(path) as store:
        if store.clip_shape[:3] == (FRAMES, SIDE, SIDE):
            return path
        made = keep / "stores" / f"as-trained-{store.fingerprint[:16]}.h5"
        if not made.exists():
            read = ClipReader(store)
            clips = (_fit_clip(read(row)) for row in range(len(store)))
            write_store(made, clips, [], store.preparation)
    return made


def _fit_clip(clip: Clip) -> Clip:
    """Return a clip with evenly spaced frames of the training count and size."""
    count, side = clip.frames.shape[:2]
    places = np.round(np.linspace(0, count - 1, FRAMES)).astype(int)
    arrays = {name: getattr(clip, name)[places] for name in ("frames", *FRAME_FIELDS)}
    if side != SIDE:
        how = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
        sized = [cv2.resize(frame, (SIDE, SIDE), interpolation=how) for frame in arrays["frames"]]
        arrays["frames"] = np.stack(sized)
    return dataclasses.replace(clip, **arrays, modalities={})


def _name_train_store(extras: bool) -> str:
    return "train" if extras else "train-forged"


def _write_both(
    keep: Path,
    train: Path,
    test: Path,
    training: Sequence[Clip],
    testing: Sequence[Clip],
    *,
    extras: bool,
) -> None:
    _write(train, [*training, *_read_extras(keep)] if extras else training, check_splits)
    _write(test, testing, _check_against(train))


def _check_against(train: Path) -> Callable[[Store], None]:
    """Return a check that a store is a fair test of a training store."""

    def check(theirs: Store) -> None:
        with Store(train) as ours:
            check_no_overlap(ours, theirs)

    return check


def _write(path: Path, clips: Sequence[Clip], check: Callable[[Store], None]) -> None:
    """Write a store unless it fails the check."""
    if not clips:
        raise UserError(
            f"no clips for {path.name}: no video of the people in the official lists was found"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    unchecked = path.with_suffix(".unchecked")
    try:
        write_store(unchecked, clips, [], _describe_store(clips, path.parent / "sets"))
        with Store(unchecked) as store:
            check(store)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)


def _describe_store(clips: Sequence[Clip], sets: Path) -> dict[str, Any]:
    """Return the preparation record of a store."""
    synthetic = False
    for path in sorted(sets.glob("*.h5")):
        with Store(path) as store:
            synthetic |= store.is_synthetic
    return {
        "clip": PREPARATION.to_dict(),
        "layout": "several",
        "sets": sorted({clip.key.partition("/")[0] for clip in clips}),
        "synthetic": synthetic,
    }
