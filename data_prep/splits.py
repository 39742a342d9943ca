"""Who may meet whom: identity groups, and train, validation and test splits made of them."""

from __future__ import annotations

import collections
import hashlib
import math
from collections.abc import Callable, Collection, Sequence

import networkx as nx

from data_prep.datasets import Video
from data_prep.errors import UserError
from data_prep.store import FAKE, REAL, SPLITS

OFFICIAL, IDENTITY_DISJOINT = "official", "identity-disjoint"

# Which split a scarce group with both labels goes to: training is the easiest to fill otherwise.
_NEEDIEST_FIRST = ("val", "test", "train")


def policy(videos: Sequence[Video]) -> str:
    """How :func:`assign` splits these videos: ``official`` or ``identity-disjoint``."""
    return OFFICIAL if any(video.split for video in videos) else IDENTITY_DISJOINT


def identity_groups(videos: Sequence[Video]) -> dict[str, str]:
    """The identity group of every video, by key.

    Two videos share a group when a chain of shared identities joins them: a source video and
    every fake that has it as target or donor always do. A group is named after its first
    identity in alphabetical order.
    """
    graph = nx.Graph()
    for video in videos:
        graph.add_nodes_from(video.identities)
        graph.add_edges_from(zip(video.identities, video.identities[1:], strict=False))
    names = {
        identity: min(component)
        for component in nx.connected_components(graph)
        for identity in component
    }
    return {video.key: names[video.identities[0]] for video in videos}


def assign(
    videos: Sequence[Video],
    seed: int,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    *,
    usable: Collection[str] | None = None,
) -> tuple[dict[str, str], dict[str, str]]:
    """Give every video an identity group and a split; no group is in two splits.

    Where the data set has official splits they hold: a video they do not mention follows its
    group, and is left without a split where no video of the group has one. Otherwise whole
    groups are dealt out, each to the split that lacks most clips, so that every split has reals
    and fakes. Groups with both labels, with reals only and with fakes only are dealt out apart,
    so reals and fakes of unrelated people work too. The order depends on the seed and the
    groups' names alone.

    Args:
        videos: all videos of the data set; they make the groups.
        seed: of the order in which groups are dealt out.
        fractions: of clips wanted in train, val and test; they sum to 1.
        usable: keys of the videos to split, all if None.

    Returns:
        Group by key of every video, and split by key of every usable video that has one.

    Raises:
        UserError: an official list puts one group into two splits, or there are too few
            groups for three splits with both labels each.
    """
    if min(fractions) <= 0 or not math.isclose(sum(fractions), 1):
        raise UserError(f"split fractions must be above 0 and sum to 1, received {fractions}")
    groups = identity_groups(videos)
    if policy(videos) == OFFICIAL:
        of_group = _official(videos, groups)
    else:
        wanted = [video for video in videos if usable is None or video.key in usable]
        of_group = _deal(wanted, groups, seed, fractions)
    splits = {
        video.key: of_group[groups[video.key]]
        for video in videos
        if (usable is None or video.key in usable) and groups[video.key] in of_group
    }
    return groups, splits


def _official(videos: Sequence[Video], groups: dict[str, str]) -> dict[str, str]:
    first: dict[str, Video] = {}
    for video in videos:
        if video.split is None:
            continue
        other = first.setdefault(groups[video.key], video)
        if other.split != video.split:
            raise UserError(
                f"the official splits put one identity group into two splits: {other.key} is in "
                f"{other.split}, {video.key} in {video.split}, and people in them are joined by "
                "a fake; remove the split lists to split by identity"
            )
    return {group: video.split for group, video in first.items() if video.split}


def _deal(
    videos: Sequence[Video],
    groups: dict[str, str],
    seed: int,
    fractions: tuple[float, float, float],
) -> dict[str, str]:
    labels: dict[str, set[int]] = collections.defaultdict(set)
    for video in videos:
        labels[groups[video.key]].add(video.label)
    sizes = collections.Counter(groups[video.key] for video in videos)
    mixed, reals, fakes = (
        sorted((group for group in labels if labels[group] == kind), key=_shuffled(seed))
        for kind in ({REAL, FAKE}, {REAL}, {FAKE})
    )
    if len(mixed) + min(len(reals), len(fakes)) < len(SPLITS):
        raise UserError(
            "too few people for three splits with real and fake videos each: expected at least "
            f"3 identity groups with both, found {len(mixed)} with both, {len(reals)} with reals "
            f"only and {len(fakes)} with fakes only; add videos of other people"
        )
    covered = _NEEDIEST_FIRST[: len(mixed)]
    uncovered = [split for split in SPLITS if split not in covered]
    dealt: dict[str, str] = {}
    for kind, needy in ((mixed, covered), (reals, uncovered), (fakes, uncovered)):
        dealt |= _deal_kind(kind, sizes, needy, fractions)
    return dealt


def _deal_kind(
    groups: Sequence[str],
    sizes: dict[str, int],
    needy: Collection[str],
    fractions: tuple[float, float, float],
) -> dict[str, str]:
    """Deal groups of one kind out; every needy split gets at least one."""
    total = sum(sizes[group] for group in groups)
    lacking = {split: part * total for split, part in zip(SPLITS, fractions, strict=True)}
    empty = [split for split in SPLITS if split in needy]
    dealt: dict[str, str] = {}
    for at, group in enumerate(groups):
        choice = empty if len(groups) - at <= len(empty) else SPLITS
        split = max(choice, key=lambda split: lacking[split])
        lacking[split] -= sizes[group]
        if split in empty:
            empty.remove(split)
        dealt[group] = split
    return dealt


def _shuffled(seed: int) -> Callable[[str], bytes]:
    """A sort key that shuffles the same way on every machine and in every version."""
    return lambda group: hashlib.sha256(f"{seed}/{group}".encode()).digest()
