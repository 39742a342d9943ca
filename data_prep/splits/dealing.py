"""Identity groups dealt out whole to splits, every method near to its share in each."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence

from data_prep.errors import UserError
from data_prep.layouts.layout import Video
from data_prep.store.format import FAKE, REAL

# Which split a scarce group with both labels goes to: training is the easiest to fill otherwise.
_NEEDIEST_FIRST = ("val", "test", "train")


@dataclasses.dataclass(frozen=True)
class Dealing:
    """Basis of dealing out: the group of every video by key, a seed, and the labels."""

    groups: Mapping[str, str]
    seed: int
    labels: frozenset[int]


def deal(
    videos: Sequence[Video],
    dealing: Dealing,
    shares: Mapping[str, float],
    *,
    needed: Collection[str] | None = None,
) -> dict[str, str]:
    """Assign one of the splits in ``shares`` to every group.

    Args:
        videos: videos of the groups.
        dealing: groups, seed and labels.
        shares: wanted share of each split.
        needed: splits that must get every label; all of ``shares`` if None.

    Raises:
        UserError: there are too few groups for the needed splits.
    """
    wanting = [split for split in shares if needed is None or split in needed]
    groups = dealing.groups
    labels: dict[str, set[int]] = collections.defaultdict(set)
    methods: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for video in videos:
        labels[groups[video.key]].add(video.label)
        methods[groups[video.key]][video.method] += 1
    # A group too large for a small split would otherwise end in one when its turn comes late.
    large = min(shares.values()) / sum(shares.values()) * len(videos)
    order = make_shuffle_key(dealing.seed)

    def turn(group: str) -> tuple[float, bytes]:
        size = methods[group].total()
        return (-size if size > large else 0, order(group))

    whole, reals, fakes = (
        sorted((group for group in labels if labels[group] == kind), key=turn)
        for kind in ({REAL, FAKE}, {REAL}, {FAKE})
    )
    if len(dealing.labels) == 1:
        # Of a set of one kind every group has all the labels there are.
        whole, reals, fakes = reals + fakes, [], []
    if len(whole) + min(len(reals), len(fakes)) < len(wanting):
        if len(dealing.labels) == 1:
            raise UserError(
                f"too few people for {', '.join(wanting)} splits: expected at least {len(wanting)} "
                f"identity groups, found {len(whole)}; add videos of other people, or pass "
                "--split-policy test"
            )
        raise UserError(
            f"too few people for {', '.join(wanting)} splits with real and fake videos each: "
            f"expected at least {len(wanting)} identity groups with both, found {len(whole)} with "
            f"both, {len(reals)} with reals only and {len(fakes)} with fakes only; add videos of "
            "other people, or pass --split-policy test for a store to evaluate on"
        )
    needy_first = [split for split in _NEEDIEST_FIRST if split in wanting]
    covered = needy_first[: len(whole)]
    uncovered = [split for split in wanting if split not in covered]
    dealt: dict[str, str] = {}
    for kind, needy in ((whole, covered), (reals, uncovered), (fakes, uncovered)):
        dealt |= _deal_kind(kind, methods, needy, shares)
    return dealt


def _deal_kind(
    groups: Sequence[str],
    methods: Mapping[str, collections.Counter[str]],
    needy: Collection[str],
    shares: Mapping[str, float],
) -> dict[str, str]:
    """Deal out groups of one kind; every needy split gets at least one.

    Each group goes to the split where it reduces the squared error of the shares most. The error
    compares the actual with the wanted share of every method.
    """
    totals: collections.Counter[str] = collections.Counter()
    for group in groups:
        totals += methods[group]
    whole = sum(shares.values())
    lacking = {split: dict.fromkeys(totals, share / whole) for split, share in shares.items()}
    empty = [split for split in shares if split in needy]
    dealt: dict[str, str] = {}
    for at, group in enumerate(groups):
        choice = empty if len(groups) - at <= len(empty) else list(shares)
        part = {method: count / totals[method] for method, count in methods[group].items()}
        gains = {
            split: sum(share * lacking[split][method] for method, share in part.items())
            for split in choice
        }
        split = max(choice, key=gains.__getitem__)
        for method, share in part.items():
            lacking[split][method] -= share
        if split in empty:
            empty.remove(split)
        dealt[group] = split
    return dealt


def make_shuffle_key(seed: int) -> Callable[[str], bytes]:
    """Return a sort key that shuffles identically on every machine and in every version."""
    return lambda group: hashlib.sha256(f"{seed}/{group}".encode()).digest()
