"""Who is trained on and who is tested in ``bench.accuracy``, and that nobody is both."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.audit.leaks import NAME, find_leaks, hash_clips, near_pairs
from data_prep.errors import UserError
from data_prep.splits.dealing import shuffled
from data_prep.store.format import FAKE, REAL
from data_prep.store.store import Clip, Store

FOLDS = 4
# Neighbours in size lie two folds apart.
_SEATS = (0, 2, 1, 3)


def without_method(clips: Iterable[Clip], method: str) -> tuple[list[Clip], list[Clip]]:
    """Clips for training without a method, train and val, and those for its test.

    The official test people are tested where they have fakes of the method. Otherwise those of
    validation are, and as many groups of training people without the method take their place.

    Raises:
        UserError: only training people have fakes of the method.
    """
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


def without_fold(clips: Iterable[Clip], fold: int) -> tuple[list[Clip], list[Clip]]:
    """Clips for training without a fold, train and val, and those of the fold.

    Identity groups are dealt to :data:`FOLDS` folds (:func:`folds_of`); the next fold is for
    validation, and the others are trained on.
    """
    clips = list(clips)
    seats = folds_of(clip.group for clip in clips)
    sides = {fold: "test", (fold + 1) % FOLDS: "val"}
    placed = [
        dataclasses.replace(clip, split=sides.get(seats[clip.group], "train")) for clip in clips
    ]
    return (
        [clip for clip in placed if clip.split != "test"],
        [clip for clip in placed if clip.split == "test"],
    )


def folds_of(groups: Iterable[str]) -> dict[str, int]:
    """The fold of every identity group, given the group of each clip.

    Groups of many clips come first and lie two folds apart, so that every training has seen some
    of them.
    """
    sizes = collections.Counter(groups)
    order = shuffled(0)
    ordered = sorted(sizes, key=lambda group: (-sizes[group], order(group)))
    return {group: _SEATS[place % FOLDS] for place, group in enumerate(ordered)}


def tested_rows(store: Store) -> tuple[npt.NDArray[np.int64], str]:
    """The rows of a store's test split where it has both labels, else all; and which it is.

    Raises:
        UserError: a label is missing.
    """
    for rows, split in ((store.rows("test"), "test"), (np.arange(len(store)), "all")):
        if len(np.unique(store.labels[rows])) == 2:
            return rows, split
    raise UserError(f"{store.path} needs real and fake clips to test on; it has one label")


def check_apart(ours: Store, theirs: Store) -> None:
    """See that nobody and nothing of a store's tested clips is in a training store.

    Identity groups of a data set, files (SHA-256) and near-identical pictures are compared.

    Args:
        ours: trained on.
        theirs: tested on.

    Raises:
        UserError: what they share.
    """
    rows, _ = tested_rows(theirs)
    refusal = f"{theirs.path} is no test of what is trained on {ours.path}"
    shared = {
        "identity group": set(people_of(ours).tolist()) & set(people_of(theirs, rows).tolist()),
        "file": set(ours.sha256.tolist()) & set(theirs.sha256[rows].tolist()),
    }
    for what, found in shared.items():
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise UserError(
                f"{refusal}: they share the {what} {min(found)}{more}; leave out what they share"
            )
    pairs, closest = near_pairs(hash_clips(ours), hash_clips(theirs)[rows])
    if pairs:
        _, row, place = closest[0]
        more = f" and {pairs - 1} more such pairs" if pairs > 1 else ""
        raise UserError(
            f"{refusal}: {theirs.keys[rows[place]]} shows what {ours.keys[row]} shows{more}; "
            "leave out what they share"
        )


def people_of(store: Store, rows: Any = slice(None)) -> npt.NDArray[np.str_]:
    """Identity groups of these rows, each named with its data set."""
    pairs = zip(store.keys[rows].tolist(), store.groups[rows].tolist(), strict=True)
    return np.array([person(key, group) for key, group in pairs])


def person(key: str, group: str) -> str:
    """An identity group with the data set it is of: two sets may call two people alike."""
    begin = f"{key.partition('/')[0]}: "
    return group if group.startswith(begin) else begin + group


def check_sides(store: Store) -> None:
    """See that a store's own splits are apart.

    Raises:
        UserError: a group, a file or a picture is in two of them.
    """
    # Two data sets may call two videos alike.
    found = [leak for leak in find_leaks(store) if leak.kind != NAME]
    if found:
        places = " and ".join(f"{clip.key} in {clip.split}" for clip in found[0].examples[0].clips)
        raise UserError(
            f"{store.path} would leak: {found[0].kind} on two sides, such as {places}; correct "
            "the lists or leave one out"
        )
