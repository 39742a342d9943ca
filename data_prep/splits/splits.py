"""Identity groups, and train, validation and test splits made of them."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import networkx as nx

from data_prep.errors import UserError
from data_prep.layouts.layout import Video
from data_prep.splits.dealing import Dealing, deal, make_shuffle_key
from data_prep.store.format import FAKE, REAL, SPLITS
from data_prep.text import enumerate_first

AUTO, OFFICIAL, IDENTITY, TEST = "auto", "official", "identity", "test"
LEAVE_ONE_METHOD_OUT = "leave-one-method-out"
POLICIES = (AUTO, OFFICIAL, IDENTITY, LEAVE_ONE_METHOD_OUT, TEST)

FRACTIONS = (0.7, 0.15, 0.15)


@dataclasses.dataclass(frozen=True)
class SplitRequest:
    """Request of a split of a data set.

    Args:
        policy: ``official``: as in the data set's lists; if they name only the test split, the rest
            is dealt out to train and val; if they name train and test, the listed train is.
            ``identity``: whole identity groups are dealt out. ``leave-one-method-out``: among the
            fakes, only ``held_out`` is in test, and in no other split. ``test``: everything in
            test, for a store that is only evaluated on. ``auto``: official if the lists divide no
            group, else identity.
        seed: seed of the order in which groups are dealt out.
        held_out: the method ``leave-one-method-out`` leaves out.
        allow_overlap: let official lists put one group on several sides.

    Raises:
        UserError: there is no such policy, or ``held_out`` is given without its policy or is
            missing.
    """

    policy: str = AUTO
    seed: int = 0
    held_out: str | None = None
    allow_overlap: bool = False

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UserError(
                f"split policy must be one of {', '.join(POLICIES)}; received {self.policy!r}"
            )
        if (self.held_out is not None) != (self.policy == LEAVE_ONE_METHOD_OUT):
            raise UserError(
                f"--split-policy {LEAVE_ONE_METHOD_OUT} and --held-out METHOD go together; "
                f"received the policy {self.policy} and the method {self.held_out}"
            )
        if self.allow_overlap and self.policy != OFFICIAL:
            raise UserError(
                f"--allow-overlap needs --split-policy {OFFICIAL}; received {self.policy}"
            )


@dataclasses.dataclass(frozen=True)
class Assignment:
    """Identity groups and splits of a data set's videos.

    Attributes:
        policy: the one applied; never ``auto``.
        seed: used seed, None if nothing was dealt out.
        groups: identity group of every video, by key.
        splits: split of every usable video that has one, by key.
        left_out: why a usable video has no split, by key.
        overlap: groups with videos in more than one split, in alphabetical order.
        note: why ``auto`` did not take the official lists, or their gaps; empty where
            they were taken as they are or there are none.
    """

    policy: str
    seed: int | None
    groups: Mapping[str, str]
    splits: Mapping[str, str]
    left_out: Mapping[str, str]
    overlap: tuple[str, ...] = ()
    note: str = ""


@dataclasses.dataclass(frozen=True)
class _Sides:
    """A split by video key, the reasons of those without one, and whether the seed mattered."""

    splits: dict[str, str]
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    dealt: bool = True


def identity_groups(
    videos: Sequence[Video], same: Collection[tuple[str, str]] = ()
) -> dict[str, str]:
    """Return the identity group of every video, by key.

    Two videos share a group if a chain of shared identities connects them. This always holds for a
    source video and its fakes, being target or donor. A group is named after its first identity in
    alphabetical order.

    Args:
        videos: videos of unique keys.
        same: keys of two videos each that belong to one group, such as copies of one file.
    """
    graph = nx.Graph()
    for video in videos:
        nx.add_path(graph, video.identities)
    first = {video.key: video.identities[0] for video in videos}
    graph.add_edges_from((first[key], first[other]) for key, other in same)
    names = {
        identity: min(component)
        for component in nx.connected_components(graph)
        for identity in component
    }
    return {video.key: names[video.identities[0]] for video in videos}


def assign(
    videos: Sequence[Video],
    request: SplitRequest | None = None,
    fractions: tuple[float, float, float] = FRACTIONS,
    *,
    usable: Collection[str] | None = None,
    same: Collection[tuple[str, str]] = (),
) -> Assignment:
    """Assign an identity group and a split to every video.

    No group is in two splits unless allowed. Whole groups are dealt out so that the share of every
    method is close to the fractions and every split has reals and fakes. Groups with both labels,
    with reals only and with fakes only are dealt out separately, so reals and fakes of unrelated
    people work too. All videos, not only the usable ones, decide the policy of ``auto`` and the
    test groups of a held-out method.

    Args:
        videos: all videos of the data set; they make the groups.
        request: requested split; ``auto`` with seed 0 if None.
        fractions: wanted shares of clips in train, val and test; they sum to 1.
        usable: keys of the videos to split, all if None.
        same: keys of two videos each that belong to one group, such as copies of one file.

    Raises:
        UserError: the official lists put one group on two sides without permission, there are none,
            the held-out method is unknown, or there are too few groups for splits with both labels.
    """
    request = request or SplitRequest()
    if min(fractions) <= 0 or not math.isclose(sum(fractions), 1):
        raise UserError(f"split fractions must be above 0 and sum to 1, received {fractions}")
    groups = identity_groups(videos, same)
    policy, note = _resolve(videos, groups, request)
    wanted = [video for video in videos if usable is None or video.key in usable]
    dealing = Dealing(groups, request.seed, frozenset(video.label for video in videos))
    shares = dict(zip(SPLITS, fractions, strict=True))
    if policy == TEST:
        sides = _Sides({video.key: "test" for video in wanted}, dealt=False)
    elif policy == OFFICIAL:
        sides = _official(videos, wanted, dealing, shares)
    elif policy == LEAVE_ONE_METHOD_OUT:
        # Of all videos: dealt out anew, one left out before could be on its right side now.
        sides = _kept(_hold_out(videos, dealing, request.held_out, shares), wanted)
    else:
        of_group = deal(wanted, dealing, shares)
        sides = _Sides({video.key: of_group[groups[video.key]] for video in wanted})
    return Assignment(
        policy=policy,
        seed=request.seed if sides.dealt else None,
        groups=groups,
        splits=sides.splits,
        left_out=sides.left_out,
        overlap=find_divided(sides.splits, groups),
        note=note,
    )


def _resolve(
    videos: Sequence[Video], groups: Mapping[str, str], request: SplitRequest
) -> tuple[str, str]:
    """Return the policy to apply, and the reason if official lists are not fully followed."""
    if request.policy not in (AUTO, OFFICIAL):
        return request.policy, ""
    if not any(video.split for video in videos):
        if request.policy == AUTO:
            return IDENTITY, ""
        raise UserError(
            f"the split policy {OFFICIAL} needs official splits, and none were found; add the "
            f"data set's split lists or pass --split-policy {IDENTITY}"
        )
    leak = _leak(videos, groups)
    if not leak or request.allow_overlap:
        return OFFICIAL, _NO_VAL if _listed(videos) == _TWO_WAY else ""
    if request.policy == AUTO:
        return IDENTITY, f"the official lists are not used: {leak}"
    raise UserError(
        f"{leak}; pass --split-policy {IDENTITY}, or --allow-overlap to keep the lists "
        "and test detectors on people they were trained on"
    )


# Official lists.


_TWO_WAY = {"train", "test"}
_NO_VAL = "the official lists have no val split: val is taken from people of their train split"


def _listed(videos: Iterable[Video]) -> set[str]:
    return {video.split for video in videos if video.split}


def _leak(videos: Sequence[Video], groups: Mapping[str, str]) -> str:
    """Describe the groups that official lists put on two sides; empty if none."""
    # If the lists name only the test split, all other videos are for training.
    unnamed = "train or val" if _listed(videos) == {"test"} else None
    sides = {video.key: video.split or unnamed for video in videos}
    divided = find_divided({key: side for key, side in sides.items() if side}, groups)
    if not divided:
        return ""
    first, other = _example(videos, groups, sides, divided[0])
    return (
        f"the official splits divide {len(divided)} identity "
        f"{'group' if len(divided) == 1 else 'groups'}: {first.key} is in {sides[first.key]}, "
        f"{other.key} in {sides[other.key]}, and they share people, directly or through "
        "fakes"
    )


def _example(
    videos: Sequence[Video],
    groups: Mapping[str, str],
    sides: Mapping[str, str | None],
    group: str,
) -> tuple[Video, Video]:
    members = [video for video in videos if groups[video.key] == group and sides[video.key]]
    first = members[0]
    return first, next(video for video in members if sides[video.key] != sides[first.key])


def find_divided(splits: Mapping[str, str], groups: Mapping[str, str]) -> tuple[str, ...]:
    """Return the groups with videos in more than one split, in alphabetical order."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for key, split in splits.items():
        found[groups[key]].add(split)
    return tuple(sorted(group for group, where in found.items() if len(where) > 1))


def _official(
    videos: Sequence[Video],
    wanted: Sequence[Video],
    dealing: Dealing,
    shares: Mapping[str, float],
) -> _Sides:
    groups = dealing.groups
    splits = {video.key: video.split for video in wanted if video.split}
    rest = [video for video in wanted if not video.split]
    if _listed(videos) == {"test"}:
        if not rest:
            return _Sides(splits, dealt=False)
        return _Sides(splits | _train_and_val(rest, dealing, shares))
    named: dict[str, set[str]] = collections.defaultdict(set)
    for video in videos:
        if video.split:
            named[groups[video.key]].add(video.split)
    left_out = {}
    for video in rest:
        sides = named[groups[video.key]]
        if len(sides) == 1:
            splits[video.key] = next(iter(sides))
        else:
            left_out[video.key] = (
                f"not in an official split, and its people are in {' and '.join(sorted(sides))}"
                if sides
                else "not in an official split, and neither are its people"
            )
    if _listed(videos) == _TWO_WAY:
        training = [video for video in wanted if splits.get(video.key) == "train"]
        return _Sides(splits | _train_and_val(training, dealing, shares), left_out)
    return _Sides(splits, left_out, dealt=False)


def _train_and_val(
    videos: Sequence[Video], dealing: Dealing, shares: Mapping[str, float]
) -> dict[str, str]:
    """Train or val for every video, by key."""
    remaining = {split: shares[split] for split in SPLITS if split != "test"}
    of_group = deal(videos, dealing, remaining)
    return {video.key: of_group[dealing.groups[video.key]] for video in videos}


# One method held out.


def _kept(sides: _Sides, wanted: Sequence[Video]) -> _Sides:
    keys = {video.key for video in wanted}
    return _Sides(
        {key: split for key, split in sides.splits.items() if key in keys},
        {key: reason for key, reason in sides.left_out.items() if key in keys},
    )


def _hold_out(
    videos: Sequence[Video],
    dealing: Dealing,
    held_out: str | None,
    shares: Mapping[str, float],
) -> _Sides:
    """Put the held-out fakes and reals in test; reals and the other fakes in train and val.

    Every held-out clip is tested if at least half of the clips belong to groups without that
    method. In FaceForensics++, everyone is in every method: groups are then split first, and a clip
    on the wrong side of its group is left out.
    """
    known = sorted({video.method for video in videos if video.label == FAKE})
    if held_out not in known:
        raise UserError(
            f"held-out method {held_out} is not in the data set; its methods: "
            f"{enumerate_first(known, 50)}"
        )
    if len(known) == 1:
        raise UserError(
            f"{held_out} is the only method: with it held out there is no fake left to train on; "
            "add videos of another method"
        )
    of_group = _sides_of_groups(videos, dealing, held_out, shares)
    splits, left_out = {}, {}
    for video in videos:
        side = of_group.get(dealing.groups[video.key])
        if side is None:
            left_out[video.key] = "not in an official split, and neither are its people"
        elif video.label == FAKE and (video.method == held_out) != (side == "test"):
            where = "not held out, and its people are in test"
            if side != "test":
                where = f"held out, and its people are in {side}"
            left_out[video.key] = f"the method {video.method} is {where}"
        else:
            splits[video.key] = side
    return _Sides(splits, left_out)


def _sides_of_groups(
    videos: Sequence[Video],
    dealing: Dealing,
    held_out: str | None,
    shares: Mapping[str, float],
) -> dict[str, str]:
    groups = dealing.groups
    holding = {groups[v.key] for v in videos if v.label == FAKE and v.method == held_out}
    others = [video for video in videos if groups[video.key] not in holding]
    if 2 * len(others) >= len(videos):
        return _test_all_held_out(videos, others, dealing, shares)
    if {video.split for video in videos} >= set(SPLITS) and not _leak(videos, groups):
        sides = _official(videos, videos, dealing, shares).splits
        return {groups[key]: split for key, split in sides.items()}
    return deal(videos, dealing, shares)


def _test_all_held_out(
    videos: Sequence[Video],
    others: Sequence[Video],
    dealing: Dealing,
    shares: Mapping[str, float],
) -> dict[str, str]:
    """Put every group with the held-out method in test, and some reals if they have none."""
    groups = dealing.groups
    training = {video.key for video in others}
    sides = {groups[video.key]: "test" for video in videos if video.key not in training}
    reals = sum(video.label == REAL for video in videos if video.key not in training)
    fakes = len(videos) - len(others) - reals
    with_fakes = {groups[video.key] for video in others if video.label == FAKE}
    alone = collections.Counter(
        groups[video.key] for video in others if groups[video.key] not in with_fakes
    )
    # A balanced test set, but never more than its share of the reals that belong to no fake.
    lacking = min(fakes - reals, math.ceil(shares["test"] * alone.total()))
    for group in sorted(alone, key=make_shuffle_key(dealing.seed)):
        if lacking <= 0:
            break
        sides[group] = "test"
        lacking -= alone[group]
    rest = [video for video in others if groups[video.key] not in sides]
    remaining = {split: shares[split] for split in SPLITS if split != "test"}
    return sides | deal(rest, dealing, remaining)
