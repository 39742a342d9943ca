"""Nobody is in two splits, and every split has reals and fakes."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.datasets import Video
from data_prep.errors import UserError
from data_prep.splits import assign, identity_groups, policy
from data_prep.store import FAKE, REAL, SPLITS


def _video(name: str, label: int, people: Sequence[str], split: str | None = None) -> Video:
    method = "fake" if label else "real"
    key = f"d/{method}/unknown/{name}"
    return Video(key, Path(name), label, method, "unknown", tuple(people), split)


def _real(person: str, split: str | None = None) -> Video:
    return _video(person, REAL, [person], split)


def _fake(target: str, donor: str, split: str | None = None) -> Video:
    return _video(f"{target}_{donor}", FAKE, [target, donor], split)


def _labels(videos: Sequence[Video], splits: dict[str, str]) -> dict[str, set[int]]:
    found = collections.defaultdict(set)
    for video in videos:
        found[splits[video.key]].add(video.label)
    return found


def test_a_source_and_every_fake_of_it_are_one_group() -> None:
    videos = [_real("a"), _real("b"), _real("c"), _fake("a", "b"), _fake("x", "c"), _fake("x", "b")]
    groups = identity_groups(videos)
    assert set(groups.values()) == {"a"}


def test_strangers_are_different_groups() -> None:
    groups = identity_groups([_real("a"), _real("b"), _fake("c", "d")])
    assert sorted(groups.values()) == ["a", "b", "c"]


@given(
    pairs=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=25),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_no_group_is_in_two_splits_and_every_split_has_both_labels(
    pairs: list[tuple[int, int]], seed: int
) -> None:
    people = {person for pair in pairs for person in pair}
    videos = [_real(str(person)) for person in sorted(people)]
    videos += [_fake(str(a), str(b)) for a, b in dict.fromkeys(pairs)]
    if len(set(identity_groups(videos).values())) < 3:
        with pytest.raises(UserError, match="too few people"):
            assign(videos, seed)
        return
    groups, splits = assign(videos, seed)
    assert splits.keys() == groups.keys() == {video.key for video in videos}
    seen = {(groups[key], split) for key, split in splits.items()}
    assert len(seen) == len(set(groups.values()))
    assert all(_labels(videos, splits)[split] == {REAL, FAKE} for split in SPLITS)


def test_the_fractions_are_met_where_groups_allow() -> None:
    videos = [_real(f"{n:03}") for n in range(100)]
    videos += [_fake(f"{n:03}", f"{n + 1:03}") for n in range(0, 100, 2)]
    _, splits = assign(videos, 0)
    counts = collections.Counter(splits.values())
    assert abs(counts["train"] - 105) <= 3
    assert abs(counts["val"] - 22.5) <= 3


def test_reals_and_fakes_of_unrelated_people_are_stratified() -> None:
    videos = [_real(f"r{n}") for n in range(5)]
    videos += [_video(f"f{n}", FAKE, [f"f{n}"]) for n in range(5)]
    _, splits = assign(videos, 3)
    assert all(_labels(videos, splits)[split] == {REAL, FAKE} for split in SPLITS)


@pytest.mark.parametrize("related", [1, 2])
def test_few_related_people_are_helped_out_by_unrelated_ones(related: int) -> None:
    videos = [video for n in range(related) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]
    videos += [_real(f"r{n}") for n in range(3 - related)]
    videos += [_video(f"f{n}", FAKE, [f"f{n}"]) for n in range(3 - related)]
    _, splits = assign(videos, 0)
    assert all(_labels(videos, splits)[split] == {REAL, FAKE} for split in SPLITS)


def test_the_seed_decides_and_repeats() -> None:
    videos = [video for n in range(20) for video in (_real(str(n)), _fake(str(n), f"d{n}"))]
    assert assign(videos, 1) == assign(list(reversed(videos)), 1)
    assert assign(videos, 1) != assign(videos, 2)


def test_too_few_people_say_how_many_there_are() -> None:
    videos = [_real("a"), _fake("a", "b"), _real("c"), _fake("c", "d")]
    with pytest.raises(UserError, match="at least 3 identity groups with both, found 2 with both"):
        assign(videos, 0)


def test_official_splits_hold_and_videos_they_do_not_mention_follow_their_group() -> None:
    videos = [_real("a", "test"), _fake("a", "b"), _real("b"), _real("z")]
    assert policy(videos) == "official"
    _, splits = assign(videos, 0)
    assert splits == {video.key: "test" for video in videos[:3]}


def test_official_splits_that_part_a_group_are_refused() -> None:
    videos = [_real("a", "train"), _real("b", "test"), _fake("a", "b")]
    with pytest.raises(UserError, match="one identity group into two splits: d/real/unknown/a is"):
        assign(videos, 0)


def test_only_usable_videos_are_split_but_all_make_groups() -> None:
    videos = [_fake("a", "b"), _real("a"), _real("b")]
    videos += [video for n in range(3) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]
    usable = {video.key for video in videos[1:]}
    groups, splits = assign(videos, 0, usable=usable)
    assert splits.keys() == usable
    assert groups[videos[1].key] == groups[videos[2].key]
    assert splits[videos[1].key] == splits[videos[2].key]


def test_fractions_must_sum_to_one() -> None:
    with pytest.raises(UserError, match="sum to 1"):
        assign([_real("a")], 0, (0.5, 0.2, 0.2))
