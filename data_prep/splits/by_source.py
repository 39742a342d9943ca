"""Splits of several sources at once: no person is in two, whatever source the clips come from."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Mapping, Sequence

from data_prep.errors import UserError
from data_prep.layouts.layout import Video
from data_prep.splits.dealing import Dealing, deal
from data_prep.splits.splits import (
    AUTO,
    FRACTIONS,
    IDENTITY,
    OFFICIAL,
    Assignment,
    SplitRequest,
    assign,
    find_divided,
    identity_groups,
)
from data_prep.store.format import LABELLED, REAL, REAL_ONLY, SPLITS

SOURCES = "sources"
"""Policy of a store whose sources each have their own."""


@dataclasses.dataclass(frozen=True)
class _Pin:
    """The split of a group.

    Attributes:
        split: The split.
        video: The video that decided it.
        divided: Another video of the group that an existing store has in another split, or None.
    """

    split: str
    video: Video
    divided: Video | None = None

    @property
    def reason(self) -> str:
        """Reason to leave out a video that would be in another split than its people."""
        where = f"its people are in {self.split} with {self.video.key}"
        if self.divided:
            where += f" and in {self.divided.kept} with {self.divided.key}"
        return where


def assign_sources(
    videos: Sequence[Video],
    policies: Mapping[str, str],
    request: SplitRequest,
    fractions: tuple[float, float, float] = FRACTIONS,
    *,
    usable: Collection[str] | None = None,
    same: Collection[tuple[str, str]] = (),
) -> Assignment:
    """Give every video of several sources an identity group and a split.

    In this order, a group gets the split of its clips in an existing store, of its people that the
    user named, of the source as a whole, and of the official lists. The other groups are dealt
    out together, so that every method is near to its share in each split. Real-only groups are
    dealt out to train and val.

    Args:
        videos: Videos of all sources; those with ``kept`` are clips of an existing store.
        policies: Split of each source by its name: ``auto``, ``official``, ``identity``, ``train``,
            ``val`` or ``test``.
        request: Policy and seed. A policy other than ``auto`` and ``identity`` is applied to all
            labelled videos as if they were one source.
        fractions: Wanted shares of train, val and test; they sum to 1.
        usable: Keys of the videos to split, all if None.
        same: Keys of two videos each that belong to one group, such as copies of one file.

    Raises:
        UserError: Two sources put one person in different splits, a policy cannot be applied, or
            a split lacks a label.
    """
    groups = identity_groups(videos, same)
    wanted = [video for video in videos if usable is None or video.key in usable]
    labelled = [video for video in videos if video.role == LABELLED]
    splits: dict[str, str] = {}
    left_out: dict[str, str] = {}
    if request.policy in (AUTO, IDENTITY):
        alone = _assign_alone(labelled, policies, request, fractions, usable, same)
        splits, left_out = dict(alone.splits), dict(alone.left_out)
        policy = SOURCES
    else:
        whole = assign(labelled, request, fractions, usable=usable, same=same)
        splits, left_out, policy = dict(whole.splits), dict(whole.left_out), whole.policy
    pins = _pin(videos, groups, splits, allow_overlap=request.allow_overlap)
    for video in wanted:
        pin = pins.get(groups[video.key])
        if video.kept:
            splits[video.key] = video.kept
        elif pin is not None and video.key not in left_out:
            side = splits.setdefault(video.key, pin.split)
            if (side != pin.split or pin.divided) and not request.allow_overlap:
                del splits[video.key]
                left_out[video.key] = pin.reason
    _deal_rest(wanted, groups, pins, splits, left_out, request.seed, fractions)
    for video in wanted:
        if video.role == REAL_ONLY and not video.kept and splits.get(video.key) == "test":
            del splits[video.key]
            left_out[video.key] = "real-only, and its people are in test"
    return Assignment(
        policy=policy,
        seed=request.seed,
        groups=groups,
        splits=splits,
        left_out=left_out,
        overlap=find_divided(splits, groups),
    )


def _assign_alone(
    labelled: Sequence[Video],
    policies: Mapping[str, str],
    request: SplitRequest,
    fractions: tuple[float, float, float],
    usable: Collection[str] | None,
    same: Collection[tuple[str, str]],
) -> Assignment:
    """Assign the sources that follow official lists, each alone."""
    splits: dict[str, str] = {}
    left_out: dict[str, str] = {}
    by_source: dict[str, list[Video]] = collections.defaultdict(list)
    for video in labelled:
        if video.kept is None:
            by_source[video.source].append(video)
    for source, ours in by_source.items():
        policy = policies.get(source, AUTO)
        if policy in SPLITS or policy == IDENTITY or not any(video.split for video in ours):
            if policy == OFFICIAL:
                raise UserError(
                    f"the source {source} has no official splits; give it the split {IDENTITY}"
                )
            continue
        asked = SplitRequest(policy, request.seed, allow_overlap=request.allow_overlap)
        try:
            alone = assign(ours, asked, fractions, usable=usable, same=_within(same, ours))
        except UserError as error:
            raise UserError(f"source {source}: {error}") from None
        if alone.policy == OFFICIAL:
            splits |= alone.splits
            left_out |= alone.left_out
    for video in labelled:
        if (policy := policies.get(video.source, AUTO)) in SPLITS:
            splits[video.key] = policy
    return Assignment(SOURCES, request.seed, {}, splits, left_out)


def _within(same: Collection[tuple[str, str]], videos: Sequence[Video]) -> list[tuple[str, str]]:
    keys = {video.key for video in videos}
    return [pair for pair in same if keys.issuperset(pair)]


def _pin(
    videos: Sequence[Video],
    groups: Mapping[str, str],
    splits: Mapping[str, str],
    *,
    allow_overlap: bool,
) -> dict[str, _Pin]:
    """Return the split of every group that has one.

    Raises:
        UserError: Two sources, or two people that the user named, contradict each other.
    """
    pins: dict[str, _Pin] = {}
    for video in videos:
        if video.kept:
            first = pins.setdefault(groups[video.key], _Pin(video.kept, video))
            if first.split != video.kept and not first.divided:
                pins[groups[video.key]] = dataclasses.replace(first, divided=video)
    # The user decides before the lists.
    by_user = [(video, video.pinned) for video in videos if video.pinned]
    by_lists = [(video, splits[video.key]) for video in videos if video.key in splits]
    for decided in (by_user, by_lists):
        ours: dict[str, _Pin] = {}
        for video, split in decided:
            first = ours.setdefault(groups[video.key], _Pin(split, video))
            if first.split != split and groups[video.key] not in pins and not allow_overlap:
                raise UserError(
                    f"{first.video.key} is in {first.split} and {video.key} in {split}, and they "
                    "show the same person or people joined by fakes; give the source "
                    f"{video.source} the split {IDENTITY}, or name the split of its people"
                )
        pins = ours | pins
    return pins


def _deal_rest(
    wanted: Sequence[Video],
    groups: Mapping[str, str],
    pins: Mapping[str, _Pin],
    splits: dict[str, str],
    left_out: Mapping[str, str],
    seed: int,
    fractions: tuple[float, float, float],
) -> None:
    """Deal out the groups that no list decides: first those with labelled clips."""
    free = [video for video in wanted if groups[video.key] not in pins]
    free = [video for video in free if video.key not in left_out]
    shares = dict(zip(SPLITS, fractions, strict=True))
    labelled = [video for video in free if video.role == LABELLED]
    dealt: dict[str, str] = {}
    if labelled:
        filled: dict[str, set[int]] = collections.defaultdict(set)
        for video in wanted:
            if video.key in splits and video.role == LABELLED:
                filled[splits[video.key]].add(video.label)
        labels = frozenset(video.label for video in labelled)
        needed = [split for split in SPLITS if not filled[split] >= labels]
        dealt = deal(labelled, Dealing(groups, seed, labels), shares, needed=needed)
    rest = [video for video in free if groups[video.key] not in dealt]
    if rest:
        remaining = {split: shares[split] for split in ("train", "val")}
        dealt |= deal(rest, Dealing(groups, seed, frozenset({REAL})), remaining, needed=())
    splits |= {video.key: dealt[groups[video.key]] for video in free}
