"""The stores of ``bench.accuracy``: who detectors are trained on, and who they never saw.

Everything is made once below a folder that is kept, from the folder that ``DFSEARCH_REAL_DATA``
names. Of that, what is there is used:

=====================  ===========================================================================
``ffpp``               FaceForensics++ in its official layout, with its official split lists
``ffpp_methods``       the same of other people, with more methods
``celebdf``            Celeb-DF in its official layout; all of it is tested on
``real_clips/mead``    real clips, names begin with the person; more reals for training
``real_clips/grid``    real clips of speakers that are not told apart; for training alone
``faces_lfw``          real stills, a folder a person; for training, shown as clips of equal frames
=====================  ===========================================================================

Training and validation people are those of the official lists; the test people of FaceForensics++
and all of Celeb-DF are nowhere else. A store that shares a person, a file or a picture with what
is trained on is refused.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from artifacts.evaluation.matching import ClipReader, write_matched
from bench.accuracy.people import (
    check_apart,
    check_sides,
    person,
    tested_rows,
    without_fold,
    without_method,
)
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import Execution, PreparationProgress, prepare
from data_prep.splits import splits
from data_prep.splits.dealing import shuffled
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import FAKE, FRAME_FIELDS, REAL
from data_prep.store.store import Clip, Store, write_store
from search.cli.console import bars

VARIABLE = "DFSEARCH_REAL_DATA"
FRAMES, SIDE = 8, 128

FACE_FORENSICS, CELEB_DF = "FaceForensics++", "Celeb-DF"
FORGED = ("ffpp", "ffpp_methods")
CELEB = "celebdf"
PERSONS = ("real_clips/mead", "faces_lfw")
"""Reals of people who are told apart: some of them are for validation."""
STRANGERS = ("real_clips/grid",)

VAL_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class TestSet:
    """Clips that detectors are tested on.

    Attributes:
        name: for the table.
        path: of the store.
        matched: of the store of its matched pairs; None where it has none.
        split: ``test`` where the store has both labels there, else ``all`` of its clips.
    """

    name: str
    path: Path
    matched: Path | None
    split: str


def train_store(keep: Path, *, extras: bool = True) -> Path:
    """The store for training: FaceForensics++ people of the official train and val lists.

    Args:
        keep: folder for all stores; made if missing.
        extras: add the reals of other sets, whole people to train or val, for pseudo-fakes.

    Raises:
        UserError: the real data is not there, or train and val are not apart.
    """
    path = keep / "stores" / f"{_kind(extras)}.h5"
    if not path.exists():
        clips = _forged(keep, ("train", "val"))
        _write(path, [*clips, *_extras(keep)] if extras else clips, check_sides)
    return path


def held_out_stores(keep: Path, method: str, *, extras: bool = True) -> tuple[Path, Path]:
    """Stores for training without a method, and for a test on its fakes and their reals alone.

    See :func:`accuracy_people.without_method`.

    Raises:
        UserError: only training people have fakes of the method.
    """
    train = keep / "stores" / f"{_kind(extras)}-without-{method}.h5"
    test = keep / "stores" / f"test-{method}.h5"
    if not (train.exists() and test.exists()):
        clips = _forged(keep, ("train", "val", "test"))
        _write_both(keep, train, test, *without_method(clips, method), extras=extras)
    return train, test


def fold_stores(keep: Path, fold: int, *, extras: bool = True) -> tuple[Path, Path]:
    """Stores for training without one fold of the people of FaceForensics++, and for a test on it.

    The official lists leave few people of a small sample to test on; here everyone is tested once.
    See :func:`accuracy_people.without_fold`.

    Raises:
        UserError: the real data is not there, or the sides are not apart.
    """
    train = keep / "stores" / f"{_kind(extras)}-fold{fold}.h5"
    test = keep / "stores" / f"test-fold{fold}.h5"
    if not (train.exists() and test.exists()):
        clips = _forged(keep, ("train", "val", "test"))
        _write_both(keep, train, test, *without_fold(clips, fold), extras=extras)
    return train, test


def methods(keep: Path) -> list[str]:
    """Manipulation methods of which one can be held out, by name."""
    with Store(train_store(keep, extras=False)) as store:
        return sorted(set(store.methods[store.labels == FAKE].tolist()))


def test_stores(keep: Path) -> dict[str, Path]:
    """The stores that are tested on, by name: FaceForensics++ and Celeb-DF, what is there of them.

    Raises:
        UserError: the real data is not there, or shares something with the training store.
    """
    found: dict[str, Path] = {}
    path = keep / "stores" / "test-forged.h5"
    if not path.exists():
        _write(path, _forged(keep, ("test",)), _apart_from(train_store(keep)))
    found[FACE_FORENSICS] = path
    if _is_there(CELEB):
        path = keep / "stores" / "test-celeb.h5"
        if not path.exists():
            clips = list(_clips(_prepared(keep, CELEB, policy=splits.TEST)))
            _write(path, clips, _apart_from(train_store(keep)))
        found[CELEB_DF] = path
    return found


def test_set(keep: Path, name: str, path: Path) -> TestSet:
    """A store as it is tested on, with its matched pairs made where they are missing.

    Raises:
        UserError: it has not both labels.
    """
    path = _as_trained(keep, path)
    with Store(path) as store:
        rows, split = tested_rows(store)
        matched = keep / "stores" / f"matched-{store.fingerprint[:16]}.h5"
        none = matched.with_suffix(".none")
        if not matched.exists() and not none.exists():
            try:
                write_matched(store, rows, matched)
            except UserError as error:
                none.write_text(f"{error}\n")
    return TestSet(name, path, matched if matched.exists() else None, split)


# What is prepared.


def _real_data() -> Path:
    folder = os.environ.get(VARIABLE)
    if not folder or not (Path(folder) / FORGED[0]).is_dir():
        said = f"names {folder}, which has no {FORGED[0]}/" if folder else "is not set"
        raise UserError(
            f"{VARIABLE} {said}: name the folder of real videos that holds {FORGED[0]}/ in the "
            "layout of FaceForensics++"
        )
    return Path(folder)


def _is_there(name: str) -> bool:
    return (_real_data() / name).is_dir()


def _prepared(keep: Path, name: str, *, policy: str, label: int | None = None) -> Path:
    """The store of one set, prepared where it is missing; a preparation that was killed goes on."""
    path = keep / "stores" / "sets" / f"{name.replace('/', '-')}.h5"
    if not path.exists():
        source = _real_data() / name
        with bars(f"preparing {name}", "writing") as [preparing, writing]:
            prepare(
                source,
                path,
                Preparation(frames=FRAMES, size=SIDE),
                label=label,
                execution=Execution(jobs=-1),
                split=SplitRequest(policy=policy),
                progress=PreparationProgress(preparing=preparing, writing=writing),
            )
    return path


def _clips(path: Path) -> Iterator[Clip]:
    """Every clip of a prepared set, each identity group named with its data set."""
    with Store(path) as store:
        read = ClipReader(store)
        for row in range(len(store)):
            clip = read(row)
            yield dataclasses.replace(clip, group=person(clip.key, clip.group))


def _forged(keep: Path, wanted: Sequence[str]) -> list[Clip]:
    """Clips of FaceForensics++ in these official splits."""
    found: dict[str, Clip] = {}
    for name in filter(_is_there, FORGED):
        for clip in _clips(_prepared(keep, name, policy=splits.OFFICIAL)):
            if clip.split in wanted:
                found.setdefault(clip.key, clip)
    return [found[key] for key in sorted(found)]


def _extras(keep: Path) -> list[Clip]:
    """Reals of other sets, some whole people for validation."""
    found = []
    for name in filter(_is_there, (*PERSONS, *STRANGERS)):
        clips = list(_clips(_prepared(keep, name, policy=splits.TEST, label=REAL)))
        people = sorted({clip.group for clip in clips}, key=shuffled(0))
        held = people[: max(1, round(VAL_SHARE * len(people)))] if name in PERSONS else []
        for clip in clips:
            split = "val" if clip.group in held else "train"
            found.append(dataclasses.replace(_lasting(clip), split=split))
    return found


def _as_trained(keep: Path, path: Path) -> Path:
    """A store of as many frames of the size that is trained on: itself, or one made of it.

    Of longer clips evenly spaced frames are shown, of shorter ones some again; modalities are left.
    """
    with Store(path) as store:
        if store.clip_shape[:3] == (FRAMES, SIDE, SIDE):
            return path
        made = keep / "stores" / f"as-trained-{store.fingerprint[:16]}.h5"
        if not made.exists():
            read = ClipReader(store)
            clips = (_refitted(read(row)) for row in range(len(store)))
            write_store(made, clips, [], store.preparation)
    return made


def _refitted(clip: Clip) -> Clip:
    """A clip of as many frames, evenly spaced, of the size that is trained on."""
    count, side = clip.frames.shape[:2]
    places = np.round(np.linspace(0, count - 1, FRAMES)).astype(int)
    arrays = {name: getattr(clip, name)[places] for name in ("frames", *FRAME_FIELDS)}
    if side != SIDE:
        how = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
        sized = [cv2.resize(frame, (SIDE, SIDE), interpolation=how) for frame in arrays["frames"]]
        arrays["frames"] = np.stack(sized)
    return dataclasses.replace(clip, **arrays, modalities={})


def _lasting(clip: Clip) -> Clip:
    """A still as a clip of equal frames; a clip as it is."""
    if len(clip.frames) == FRAMES:
        return clip
    arrays = {
        name: np.repeat(getattr(clip, name), FRAMES, axis=0) for name in ("frames", *FRAME_FIELDS)
    }
    return dataclasses.replace(clip, **arrays)


def _kind(extras: bool) -> str:
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
    _write(train, [*training, *_extras(keep)] if extras else training, check_sides)
    _write(test, testing, _apart_from(train))


def _apart_from(train: Path) -> Callable[[Store], None]:
    """A check that a store is a fair test of what is trained on another."""

    def check(theirs: Store) -> None:
        with Store(train) as ours:
            check_apart(ours, theirs)

    return check


def _write(path: Path, clips: Sequence[Clip], check: Callable[[Store], None]) -> None:
    """Write a store, unless it fails the check."""
    if not clips:
        raise UserError(f"no clip for {path.name}: the official lists name nobody who is there")
    path.parent.mkdir(parents=True, exist_ok=True)
    unchecked = path.with_suffix(".unchecked")
    try:
        write_store(unchecked, clips, [], _description(clips, path.parent / "sets"))
        with Store(unchecked) as store:
            check(store)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)


def _description(clips: Sequence[Clip], sets: Path) -> dict[str, Any]:
    """What the store keeps of how it was made."""
    synthetic = False
    for path in sorted(sets.glob("*.h5")):
        with Store(path) as store:
            synthetic |= store.is_synthetic
    return {
        "clip": Preparation(frames=FRAMES, size=SIDE).to_dict(),
        "layout": "several",
        "sets": sorted({clip.key.partition("/")[0] for clip in clips}),
        "synthetic": synthetic,
    }
