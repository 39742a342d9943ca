from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.accuracy import people
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store

MakeClip = Callable[..., Clip]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Write clips and open the store: ``open_store(*clips)``."""
    opened: list[Store] = []

    def write(*clips: Clip) -> Store:
        path = tmp_path / f"{len(opened)}.h5"
        write_store(path, clips, [], {"clip": {}})
        opened.append(Store(path))
        return opened[-1]

    yield write
    for store in opened:
        store.close()


def make_forged(make_clip: MakeClip, group: str, split: str, *methods: str) -> list[Clip]:
    """Return a real clip and a fake of each method."""
    real = make_clip(group, split=split)
    fakes = [make_clip(group, method, split=split, crop_source=real.key) for method in methods]
    return [real, *fakes]


def groups_in(clips: list[Clip], split: str) -> set[str]:
    return {clip.group for clip in clips if clip.split == split}


@pytest.fixture
def clips(make_clip: MakeClip) -> list[Clip]:
    return [
        *make_forged(make_clip, "anna", "train", "swap", "paint"),
        *make_forged(make_clip, "ben", "train", "swap"),
        *make_forged(make_clip, "carl", "train", "swap"),
        *make_forged(make_clip, "dora", "val", "swap", "paint"),
        *make_forged(make_clip, "emil", "test", "swap"),
        *make_forged(make_clip, "only", "train", "rare"),
    ]


def test_official_test_people_are_tested_if_they_have_the_method(clips: list[Clip]) -> None:
    training, testing = people.split_without_method(clips, "swap")
    assert {(clip.group, clip.method) for clip in testing} == {("emil", "real"), ("emil", "swap")}
    assert "swap" not in {clip.method for clip in training}
    assert groups_in(training, "val") == {"dora"}


def test_validation_people_are_tested_if_test_people_lack_the_method(clips: list[Clip]) -> None:
    training, testing = people.split_without_method(clips, "paint")
    assert {(clip.group, clip.method) for clip in testing} == {("dora", "real"), ("dora", "paint")}
    assert {clip.split for clip in testing} == {"test"}
    assert not {clip.group for clip in training} & {"dora", "emil"}
    assert "paint" not in {clip.method for clip in training}
    # Training people without the method replace them.
    assert len(groups_in(training, "val")) == 1
    assert groups_in(training, "val") < {"ben", "carl", "only"}
    assert groups_in(training, "val").isdisjoint(groups_in(training, "train"))


def test_reals_of_a_quality_the_method_lacks_are_not_tested(
    clips: list[Clip], make_clip: MakeClip
) -> None:
    other = make_clip("emil", "real", key="set/real/c40/emil", quality="c40", split="test")
    _, testing = people.split_without_method([*clips, other], "swap")
    assert {clip.quality for clip in testing} == {"c23"}


def test_a_method_of_training_people_alone_cannot_be_held_out(clips: list[Clip]) -> None:
    with pytest.raises(UserError, match="only training people have fakes of rare"):
        people.split_without_method(clips, "rare")


def test_every_person_is_tested_in_one_fold_and_in_one_split_of_each(make_clip: MakeClip) -> None:
    many = ["anna", "dora"]
    clips = [
        clip
        for name in ("anna", "ben", "carl", "dora", "emil", "fay", "gus", "hal")
        for clip in make_forged(
            make_clip, name, "train", *(["a", "b", "c"] if name in many else ["a"])
        )
    ]
    tested: list[str] = []
    for fold in range(people.FOLDS):
        training, testing = people.split_without_fold(clips, fold)
        sides = [
            groups_in(training, "train"),
            groups_in(training, "val"),
            groups_in(testing, "test"),
        ]
        assert sum(map(len, sides)) == 8
        assert set.union(*sides) == {clip.group for clip in clips}
        assert len(training) + len(testing) == len(clips)
        assert all(sides)
        # Groups of many clips are in every training set.
        assert sides[0] & set(many)
        tested += sides[2]
    assert sorted(tested) == sorted({clip.group for clip in clips})


def test_stores_of_other_people_do_not_overlap(
    make_clip: MakeClip, open_store: Callable[..., Store]
) -> None:
    ours = open_store(*make_forged(make_clip, "anna", "train", "swap"))
    theirs = open_store(*make_forged(make_clip, "ben", "test", "swap"))
    people.check_no_overlap(ours, theirs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"group": "anna"}, "both contain the identity group set: anna"),
        ({"sha256": "5" * 64}, "both contain the file 5555"),
    ],
)
def test_a_test_store_that_shares_a_group_or_file_is_refused(
    make_clip: MakeClip, open_store: Callable[..., Store], values: dict[str, str], message: str
) -> None:
    ours = open_store(make_clip("anna", sha256="5" * 64))
    real, fake = make_forged(make_clip, "ben", "test", "swap")
    theirs = open_store(real, dataclasses.replace(fake, **values))
    with pytest.raises(UserError, match=message):
        people.check_no_overlap(ours, theirs)


def test_a_test_store_that_shows_training_pictures_is_refused(
    make_clip: MakeClip, open_store: Callable[..., Store]
) -> None:
    known = make_clip("anna")
    real, fake = make_forged(make_clip, "ben", "test", "swap")
    theirs = open_store(real, dataclasses.replace(fake, frames=known.frames))
    with pytest.raises(UserError, match="shows the same pictures as set/real/c23/anna"):
        people.check_no_overlap(open_store(known), theirs)


def test_clips_that_are_not_tested_may_be_shared(
    make_clip: MakeClip, open_store: Callable[..., Store]
) -> None:
    known = make_clip("anna")
    theirs = open_store(known, *make_forged(make_clip, "ben", "test", "swap"))
    people.check_no_overlap(open_store(known), theirs)


def test_people_of_two_data_sets_may_share_a_name(
    make_clip: MakeClip, open_store: Callable[..., Store]
) -> None:
    real, fake = make_forged(make_clip, "ben", "test", "swap")
    renamed = [
        dataclasses.replace(clip, key=clip.key.replace("set/", "other/"), group="anna")
        for clip in (real, fake)
    ]
    people.check_no_overlap(open_store(make_clip("anna")), open_store(*renamed))


def test_splits_that_share_a_person_are_refused(
    make_clip: MakeClip, open_store: Callable[..., Store]
) -> None:
    people.check_splits(open_store(make_clip("anna"), make_clip("ben", split="val")))
    with pytest.raises(UserError, match="identity group in two splits"):
        people.check_splits(open_store(make_clip("anna"), make_clip("anna", "swap", split="val")))


def test_the_test_split_is_tested_if_it_has_both_labels(
    make_clip: MakeClip, open_store: Callable[..., Store]
) -> None:
    reals_alone = [make_clip("anna", split="test"), *make_forged(make_clip, "ben", "train", "swap")]
    both = [*reals_alone, make_clip("anna", "swap", split="test")]
    assert people.select_test_rows(open_store(*reals_alone))[1] == "all"
    rows, split = people.select_test_rows(open_store(*both))
    assert (rows.tolist(), split) == ([0, 3], "test")
    with pytest.raises(UserError, match="needs real and fake clips"):
        people.select_test_rows(open_store(make_clip("anna")))
