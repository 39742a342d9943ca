"""The stores of ``bench/accuracy.py``: who detectors are trained on, and who they never saw.

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

import collections
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from artifacts.matching import ClipReader, write_matched
from data_prep import splits
from data_prep.clip import Preparation
from data_prep.dealing import shuffled
from data_prep.errors import UserError
from data_prep.leaks import find_leaks, hash_clips, near_pairs
from data_prep.prepare import prepare
from data_prep.store import Clip, Store, write_store
from data_prep.store_format import FAKE, FRAME_FIELDS, REAL
from search.console import bars

VARIABLE = "DFSEARCH_REAL_DATA"
FRAMES, SIDE = 8, 128

FACE_FORENSICS, CELEB_DF = "FaceForensics++", "Celeb-DF"
FORGED = ("ffpp", "ffpp_methods")
CELEB = "celebdf"
PERSONS = ("real_clips/mead", "faces_lfw")
"""Reals of people who are told apart: some of them are for validation."""
STRANGERS = ("real_clips/grid",)

VAL_SHARE = 0.2
FOLDS = 4
# Neighbours in size lie two folds apart.
_SEATS = (0, 2, 1, 3)


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
    path = keep / "stores" / ("train.h5" if extras else "train-forged.h5")
    if not path.exists():
        clips = _forged(keep, ("train", "val"))
        _write(path, [*clips, *_extras(keep)] if extras else clips, keep)
        _check_sides(path)
    return path


def held_out_stores(keep: Path, method: str, *, extras: bool = True) -> tuple[Path, Path]:
    """Stores for training without a method, and for a test on its fakes and their reals alone.

    The official test people are tested where they have fakes of the method. Otherwise those of
    validation are, and as many groups of training people without the method take their place.

    Raises:
        UserError: only training people have fakes of the method.
    """
    kind = "train" if extras else "train-forged"
    train = keep / "stores" / f"{kind}-without-{method}.h5"
    test = keep / "stores" / f"test-{method}.h5"
    if not (train.exists() and test.exists()):
        training, testing = _held_out(_forged(keep, ("train", "val", "test")), method)
        _write(train, [*training, *_extras(keep)] if extras else training, keep)
        _check_sides(train)
        _write(test, testing, keep)
        check_apart(train, test)
    return train, test


def fold_stores(keep: Path, fold: int, *, extras: bool = True) -> tuple[Path, Path]:
    """Stores for training without one fold of the people of FaceForensics++, and for a test on it.

    The official lists leave few people of a small sample to test on. Here everyone is tested once:
    identity groups are dealt to :data:`FOLDS` folds, the next fold is for validation, and the
    others are trained on. Groups of many clips come first and lie two folds apart, so that
    every training has seen some of them.

    Raises:
        UserError: the real data is not there, or the sides are not apart.
    """
    kind = "train" if extras else "train-forged"
    train = keep / "stores" / f"{kind}-fold{fold}.h5"
    test = keep / "stores" / f"test-fold{fold}.h5"
    if not (train.exists() and test.exists()):
        training, testing = _fold(_forged(keep, ("train", "val", "test")), fold)
        _write(train, [*training, *_extras(keep)] if extras else training, keep)
        _check_sides(train)
        _write(test, testing, keep)
        check_apart(train, test)
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
        _write(path, _forged(keep, ("test",)), keep)
        check_apart(train_store(keep), path)
    found[FACE_FORENSICS] = path
    if _is_there(CELEB):
        path = keep / "stores" / "test-celeb.h5"
        if not path.exists():
            _write(path, list(_clips(_prepared(keep, CELEB, policy=splits.TEST))), keep)
            check_apart(train_store(keep), path)
        found[CELEB_DF] = path
    return found


def test_set(keep: Path, name: str, path: Path) -> TestSet:
    """A store as it is tested on, with its matched pairs made where they are missing.

    Raises:
        UserError: it has other clips than are trained on, or not both labels.
    """
    with Store(path) as store:
        if store.clip_shape[:3] != (FRAMES, SIDE, SIDE):
            frames, side, _, _ = store.clip_shape
            raise UserError(
                f"{path} has clips of {frames} frames of {side} px; prepare it with --frames "
                f"{FRAMES} --size {SIDE}"
            )
        rows, split = tested_rows(store)
        matched = keep / "stores" / f"matched-{store.fingerprint[:16]}.h5"
        none = matched.with_suffix(".none")
        if not matched.exists() and not none.exists():
            try:
                write_matched(store, rows, matched)
            except UserError as error:
                none.write_text(f"{error}\n")
    return TestSet(name, path, matched if matched.exists() else None, split)


def tested_rows(store: Store) -> tuple[np.ndarray[Any, np.dtype[np.int64]], str]:
    """The rows of a store's test split where it has both labels, else all; and which it is.

    Raises:
        UserError: a label is missing.
    """
    for rows, split in ((store.rows("test"), "test"), (np.arange(len(store)), "all")):
        if len(np.unique(store.labels[rows])) == 2:
            return rows, split
    raise UserError(f"{store.path} needs real and fake clips to test on; it has one label")


def check_apart(train: Path, test: Path) -> None:
    """See that nobody and nothing of a test store is in a training store.

    Identity groups of a data set, files (SHA-256) and near-identical pictures are compared.

    Raises:
        UserError: what they share.
    """
    with Store(train) as ours, Store(test) as theirs:
        rows, _ = tested_rows(theirs)
        shared = {
            "identity group": _people(ours) & _people(theirs, rows),
            "file": set(ours.sha256.tolist()) & set(theirs.sha256[rows].tolist()),
        }
        for what, found in shared.items():
            if found:
                raise UserError(
                    f"{test} is no test of {train}: they share {len(found)} {what}"
                    f"{'s' * (len(found) > 1)}, such as {min(found)}; leave it out"
                )
        pairs, closest = near_pairs(hash_clips(ours), hash_clips(theirs)[rows])
        if pairs:
            _, row, place = closest[0]
            raise UserError(
                f"{test} is no test of {train}: {theirs.keys[rows[place]]} shows what "
                f"{ours.keys[row]} shows, and there are {pairs} such pairs; leave it out"
            )


def _people(store: Store, rows: Any = slice(None)) -> set[str]:
    pairs = zip(store.keys[rows].tolist(), store.groups[rows].tolist(), strict=True)
    return {_person(key, group) for key, group in pairs}


def _person(key: str, group: str) -> str:
    """An identity group with the data set it is of: two sets may call two people alike."""
    begin = f"{key.partition('/')[0]}: "
    return group if group.startswith(begin) else begin + group


def _check_sides(path: Path) -> None:
    """See that a store's own splits are apart; a store that leaks is removed."""
    with Store(path) as store:
        leaks = find_leaks(store)
    certain = [leak for leak in leaks if leak.certain]
    if certain:
        path.unlink()
        leak = certain[0]
        places = " and ".join(f"{clip.key} in {clip.split}" for clip in leak.examples[0].clips)
        raise UserError(f"{path} would leak: one {leak.kind} is on two sides, {places}")


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
                jobs=-1,
                split_policy=policy,
                progress=preparing,
                writing=writing,
            )
    return path


def _clips(path: Path) -> Iterator[Clip]:
    """Every clip of a prepared set, each identity group named with its data set."""
    with Store(path) as store:
        read = ClipReader(store)
        for row in range(len(store)):
            clip = read(row)
            yield dataclasses.replace(clip, group=_person(clip.key, clip.group))


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


def _lasting(clip: Clip) -> Clip:
    """A still as a clip of equal frames; a clip as it is."""
    if len(clip.frames) == FRAMES:
        return clip
    arrays = {
        name: np.repeat(getattr(clip, name), FRAMES, axis=0) for name in ("frames", *FRAME_FIELDS)
    }
    return dataclasses.replace(clip, **arrays)


def _held_out(clips: Iterable[Clip], method: str) -> tuple[list[Clip], list[Clip]]:
    """Clips for training without a method, train and val, and those for its test."""
    clips = list(clips)
    carriers: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for clip in clips:
        if clip.method == method:
            carriers[clip.split].add(clip.group)
    tested = carriers["test"] or carriers["val"]
    if not tested:
        raise UserError(f"only training people have fakes of {method}; it cannot be held out")
    forged = {clip.group for clip in clips if clip.label == FAKE and clip.split == "train"}
    free = sorted(forged - carriers["train"], key=shuffled(0))
    moved = set() if carriers["test"] else set(free[: len(tested)])
    training = [
        dataclasses.replace(clip, split="val") if clip.group in moved else clip
        for clip in clips
        if clip.split != "test" and clip.group not in tested and clip.method != method
    ]
    qualities = {clip.quality for clip in clips if clip.method == method and clip.group in tested}
    testing = [
        dataclasses.replace(clip, split="test")
        for clip in clips
        if clip.group in tested
        and clip.quality in qualities
        and (clip.label == REAL or clip.method == method)
    ]
    return training, testing


def _fold(clips: Iterable[Clip], fold: int) -> tuple[list[Clip], list[Clip]]:
    """Clips for training without a fold, train and val, and those of the fold."""
    clips = list(clips)
    sizes = collections.Counter(clip.group for clip in clips)
    order = shuffled(0)
    groups = sorted(sizes, key=lambda group: (-sizes[group], order(group)))
    seats = {group: _SEATS[place % FOLDS] for place, group in enumerate(groups)}
    sides = {fold: "test", (fold + 1) % FOLDS: "val"}
    placed = [
        dataclasses.replace(clip, split=sides.get(seats[clip.group], "train")) for clip in clips
    ]
    return (
        [clip for clip in placed if clip.split != "test"],
        [clip for clip in placed if clip.split == "test"],
    )


def _write(path: Path, clips: Sequence[Clip], keep: Path) -> None:
    if not clips:
        raise UserError(f"no clip for {path.name}: the official lists name nobody who is there")
    path.parent.mkdir(parents=True, exist_ok=True)
    sets = sorted((keep / "stores" / "sets").glob("*.h5"))
    write_store(path, clips, [], _description(sets))


def _description(sets: Sequence[Path]) -> dict[str, Any]:
    """How the sets were prepared, as the store keeps it."""
    synthetic, names = False, []
    for path in sets:
        with Store(path) as store:
            synthetic |= store.is_synthetic
            names.append(path.stem)
    return {
        "clip": Preparation(frames=FRAMES, size=SIDE).to_dict(),
        "layout": "several",
        "sets": names,
        "synthetic": synthetic,
    }
