"""Folders are read as what they are, and nothing in them disappears in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from data_prep.datasets import DataSetIndex, index
from data_prep.errors import UserError
from data_prep.store.store import FAKE, REAL


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _face_forensics(root: Path) -> Path:
    return _touch(
        root,
        "original_sequences/youtube/c23/videos/000.mp4",
        "original_sequences/youtube/c23/videos/003.mp4",
        "original_sequences/youtube/c40/videos/000.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
        "manipulated_sequences/Face2Face/c23/videos/000_003.mp4",
        "manipulated_sequences/Face2Face/c40/videos/000_003.mp4",
    )


def _splits(root: Path, **pairs: list[list[str]]) -> None:
    for split, values in pairs.items():
        (root / f"{split}.json").write_text(json.dumps(values))


def _keys(found: DataSetIndex) -> list[str]:
    return [video.key for video in found.videos]


def test_face_forensics_methods_and_qualities_stay_apart(tmp_path: Path) -> None:
    found = index(_face_forensics(tmp_path))
    assert found.layout == "FaceForensics++"
    assert _keys(found) == [
        "FaceForensics++/Deepfakes/c23/000_003",
        "FaceForensics++/Face2Face/c23/000_003",
        "FaceForensics++/Face2Face/c40/000_003",
        "FaceForensics++/real/c23/000",
        "FaceForensics++/real/c23/003",
        "FaceForensics++/real/c40/000",
    ]
    fake, real = found.videos[0], found.videos[3]
    assert (fake.label, fake.method, fake.quality) == (FAKE, "Deepfakes", "c23")
    assert fake.identities == ("000", "003")
    assert (real.label, real.method, real.identities) == (REAL, "real", ("000",))


def test_a_face_forensics_fake_with_more_in_its_name_is_of_the_same_people(tmp_path: Path) -> None:
    more = "manipulated_sequences/Deepfakes/c23/videos/000_003_result_2.mp4"
    root = _touch(_face_forensics(tmp_path), more)
    _splits(root, test=[["000", "003"]])
    fake = next(video for video in index(root).videos if video.path == root / more)
    assert (fake.identities, fake.split) == (("000", "003"), "test")
    assert fake.original == root / "original_sequences/youtube/c23/videos/000.mp4"


@pytest.mark.parametrize("folder", [".", "splits"])
def test_official_splits_reach_reals_and_fakes(folder: str, tmp_path: Path) -> None:
    root = _touch(
        _face_forensics(tmp_path),
        "original_sequences/youtube/c23/videos/555.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4",
    )
    (root / folder).mkdir(exist_ok=True)
    _splits(root / folder, train=[["111", "222"]], test=[["003", "000"]])
    found = index(root)
    splits = {video.key: video.split for video in found.videos}
    assert splits.pop("FaceForensics++/real/c23/555") is None
    assert set(splits.values()) == {"test"}


@pytest.mark.parametrize("content", ["[[", '{"a": 1}', "[1, 2]", '["071054"]', '[["a", 1]]'])
def test_a_damaged_split_list_is_one_clear_line(content: str, tmp_path: Path) -> None:
    root = _face_forensics(tmp_path)
    (root / "train.json").write_text(content)
    with pytest.raises(UserError, match=r"split list .*train\.json is damaged") as raised:
        index(root)
    assert "\n" not in str(raised.value)


def test_an_identity_in_two_official_splits_is_named(tmp_path: Path) -> None:
    root = _face_forensics(tmp_path)
    _splits(root, train=[["000", "003"]], test=[["003", "009"]])
    with pytest.raises(UserError, match="identity 003 is in two official splits"):
        index(root)


def test_masks_are_not_taken_for_fakes(tmp_path: Path) -> None:
    root = _touch(
        _face_forensics(tmp_path), "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4"
    )
    assert len(index(root).videos) == 6


def test_a_video_in_the_wrong_place_is_a_problem(tmp_path: Path) -> None:
    root = _touch(_face_forensics(tmp_path), "original_sequences/youtube/007.mp4")
    (problem,) = index(root).problems
    assert problem.path.endswith("youtube/007.mp4")
    assert problem.reason == "expected below <method>/<quality>/videos/"


def test_the_actors_of_dfd_are_told_from_the_names(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        "original_sequences/actors/c23/videos/24__outside_talking.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/24_23__walking__YR5OVD4S.mp4",
    )
    fake, real = index(root).videos
    assert real.identities == ("actor 24",)
    assert fake.identities == ("actor 24", "actor 23")


def test_plain_folders_of_any_case_and_depth_are_read(tmp_path: Path) -> None:
    root = _touch(tmp_path / "mine", "Real/a.mp4", "Real/deep/er/b.mov", "FAKE/a_x.avi")
    found = index(root)
    assert found.layout == "folders"
    assert _keys(found) == [
        "mine/fake/unknown/a_x",
        "mine/real/unknown/a",
        "mine/real/unknown/deep/er/b",
    ]
    assert {video.quality for video in found.videos} == {"unknown"}


@pytest.mark.parametrize("real, fake", [("original", "manipulated"), ("Original", "Fake")])
def test_other_names_of_plain_folders(real: str, fake: str, tmp_path: Path) -> None:
    root = _touch(tmp_path, f"{real}/a.mp4", f"{fake}/b.mp4")
    assert [video.label for video in index(root).videos] == [FAKE, REAL]


def test_a_fake_named_after_a_real_belongs_with_it(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        *("real/anna.mp4", "real/ben.mp4", "real/ben_2.mp4", "real/cleo.mp4"),
        *("fake/anna_ben.mp4", "fake/ben_2_swap.mp4", "fake/x_CLEO.mp4", "fake/annabel.mp4"),
        "fake/anna.mp4",
    )
    people = {v.path.name: v.identities for v in index(root).videos if v.label == FAKE}
    assert people == {
        "anna_ben.mp4": ("anna", "ben"),
        "ben_2_swap.mp4": ("ben",),
        "x_CLEO.mp4": ("cleo",),
        "annabel.mp4": ("annabel",),
        "anna.mp4": ("anna",),
    }


def test_subfolders_of_reals_are_people_and_fakes_belong_with_theirs(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        *(f"real/{name}/{n}.mp4" for name in ("ann", "ben", "cleo") for n in (1, 2)),
        *("fake/ann/1.mp4", "fake/swap/1.mp4", "fake/swap/ben_cleo.mp4"),
    )
    people = {v.path.relative_to(root).as_posix(): v.identities for v in index(root).videos}
    assert people["real/ann/1.mp4"] == people["real/ann/2.mp4"] == ("ann",)
    assert people["fake/ann/1.mp4"] == ("ann",)
    assert people["fake/swap/1.mp4"] == ("1",)
    assert people["fake/swap/ben_cleo.mp4"] == ("ben", "cleo")


def test_same_names_in_different_data_sets_are_different_people(tmp_path: Path) -> None:
    root = _touch(tmp_path, "a/real/1.mp4", "b/real/1.mp4", "a/fake/1_x.mp4", "c/fake/1.mp4")
    people = {v.path.relative_to(root).as_posix(): v.identities for v in index(root).videos}
    assert people == {
        "a/real/1.mp4": ("a/1",),
        "b/real/1.mp4": ("b/1",),
        "a/fake/1_x.mp4": ("a/1",),
        "c/fake/1.mp4": ("a/1", "b/1"),
    }


def test_keys_stay_unique_whatever_the_names(tmp_path: Path) -> None:
    root = _touch(
        tmp_path / "d",
        *("real/a.mp4", "real/a.avi", "Real/a.mp4", "original/a.mp4", "real/a.mp4.mp4"),
        "fake/a.mp4",
    )
    keys = _keys(index(root))
    assert len(set(keys)) == len(keys) == 6


def test_every_file_but_sidecars_is_a_candidate(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        *("real/a.mp4", "real/b", "real/c.MP4.part", "real/d.h264"),
        *("real/a.json", "real/notes.txt", "real/.hidden.mp4", "real/Thumbs.db", "fake/f.mp4"),
    )
    names = {video.path.name for video in index(root).videos}
    assert names == {"a.mp4", "b", "c.MP4.part", "d.h264", "f.mp4"}


def test_what_cannot_be_a_candidate_is_a_problem_with_a_reason(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "fake/f.mp4", "lost.mp4", "readme.md")
    (root / "real" / "gone.mp4").symlink_to(root / "nowhere.mp4")
    os.mkfifo(root / "fake" / "pipe.mp4")
    reasons = {Path(entry.path).name: entry.reason for entry in index(root).problems}
    assert reasons == {
        "gone.mp4": "a broken link",
        "pipe.mp4": "not a regular file",
        "lost.mp4": "neither in a folder of reals (real/) nor of fakes (fake/)",
    }


def test_links_in_circles_end(tmp_path: Path) -> None:
    root = _touch(tmp_path / "d", "real/a.mp4", "fake/f.mp4")
    (root / "real" / "up").symlink_to(root)
    (root / "real" / "self").symlink_to(root / "real")
    (root / "again").symlink_to(root / "real")
    assert len(index(root).videos) == 2


def test_a_linked_folder_is_read(tmp_path: Path) -> None:
    root = _touch(tmp_path / "d", "real/a.mp4", "fake/f.mp4")
    elsewhere = _touch(tmp_path / "elsewhere", "b.mp4")
    (root / "real" / "more").symlink_to(elsewhere)
    assert "d/real/unknown/more/b" in _keys(index(root))


def test_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    root = _touch(tmp_path / "d", "real/Zoë 面.mp4", "real/two\nlines.mp4", "fake/f.mp4")
    (root / "real" / os.fsdecode(b"caf\xe9.mp4")).touch()
    keys = _keys(index(root))
    assert {
        "d/real/unknown/Zoë 面",
        "d/real/unknown/two\nlines",
        "d/real/unknown/caf\\xe9",
    } < set(keys)
    for key in keys:
        key.encode()


def test_a_name_too_long_for_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: File name too long"):
        index(tmp_path / ("x" * 300))


def test_a_link_to_itself_is_a_problem_in_every_place(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "fake/f.mp4")
    for name in ("real/b.mp4", "fake/more", "labels.csv", "metadata.json"):
        (root / name).symlink_to(root / name)
    found = index(root)
    assert [video.path.name for video in found.videos] == ["f.mp4", "a.mp4"]
    assert {Path(entry.path).name: entry.reason for entry in found.problems} == dict.fromkeys(
        ("b.mp4", "more", "labels.csv", "metadata.json"),
        "cannot be read: Too many levels of symbolic links",
    )


@pytest.mark.parametrize("layout, real", [("Celeb-DF", "Celeb-real"), ("folders", "real")])
def test_pipes_in_place_of_lists_are_not_waited_for(layout: str, real: str, tmp_path: Path) -> None:
    root = _touch(tmp_path, f"{real}/id0_0000.mp4")
    lists = ("labels.csv", "metadata.json", "dataset.json", "List_of_testing_videos.txt")
    for name in lists:
        os.mkfifo(root / name)
    found = index(root)
    assert (found.layout, len(found.videos)) == (layout, 1)


def test_pictures_beside_videos_are_one_line_a_folder(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        *("real/a.mp4", "fake/f.mp4", "note.png"),
        *(f"real/frames/{name}/{n}.PNG" for name in "ab" for n in range(3)),
        "fake/thumb.jpg",
    )
    found = index(root)
    assert (found.layout, found.stills, len(found.videos)) == ("folders", False, 2)
    assert {Path(entry.path).name: entry.reason for entry in found.problems} == {
        "real": "pictures in a data set of videos: 6, e.g. frames/a/0.PNG",
        "fake": "pictures in a data set of videos: 1, e.g. thumb.jpg",
    }


@pytest.mark.parametrize(
    "folder, said",
    [
        ("{}/c23/faces/000", "no videos/ or frames/ in it, only faces/"),
        ("{}/c23/videos/000", "pictures in a data set of videos: 3, e.g. videos/000/0.png"),
    ],
)
def test_a_set_of_pictures_in_other_folders_says_that_videos_are_expected(
    folder: str, said: str, tmp_path: Path
) -> None:
    for method in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        _touch(tmp_path, *(f"{folder.format(method)}/{n}.png" for n in range(3)))
    with pytest.raises(UserError) as raised:
        index(tmp_path)
    assert "no video in" in str(raised.value)
    assert said in str(raised.value)
    real = _touch(tmp_path, "original_sequences/youtube/raw/videos/000.mp4")
    found = index(real)
    assert [entry.reason for entry in found.problems] == [said] * 2


@pytest.mark.parametrize("quality", ["raw", "c0", "c23", "c40"])
def test_every_method_finds_its_original_in_its_quality(quality: str, tmp_path: Path) -> None:
    methods = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
    for each in ("raw", "c0", "c23", "c40"):
        _touch(
            tmp_path,
            f"original_sequences/youtube/{each}/videos/071.mp4",
            f"original_sequences/actors/{each}/videos/24__outside_talking.mp4",
            *(f"manipulated_sequences/{m}/{each}/videos/071_054.mp4" for m in methods),
            f"manipulated_sequences/DeepFakeDetection/{each}/videos/"
            "24_23__outside_talking__YR5OVD4S.mp4",
        )
    fakes = [v for v in index(tmp_path).videos if v.label == FAKE and v.quality == quality]
    reals = tmp_path / "original_sequences"
    assert {v.method: v.original for v in fakes} == {
        **dict.fromkeys(methods, reals / "youtube" / quality / "videos" / "071.mp4"),
        "DeepFakeDetection": reals / "actors" / quality / "videos" / "24__outside_talking.mp4",
    }


def test_an_original_that_is_missing_or_told_twice_is_none(tmp_path: Path) -> None:
    root = _touch(
        _face_forensics(tmp_path),
        "manipulated_sequences/FaceSwap/c40/videos/003_000.mp4",
        "manipulated_sequences/FaceSwap/c23/videos/odd.mp4",
        "manipulated_sequences/FaceSwap/c23/videos/003_000.mp4",
        "original_sequences/copy/c23/videos/003.mp4",
    )
    originals = {v.key: v.original for v in index(root).videos if v.method == "FaceSwap"}
    assert set(originals.values()) == {None}


def test_every_real_fake_has_its_original(real_data: Path) -> None:
    for name in ("ffpp", "ffpp_methods"):
        videos = index(real_data / name).videos
        reals = {v.path: v for v in videos if v.label == REAL}
        fakes = [v for v in videos if v.label == FAKE]
        assert fakes
        for fake in fakes:
            assert fake.original is not None
            original = reals[fake.original]
            assert (original.quality, original.identities) == (fake.quality, fake.identities[:1])


def test_names_of_any_bytes_are_read_in_every_layout(tmp_path: Path) -> None:
    odd = os.fsdecode(b"a\xff\n'\"")
    trees = {
        "FaceForensics++": (
            "original_sequences/youtube/c23/videos/{}.mp4",
            "manipulated_sequences/{}/c23/videos/{}_001.mp4",
        ),
        "Celeb-DF": ("YouTube-real/{}.mp4", "Celeb-real/id0_0000.mp4"),
        "DeeperForensics-1.0": (
            "original_sequences/youtube/c23/videos/{}.mp4",
            "manipulated_videos/{}/000_M101.mp4",
        ),
        "folders": ("real/{}/{}.mp4", "fake/{}.mp4"),
        "stills": ("real/{}/{}.jpg", "fake/{}.jpg"),
    }
    for at, (layout, names) in enumerate(trees.items()):
        root = _touch(tmp_path / str(at), *(name.format(odd, odd) for name in names))
        found = index(root)
        assert (found.layout, len(found.videos)) == (layout, 2)
        for video in found.videos:
            assert video.path.is_file()
            "".join((video.key, video.method, *video.identities)).encode()


def test_ten_thousand_files_in_one_folder_are_all_found(tmp_path: Path) -> None:
    names = [f"{n:05}" for n in range(5_000)]
    root = _touch(
        tmp_path,
        *(f"real/{name}.mp4" for name in names),
        *(f"fake/{name}_{names[at - 1]}.mp4" for at, name in enumerate(names)),
    )
    found = index(root)
    assert len({video.key for video in found.videos}) == 10_000
    assert all(len(v.identities) == 2 for v in found.videos if v.label == FAKE)


def test_a_missing_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the folder does not exist"):
        index(tmp_path / "none")


def test_a_file_as_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a file; expected a folder"):
        index(_touch(tmp_path, "a.mp4") / "a.mp4")


def test_an_unknown_layout_says_what_was_expected_and_found(tmp_path: Path) -> None:
    root = _touch(tmp_path, "stuff/a.mp4", "b.mp4")
    with pytest.raises(UserError) as raised:
        index(root)
    message = str(raised.value)
    assert "real/ and fake/" in message
    assert "docs/data.md" in message
    assert len(message) < 300 + len(str(root))
    assert "found b.mp4, stuff/" in message
    assert "--label" in raised.value.command_line


def test_a_data_set_inside_the_source_is_suggested(tmp_path: Path) -> None:
    root = _touch(tmp_path, "FF/x/y/real/a.mp4")
    with pytest.raises(UserError, match=r"no known layout: .* did you mean .*/FF\?"):
        index(root)


def test_folders_without_videos_are_said(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "fake").mkdir()
    with pytest.raises(UserError, match="no video in"):
        index(tmp_path)


@pytest.mark.parametrize("name", ["folders", "Folders", "auto"])
def test_a_layout_can_be_named_in_any_case(name: str, tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "fake/f.mp4")
    assert index(root, name).layout == "folders"


def test_a_named_layout_is_preferred_to_the_recognised_one(tmp_path: Path) -> None:
    root = _touch(_face_forensics(tmp_path), "real/a.mp4", "fake/f.mp4")
    assert index(root).layout == "FaceForensics++"
    assert index(root, "folders").layout == "folders"


def test_a_named_layout_that_does_not_fit_says_what_was_found(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "fake/f.mp4")
    with pytest.raises(UserError) as raised:
        index(root, "FaceForensics++")
    message = str(raised.value)
    assert "does not have the layout FaceForensics++: expected original_sequences/" in message
    assert message.endswith("found fake/, real/; it looks like folders")


def test_an_unknown_layout_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"auto or one of .*folders, stills; received imagenet"):
        index(tmp_path, "imagenet")
