"""Training people and test people of ``bench.accuracy``, and checks that they do not overlap."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.audit.leaks import NAME, find_leaks, hash_clips, near_pairs
from data_prep.errors import UserError
from data_prep.splits.dealing import make_shuffle_key
from data_prep.store.format import FAKE, REAL
from data_prep.store.store import Clip, Store

FOLDS = 4
# Groups next to each other in size are two folds apart.
_FOLD_ORDER = (0, 2, 1, 3)


def split_without_method(clips: Iterable[Clip], method: str) -> tuple[list[Clip], list[Clip]]:
    """Return training clips without a method, and test clips of that method.

    The official test people are tested if they have fakes of the method. Otherwise validation
    people are tested, and an equal number of training groups without the method replaces them.

    Raises:
        UserError: Only training people have fakes of the method.
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
    free = sorted(forged - carriers["train"], key=make_shuffle_key(0))
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


def split_without_fold(clips: Iterable[Clip], fold: int) -> tuple[list[Clip], list[Clip]]:
    """Return training clips (train and val) without a fold, and the test clips of that fold.

    The next fold is for validation, the others are for training; see :func:`assign_folds`.
    """
    clips = list(clips)
    folds = assign_folds(clip.group for clip in clips)
    sides = {fold: "test", (fold + 1) % FOLDS: "val"}
    placed = [
        dataclasses.replace(clip, split=sides.get(folds[clip.group], "train")) for clip in clips
    ]
    return (
        [clip for clip in placed if clip.split != "test"],
        [clip for clip in placed if clip.split == "test"],
    )


def assign_folds(groups: Iterable[str]) -> dict[str, int]:
    """Return the fold of every identity group, given the group of each clip.

    The largest groups are assigned first, two folds apart, so every training set contains some.
    """
    sizes = collections.Counter(groups)
    order = make_shuffle_key(0)
    ordered = sorted(sizes, key=lambda group: (-sizes[group], order(group)))
    return {group: _FOLD_ORDER[position % FOLDS] for position, group in enumerate(ordered)}


def select_test_rows(store: Store) -> tuple[npt.NDArray[np.int64], str]:
    """Return the rows of the test split if it has both labels, else all rows; and which it is.

    Raises:
        UserError: A label is missing.
    """
    for rows, split in ((store.rows("test"), "test"), (np.arange(len(store)), "all")):
        if len(np.unique(store.labels[rows])) == 2:
            return rows, split
    raise UserError(f"{store.path} needs real and fake clips to test on; it has one label")


def check_no_overlap(ours: Store, theirs: Store) -> None:
    """Check that the test clips of a store share nothing with a training store.

    Identity groups, files (SHA-256) and near-identical pictures are compared.

    Args:
        ours: Training store.
        theirs: Test store.

    Raises:
        UserError: They share something; the message names it.
    """
    rows, _ = select_test_rows(theirs)
    refusal = f"{theirs.path} is no fair test of {ours.path}"
    shared = {
        "identity group": set(list_groups(ours).tolist()) & set(list_groups(theirs, rows).tolist()),
        "file": set(ours.sha256.tolist()) & set(theirs.sha256[rows].tolist()),
    }
    for what, found in shared.items():
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise UserError(
                f"{refusal}: both contain the {what} {min(found)}{more}; remove shared clips"
            )
    pairs, closest = near_pairs(hash_clips(ours), hash_clips(theirs)[rows])
    if pairs:
        _, row, position = closest[0]
        more = f" and {pairs - 1} more such pairs" if pairs > 1 else ""
        raise UserError(
            f"{refusal}: {theirs.keys[rows[position]]} shows the same pictures as "
            f"{ours.keys[row]}{more}; remove shared clips"
        )


def list_groups(store: Store, rows: Any = slice(None)) -> npt.NDArray[np.str_]:
    """Return the identity groups of these rows, qualified by data set."""
    pairs = zip(store.keys[rows].tolist(), store.groups[rows].tolist(), strict=True)
    return np.array([qualify_group(key, group) for key, group in pairs])


def qualify_group(key: str, group: str) -> str:
    """Return an identity group with its data set, since two data sets may use one name."""
    prefix = f"{key.partition('/')[0]}: "
    return group if group.startswith(prefix) else prefix + group


def check_splits(store: Store) -> None:
    """Check that the splits of a store do not overlap.

    Raises:
        UserError: A group, a file or a picture is in two splits.
    """
    # Two data sets may use the same video name.
    found = [leak for leak in find_leaks(store) if leak.kind != NAME]
    if found:
        places = " and ".join(f"{clip.key} in {clip.split}" for clip in found[0].examples[0].clips)
        raise UserError(
            f"{store.path} would leak: {found[0].kind} in two splits, for example {places}; "
            "correct the split lists or remove one clip"
        )
