"""People of plain folders: rather one group too few than a person on two sides."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from data_prep.layouts.plain.people import Location, people


def _location(text: str) -> Location:
    """``above|below/name``; what is above the folder of the label may be left out."""
    above, _, below = text.rpartition("|")
    path = PurePosixPath(below)
    return Location(PurePosixPath(above).parts, path.parts[:-1], path.name)


def _reals(*names: str) -> dict[str, str]:
    found, _ = people([_location(name) for name in names], [])
    return {name: person for name, (person,) in zip(names, found, strict=True)}


def _fakes(reals: list[str], *names: str) -> list[tuple[str, ...]]:
    return people([_location(name) for name in reals], [_location(name) for name in names])[1]


@pytest.mark.parametrize(
    "name, person",
    [
        ("M030_front_happy_level3_001", "M030"),
        ("id2_vcd_swwp2s", "id2"),
        ("24__outside_talking", "24"),
        ("1001_DFA_ANG_XX", "1001"),
        ("Ann_Lee_0002", "Ann_Lee"),
        ("aagfhgtpmv (3)", "aagfhgtpmv"),
        ("ann2", "ann"),
        ("Ann_Lee2", "Ann_Lee"),
        ("bbaf2n", "bbaf2n"),
        ("c23_talk", "c23_talk"),
        ("000001", "000001"),
    ],
)
def test_names_tell_people_by_a_code_or_by_what_comes_before_a_number(
    name: str, person: str
) -> None:
    assert _reals(name, "other", "another")[name] == person


def test_a_word_that_most_names_share_is_no_person() -> None:
    names = [f"real_{n:03}" for n in range(10)]
    assert _reals(*names, "ann_1", "ann_2") == {
        **{name: name for name in names},
        "ann_1": "ann",
        "ann_2": "ann",
    }


def test_two_people_of_equally_many_pictures_are_two_groups() -> None:
    for names in (["ann_1", "ann_2", "ben_1", "ben_2"], ["ann1", "ann2", "ben1", "ben2"]):
        assert set(_reals(*names).values()) == {"ann", "ben"}


def test_three_folders_are_people_and_two_are_parts_of_a_collection() -> None:
    folders = ["ann/s1_1", "ann/s2_1", "ben/s1_1", "cleo/deep/er/1"]
    assert list(_reals(*folders).values()) == ["ann", "ann", "ben", "cleo"]
    parts = ["grid/bbaf2n", "mead/M030_a", "mead/M030_b", "grid/id2_x"]
    assert list(_reals(*parts).values()) == ["bbaf2n", "M030", "M030", "id2"]


def test_folders_of_splits_qualities_and_collections_are_passed_over() -> None:
    names = [f"{q}/all/{p}/{n}" for q in ("c23", "c40", "raw") for p in "xyz" for n in (1, 2)]
    assert set(_reals(*names).values()) == {"x", "y", "z"}
    names = [f"{split}/img_{n}" for split in ("train", "val", "test") for n in range(5)]
    assert len(set(_reals(*names).values())) == 5


def test_data_sets_have_people_of_their_own_and_splits_do_not() -> None:
    assert _reals("a|1", "b|1", "train|2", "test|2") == {
        "a|1": "a/1",
        "b|1": "b/1",
        "train|2": "2",
        "test|2": "2",
    }


def test_a_fake_is_made_of_the_people_its_folder_or_name_says() -> None:
    people_by_folder = [f"{name}/{n:04}" for name in ("000", "003", "ann") for n in range(3)]
    assert _fakes(people_by_folder, "000_003/0001", "swap/Ann_2", "swap/0001") == [
        ("000", "003"),
        ("ann",),
        ("0001",),
    ]
    videos = [f"{name}/frame" for name in ("0001", "0002", "0003")]
    assert _fakes(videos, "0002_0003/0001") == [("0002", "0003")]
    assert _fakes(["000", "003_talk"], "Deepfakes/000_003", "Deepfakes/003_talk_x") == [
        ("000", "003"),
        ("003",),
    ]


def test_a_fake_in_the_folder_of_a_person_is_also_of_whom_its_name_tells() -> None:
    reals = [f"{name}/{n:04}" for name in ("ann", "ben", "0001") for n in range(3)]
    assert _fakes(reals, "ann/ben_2", "ann/0001", "ann/frame_0001", "ann_ben/0001_ann") == [
        ("ann", "ben"),
        ("ann",),
        ("ann",),
        ("ann", "ben"),
    ]


def test_frames_of_one_fake_stay_together() -> None:
    frames = [f"{video}_{n}" for video in ("abc", "def", "ghi") for n in range(3)]
    assert _fakes(["real one"], *frames) == [(name[:3],) for name in frames]
    frames = [f"{video}/{n}" for video in ("v8", "v9", "v10") for n in range(3)]
    reals = ["v1/1", "v2/1", "v3/1"]
    assert _fakes(reals, *frames) == [(name.partition("/")[0],) for name in frames]


def test_folders_of_fakes_are_methods_where_reals_lie_flat() -> None:
    fakes = [f"{method}/{n:04}x" for method in ("sd", "mj", "dalle") for n in range(3)]
    assert _fakes(["a", "b", "c"], *fakes) == [(name.partition("/")[2],) for name in fakes]


def test_reals_of_the_same_data_set_come_before_others() -> None:
    assert _fakes(["a|1", "b|1"], "a|1_x", "c|1") == [("a/1",), ("a/1", "b/1")]
