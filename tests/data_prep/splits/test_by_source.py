"""Splits of several sources at once."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.errors import UserError
from data_prep.layouts.layout import Video
from data_prep.splits.by_source import SOURCES, assign_sources
from data_prep.splits.splits import TEST, SplitRequest
from data_prep.store.format import FAKE, LABELLED, REAL, REAL_ONLY

AUTO = SplitRequest()


def _video(
    source: str,
    name: str,
    people: Sequence[str],
    label: int = REAL,
    split: str | None = None,
    role: str = LABELLED,
    pinned: str | None = None,
    kept: str | None = None,
) -> Video:
    method = "swap" if label else "real"
    key = f"{source}/{method}/unknown/{name}"
    return Video(
        key,
        Path(name),
        label,
        method,
        "unknown",
        tuple(people),
        split,
        source=source,
        role=role,
        pinned=pinned,
        kept=kept,
    )


def _pairs(source: str, people: Sequence[str], split: str | None = None) -> list[Video]:
    """A real and a fake of each person."""
    return [
        _video(source, f"{one}-{label}", [one], label, split)
        for one in people
        for label in (REAL, FAKE)
    ]


def _splits(videos: Sequence[Video], assigned: Mapping[str, str]) -> dict[str, set[str]]:
    """Splits of each person."""
    found = collections.defaultdict(set)
    for video in videos:
        for one in video.identities:
            if video.key in assigned:
                found[one].add(assigned[video.key])
    return found


def test_official_lists_of_one_source_hold_beside_a_source_without_lists() -> None:
    listed = [
        *_pairs("ff", ["a", "b", "c"], "train"),
        *_pairs("ff", ["d"], "val"),
        *_pairs("ff", ["e"], "test"),
    ]
    own = _pairs("own", ["p", "q"])
    found = assign_sources([*listed, *own], {}, AUTO)
    assert found.policy == SOURCES
    where = _splits([*listed, *own], found.splits)
    assert where["a"] == {"train"}
    assert where["d"] == {"val"}
    assert where["e"] == {"test"}
    assert all(len(where[one]) == 1 for one in "pq")


def test_a_person_of_two_sources_follows_the_list_that_names_them() -> None:
    videos = [
        *_pairs("ff", ["a"], "train"),
        *_pairs("ff", ["b"], "val"),
        *_pairs("ff", ["c"], "test"),
        *_pairs("own", ["c"]),
    ]
    found = assign_sources(videos, {}, AUTO)
    assert _splits(videos, found.splits)["c"] == {"test"}


def test_two_lists_that_divide_a_person_are_refused_and_one_of_them_can_yield() -> None:
    videos = [
        *_pairs("ff", ["a"], "train"),
        *_pairs("ff", ["b"], "val"),
        *_pairs("ff", ["c"], "test"),
        *_pairs("celeb", ["c"], "train"),
        *_pairs("celeb", ["d"], "val"),
        *_pairs("celeb", ["e"], "test"),
    ]
    with pytest.raises(UserError, match="c-0 is in test and celeb/real/unknown/c-0 in train"):
        assign_sources(videos, {}, AUTO)
    found = assign_sources(videos, {"celeb": "identity"}, AUTO)
    assert _splits(videos, found.splits)["c"] == {"test"}


def test_a_whole_source_can_be_the_test_split() -> None:
    videos = [*_pairs("ff", "abcdef"), *_pairs("celeb", "uv")]
    found = assign_sources(videos, {"celeb": "test"}, AUTO)
    where = _splits(videos, found.splits)
    assert where["u"] == where["v"] == {"test"}
    assert set().union(*(where[one] for one in "abcdef")) >= {"train", "val"}


def test_the_user_decides_before_the_lists() -> None:
    videos = [
        *_pairs("ff", ["a", "b"], "train"),
        *_pairs("ff", ["c"], "val"),
        *_pairs("ff", ["d"], "test"),
        _video("own", "x", ["b"], pinned="val"),
    ]
    found = assign_sources(videos, {}, AUTO)
    assert found.splits["own/real/unknown/x"] == "val"
    # The videos in the list contradict the user, and are left out with a reason.
    assert "its people are in val with own/real/unknown/x" in found.left_out["ff/real/unknown/b-0"]


def test_real_only_people_are_in_train_and_val_alone() -> None:
    faces = [_video("faces", f"f{n}", [f"f{n}"], role=REAL_ONLY) for n in range(40)]
    videos = [*_pairs("ff", "abcdef"), *faces]
    found = assign_sources(videos, {}, AUTO)
    counted = collections.Counter(found.splits[video.key] for video in faces)
    assert set(counted) == {"train", "val"}
    assert counted["train"] > counted["val"] > 0


def test_a_real_only_clip_of_a_test_person_is_left_out() -> None:
    videos = [*_pairs("ff", ["a"], "train"), *_pairs("ff", ["b"], "val")]
    videos += [*_pairs("ff", ["c"], "test"), _video("faces", "c", ["c"], role=REAL_ONLY)]
    found = assign_sources(videos, {}, AUTO)
    assert "in test" in found.left_out["faces/real/unknown/c"]


def test_clips_of_an_existing_store_keep_their_splits_and_new_clips_follow_them() -> None:
    old = [
        _video("ff", "a-0", ["a"], REAL, kept="train"),
        _video("ff", "a-1", ["a"], FAKE, kept="train"),
        _video("ff", "b-0", ["b"], REAL, kept="test"),
        _video("ff", "b-1", ["b"], FAKE, kept="test"),
    ]
    new = [
        _video("own", "a", ["a"]),
        _video("own", "b_a", ["b", "a"], FAKE),
        *_pairs("own", ["x"]),
    ]
    found = assign_sources([*old, *new], {}, AUTO)
    for video in old:
        assert found.splits[video.key] == video.kept
    # The fake joins a person of train and one of test, so that every further clip of either
    # would be in two splits.
    assert "in train with ff/real/unknown/a-0 and in test" in found.left_out["own/swap/unknown/b_a"]
    assert found.splits["own/real/unknown/x-0"] == "val"


def test_copies_of_one_file_in_two_sources_are_one_group() -> None:
    videos = [*_pairs("ff", "abcdef"), *_pairs("own", "uvwxyz")]
    same = [("ff/real/unknown/a-0", "own/real/unknown/u-0")]
    found = assign_sources(videos, {}, AUTO, same=same)
    assert found.groups["ff/real/unknown/a-0"] == found.groups["own/swap/unknown/u-1"]
    assert found.splits["ff/real/unknown/a-0"] == found.splits["own/real/unknown/u-0"]


def test_a_policy_for_all_applies_to_labelled_clips() -> None:
    videos = _pairs("ff", "ab") + _pairs("own", "u")
    found = assign_sources(videos, {}, SplitRequest(TEST))
    assert set(found.splits.values()) == {"test"}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ff", "celeb", "own"]),
            st.integers(0, 20),
            st.integers(0, 20),
            st.sampled_from([None, "train", "val", "test"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_no_person_is_in_two_splits(
    rows: list[tuple[str, int, int, str | None]],
) -> None:
    videos = [
        _video(source, f"{n}", [str(a), str(b)], FAKE if a != b else REAL, kept=kept)
        for n, (source, a, b, kept) in enumerate(rows)
    ]
    new = [video for video in videos if not video.kept]
    try:
        found = assign_sources(videos, {}, AUTO)
    except UserError:
        return
    old = {one for video in videos if video.kept for one in video.identities}
    where = _splits(videos, found.splits)
    assert all(
        len(where[one]) == 1
        for video in new
        for one in video.identities
        if one not in old and where[one]
    )
    assert {video.key for video in videos} == set(found.splits) | set(found.left_out)
