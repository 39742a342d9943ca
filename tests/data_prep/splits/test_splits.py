"""Nobody is in two splits, and every split has reals and fakes."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.datasets import Video
from data_prep.errors import UserError
from data_prep.splits.splits import SplitRequest, assign, identity_groups
from data_prep.store.store import FAKE, REAL, SPLITS


def _video(name: str, label: int, people: Sequence[str], split: str | None = None) -> Video:
    method = "fake" if label else "real"
    key = f"d/{method}/unknown/{name}"
    return Video(key, Path(name), label, method, "unknown", tuple(people), split)


def _real(person: str, split: str | None = None) -> Video:
    return _video(person, REAL, [person], split)


def _fake(target: str, donor: str, split: str | None = None) -> Video:
    return _video(f"{target}_{donor}", FAKE, [target, donor], split)


def _labels(videos: Sequence[Video], splits: Mapping[str, str]) -> dict[str, set[int]]:
    found = collections.defaultdict(set)
    for video in videos:
        if video.key in splits:
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
            assign(videos, SplitRequest(seed=seed))
        return
    made = assign(videos, SplitRequest(seed=seed))
    groups, splits = made.groups, made.splits
    assert made.overlap == ()
    assert splits.keys() == groups.keys() == {video.key for video in videos}
    seen = {(groups[key], split) for key, split in splits.items()}
    assert len(seen) == len(set(groups.values()))
    assert all(_labels(videos, splits)[split] == {REAL, FAKE} for split in SPLITS)


def test_the_fractions_are_met_where_groups_allow() -> None:
    videos = [_real(f"{n:03}") for n in range(100)]
    videos += [_fake(f"{n:03}", f"{n + 1:03}") for n in range(0, 100, 2)]
    splits = assign(videos).splits
    counts = collections.Counter(splits.values())
    assert abs(counts["train"] - 105) <= 3
    assert abs(counts["val"] - 22.5) <= 3


def test_reals_and_fakes_of_unrelated_people_are_stratified() -> None:
    videos = [_real(f"r{n}") for n in range(5)]
    videos += [_video(f"f{n}", FAKE, [f"f{n}"]) for n in range(5)]
    splits = assign(videos, SplitRequest(seed=3)).splits
    assert all(_labels(videos, splits)[split] == {REAL, FAKE} for split in SPLITS)


@pytest.mark.parametrize("related", [1, 2])
def test_few_related_people_are_helped_out_by_unrelated_ones(related: int) -> None:
    videos = [video for n in range(related) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]
    videos += [_real(f"r{n}") for n in range(3 - related)]
    videos += [_video(f"f{n}", FAKE, [f"f{n}"]) for n in range(3 - related)]
    splits = assign(videos).splits
    assert all(_labels(videos, splits)[split] == {REAL, FAKE} for split in SPLITS)


def test_the_seed_decides_and_repeats() -> None:
    videos = [video for n in range(20) for video in (_real(str(n)), _fake(str(n), f"d{n}"))]
    one, two = SplitRequest(seed=1), SplitRequest(seed=2)
    assert assign(videos, one) == assign(list(reversed(videos)), one)
    assert assign(videos, one).splits != assign(videos, two).splits


def test_too_few_people_say_how_many_there_are() -> None:
    videos = [_real("a"), _fake("a", "b"), _real("c"), _fake("c", "d")]
    with pytest.raises(UserError, match="at least 3 identity groups with both, found 2 with both"):
        assign(videos)


def test_official_splits_hold_and_videos_they_do_not_mention_follow_their_group() -> None:
    videos = [_real("a", "train"), _fake("a", "b"), _real("b"), _real("c", "val"), _real("z")]
    made = assign(videos)
    assert (made.policy, made.seed) == ("official", None)
    assert made.splits == {
        **{video.key: "train" for video in videos[:3]},
        videos[3].key: "val",
    }
    assert made.left_out == {videos[4].key: "not in an official split, and neither are its people"}


def _leaking() -> list[Video]:
    """Official lists that put a on two sides, by way of the fake a_b."""
    videos = [_real("a", "train"), _real("b", "test"), _fake("a", "b"), _real("z", "val")]
    return videos + [video for n in range(3) for video in (_real(f"m{n}"), _fake(f"m{n}", "x"))]


def test_official_splits_that_divide_a_group_are_refused() -> None:
    with pytest.raises(UserError) as raised:
        assign(_leaking(), SplitRequest("official"))
    message = str(raised.value)
    assert "divide 1 identity group: d/real/unknown/a is in train, d/real/unknown/b in" in message
    assert "pass split_policy identity, or allow_overlap" in message


def test_official_splits_that_divide_a_group_are_not_taken_unasked_and_it_is_said() -> None:
    videos = [video for n in range(3) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]
    made = assign([*videos, _real("d0", "train"), _real("m0", "test")][1:])
    assert made.policy == "identity"
    assert made.note.startswith("the official lists are not used: the official splits divide 1")
    assert made.overlap == ()


def test_an_overlap_that_is_allowed_is_counted() -> None:
    videos = _leaking()
    made = assign(videos, SplitRequest("official", allow_overlap=True))
    assert (made.policy, made.overlap) == ("official", ("a",))
    assert [made.splits[video.key] for video in videos[:2]] == ["train", "test"]
    assert made.left_out[videos[2].key] == (
        "not in an official split, and its people are in test and train"
    )


def test_the_official_policy_needs_official_splits() -> None:
    with pytest.raises(UserError, match="needs official splits, and none were found"):
        assign([_real("a")], SplitRequest("official"))


def _test_list_alone() -> list[Video]:
    videos = [_real("t", "test"), _fake("t", "u", "test")]
    return videos + [video for n in range(8) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]


@pytest.mark.parametrize("policy", ["auto", "official"])
def test_a_test_list_alone_leaves_the_rest_to_train_and_val(policy: str) -> None:
    videos = _test_list_alone()
    made = assign(videos, SplitRequest(policy, seed=4))
    assert (made.policy, made.seed, made.overlap) == ("official", 4, ())
    assert {key for key, split in made.splits.items() if split == "test"} == {
        videos[0].key,
        videos[1].key,
    }
    labels = _labels(videos, made.splits)
    assert labels["train"] == labels["val"] == {REAL, FAKE}
    assert made.splits.keys() == made.groups.keys()


def test_a_test_list_with_people_of_the_rest_is_refused_unless_allowed() -> None:
    videos = [*_test_list_alone(), _video("more", REAL, ["t"])]
    with pytest.raises(UserError, match="d/real/unknown/t is in test, d/real/unknown/more in tra"):
        assign(videos, SplitRequest("official"))
    assert assign(videos).policy == "identity"
    made = assign(videos, SplitRequest("official", allow_overlap=True))
    assert made.overlap == ("t",)
    assert made.splits[videos[0].key] == "test"
    assert made.splits[videos[-1].key] in {"train", "val"}


def test_a_test_list_of_everything_needs_no_one_else() -> None:
    made = assign([_real("a", "test"), _fake("b", "c", "test")])
    assert (made.policy, set(made.splits.values())) == ("official", {"test"})


def _without_val() -> list[Video]:
    videos = [_real("t", "test"), _fake("t", "u", "test")]
    for n in range(8):
        videos += [_real(f"m{n}", "train"), _fake(f"m{n}", f"d{n}")]
    return videos


@pytest.mark.parametrize("policy", ["auto", "official"])
def test_lists_without_val_have_it_dealt_out_of_their_train_and_it_is_said(policy: str) -> None:
    videos = _without_val()
    made = assign(videos, SplitRequest(policy, seed=4))
    assert (made.policy, made.seed, made.overlap) == ("official", 4, ())
    assert made.note.startswith("the official lists have no val split: val is taken from")
    assert [key for key, split in made.splits.items() if split == "test"] == [
        video.key for video in videos[:2]
    ]
    labels = _labels(videos, made.splits)
    assert labels["train"] == labels["val"] == {REAL, FAKE}
    assert made.splits.keys() == made.groups.keys()


def test_without_val_those_no_list_knows_are_left_out() -> None:
    videos = [*_without_val(), _real("z")]
    made = assign(videos)
    assert made.left_out == {videos[-1].key: "not in an official split, and neither are its people"}
    assert set(made.splits.values()) == set(SPLITS)


def test_everything_can_go_to_test() -> None:
    videos = [_real("a", "train"), _fake("a", "b"), _real("b", "val")]
    made = assign(videos, SplitRequest("test"))
    assert made.splits == {video.key: "test" for video in videos}
    assert (made.policy, made.seed, made.overlap) == ("test", None, ())


def _method(name: str, method: str, people: Sequence[str]) -> Video:
    return Video(f"d/{method}/unknown/{name}", Path(name), FAKE, method, "unknown", tuple(people))


def test_every_method_is_spread_over_the_splits() -> None:
    videos = [_real(f"{n:02}") for n in range(60)]
    videos += [_method(f"{n:02}", "abc"[n % 3], [f"{n:02}"]) for n in range(60)]
    for seed in range(5):
        splits = assign(videos, SplitRequest(seed=seed)).splits
        spread = collections.Counter((v.method, splits[v.key]) for v in videos if v.label == FAKE)
        for method in "abc":
            assert 13 <= spread[method, "train"] <= 15
            assert 2 <= spread[method, "val"] <= 4
            assert 2 <= spread[method, "test"] <= 4


def test_a_group_too_large_for_a_small_split_goes_to_train() -> None:
    videos = [_real(f"s{n}") for n in range(3)] + [_fake(f"s{n}", f"d{n}") for n in range(3)]
    videos += [_video(f"big{n}", n % 2, ["big"]) for n in range(40)]
    for seed in range(5):
        splits = assign(videos, SplitRequest(seed=seed)).splits
        assert splits[videos[-1].key] == "train"


def _everyone_in_both_methods(count: int) -> list[Video]:
    people = [f"{n:02}" for n in range(count)]
    return [
        video
        for person in people
        for video in (_real(person), _method(person, "a", [person]), _method(person, "b", [person]))
    ]


def _assert_held_out(videos: Sequence[Video], method: str, seed: int) -> Mapping[str, str]:
    made = assign(videos, SplitRequest("leave-one-method-out", seed, held_out=method))
    assert made.overlap == ()
    assert made.splits.keys() | made.left_out.keys() == made.groups.keys()
    assert not made.splits.keys() & made.left_out.keys()
    for video in videos:
        side = made.splits.get(video.key)
        if side and video.label == FAKE:
            assert (video.method == method) == (side == "test")
    assert all(_labels(videos, dict(made.splits))[split] == {REAL, FAKE} for split in SPLITS)
    return made.splits


@pytest.mark.parametrize("seed", range(3))
def test_a_held_out_method_is_in_test_alone_where_everyone_is_in_it(seed: int) -> None:
    _assert_held_out(_everyone_in_both_methods(20), "b", seed)


@pytest.mark.parametrize("seed", range(3))
def test_every_clip_of_a_held_out_method_of_few_people_is_tested(seed: int) -> None:
    videos = [video for n in range(12) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]
    videos += [_method(f"h{n}", "b", [f"h{n}"]) for n in range(4)]
    videos += [_real(f"alone{n}") for n in range(30)]
    splits = _assert_held_out(videos, "b", seed)
    assert all(splits[video.key] == "test" for video in videos if video.method == "b")
    assert collections.Counter(splits.values())["test"] == 8


def test_a_held_out_method_follows_complete_official_lists() -> None:
    videos = [
        dataclasses.replace(video, split=SPLITS[at // 3 % 3])
        for at, video in enumerate(_everyone_in_both_methods(9))
    ]
    splits = _assert_held_out(videos, "a", 0)
    official = {video.key: video.split for video in videos}
    assert all(official[key] == split for key, split in splits.items())


def test_what_a_held_out_method_needs_is_said() -> None:
    videos = _everyone_in_both_methods(5)
    with pytest.raises(UserError, match="method c is not in the data set; its methods: a, b"):
        assign(videos, SplitRequest("leave-one-method-out", held_out="c"))
    with pytest.raises(UserError, match="fake is the only method"):
        assign([_real("a"), _fake("a", "b")], SplitRequest("leave-one-method-out", held_out="fake"))


@pytest.mark.parametrize(
    "values, reason",
    [
        ({"policy": "random"}, "must be one of auto, official, identity"),
        ({"policy": "leave-one-method-out"}, "go together"),
        ({"held_out": "a"}, "go together"),
        ({"policy": "identity", "allow_overlap": True}, "needs split_policy official"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(values: dict[str, str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        SplitRequest(**values)  # type: ignore[arg-type]


def test_only_usable_videos_are_split_but_all_make_groups() -> None:
    videos = [_fake("a", "b"), _real("a"), _real("b")]
    videos += [video for n in range(3) for video in (_real(f"m{n}"), _fake(f"m{n}", f"d{n}"))]
    usable = {video.key for video in videos[1:]}
    made = assign(videos, usable=usable)
    groups, splits = made.groups, made.splits
    assert splits.keys() == usable
    assert groups[videos[1].key] == groups[videos[2].key]
    assert splits[videos[1].key] == splits[videos[2].key]


def test_fractions_must_sum_to_one() -> None:
    with pytest.raises(UserError, match="sum to 1"):
        assign([_real("a")], fractions=(0.5, 0.2, 0.2))


@pytest.mark.parametrize("label", [REAL, FAKE])
def test_a_set_of_one_kind_is_dealt_out_by_identity(label: int) -> None:
    videos = [_video(f"{n}_{take}", label, [f"p{n}"]) for n in range(9) for take in range(3)]
    found = assign(videos)
    assert set(found.splits.values()) == set(SPLITS)
    assert found.overlap == ()
    with pytest.raises(UserError, match="at least 3 identity groups, found 2; add videos"):
        assign(videos[:6])
