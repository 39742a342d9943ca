"""Celeb-DF: who is in a video, and the list in which 1 is real."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest, assign
from data_prep.store.store import FAKE, REAL, Store

_NAMES = (
    "Celeb-real/id0_0000.mp4",
    "Celeb-real/id0_0001.mp4",
    "Celeb-real/id1_0000.mp4",
    "YouTube-real/00170.mp4",
    "Celeb-synthesis/id0_id1_0000.mp4",
    "Celeb-synthesis/id1_id0_0000.mp4",
)
_LIST = "1 YouTube-real/00170.mp4\n1 Celeb-real/id0_0001.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"


def _celeb_df(root: Path, *names: str, listed: str | None = _LIST) -> Path:
    for name in names or _NAMES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if listed is not None:
        (root / "List_of_testing_videos.txt").write_text(listed)
    return root


def test_reals_of_celebrities_and_of_youtube_and_fakes_are_told_apart(tmp_path: Path) -> None:
    found = index(_celeb_df(tmp_path))
    assert (found.layout, found.problems) == ("Celeb-DF", ())
    assert {video.key: (video.label, video.identities) for video in found.videos} == {
        "Celeb-DF/Celeb-synthesis/unknown/id0_id1_0000": (FAKE, ("id0", "id1")),
        "Celeb-DF/Celeb-synthesis/unknown/id1_id0_0000": (FAKE, ("id1", "id0")),
        "Celeb-DF/real/unknown/00170": (REAL, ("YouTube 00170",)),
        "Celeb-DF/real/unknown/id0_0000": (REAL, ("id0",)),
        "Celeb-DF/real/unknown/id0_0001": (REAL, ("id0",)),
        "Celeb-DF/real/unknown/id1_0000": (REAL, ("id1",)),
    }
    assert {video.method for video in found.videos} == {"real", "Celeb-synthesis"}


def test_a_fake_knows_the_video_of_its_first_person(tmp_path: Path) -> None:
    names = (*_NAMES, "Celeb-synthesis/id0_id1_0007.mp4", "Celeb-synthesis/id1_id0_0001.mp4")
    root = _celeb_df(tmp_path, *names)
    originals = {v.path.name: v.original for v in index(root).videos if v.original}
    assert originals == {
        "id0_id1_0000.mp4": root / "Celeb-real" / "id0_0000.mp4",
        "id1_id0_0000.mp4": root / "Celeb-real" / "id1_0000.mp4",
    }


def test_frames_in_place_of_videos_are_one_line_a_folder(tmp_path: Path) -> None:
    names = [f"Celeb-synthesis/frames/id0_id1_000{n}/{at}.png" for n in range(3) for at in range(4)]
    found = index(_celeb_df(tmp_path, *_NAMES, *names))
    assert len(found.videos) == len(_NAMES)
    (problem,) = found.problems
    assert problem.path == str(tmp_path / "Celeb-synthesis")
    assert problem.reason.startswith("pictures in a data set of videos: 12, e.g. frames/id0_id1_")


def test_one_is_real_in_the_test_list(tmp_path: Path) -> None:
    tested = {video.path.name for video in index(_celeb_df(tmp_path)).videos if video.split}
    assert tested == {"00170.mp4", "id0_0001.mp4", "id0_id1_0000.mp4"}


def test_a_test_list_read_the_other_way_round_is_refused(tmp_path: Path) -> None:
    root = _celeb_df(tmp_path, listed="0 YouTube-real/00170.mp4\n")
    with pytest.raises(UserError, match=r"00170\.mp4 fake, its folder real"):
        index(root)


def test_copies_with_other_case_and_videos_folders_are_read(tmp_path: Path) -> None:
    root = _celeb_df(
        tmp_path,
        *("Celeb-real/videos/id0_0001.mp4", "Youtube-real/videos/00170.mp4"),
        "Celeb-synthesis/videos/id0_id1_0000.mp4",
    )
    found = index(root)
    assert [video.split for video in found.videos] == ["test"] * 3


def test_a_name_without_an_identity_is_a_problem(tmp_path: Path) -> None:
    root = _celeb_df(tmp_path, *_NAMES, "Celeb-synthesis/swap.mp4", "Celeb-real/id0.mp4")
    reasons = {Path(entry.path).name: entry.reason for entry in index(root).problems}
    assert reasons == {
        "swap.mp4": "no identity in the name; expected one such as id0_id1_0000.mp4",
        "id0.mp4": "no identity in the name; expected one such as id0_0000.mp4",
    }


@pytest.mark.parametrize("line", ["00170.mp4", "2 YouTube-real/00170.mp4", "1 other/00170.mp4"])
def test_a_damaged_test_list_names_its_line(line: str, tmp_path: Path) -> None:
    root = _celeb_df(tmp_path, listed=f"\n{line}\n")
    with pytest.raises(UserError, match=r"List_of_testing_videos\.txt is damaged: line 2 is"):
        index(root)


def test_without_a_test_list_there_is_no_official_split(tmp_path: Path) -> None:
    found = index(_celeb_df(tmp_path, listed=None))
    assert {video.split for video in found.videos} == {None}


def test_the_official_list_divides_people_and_is_not_taken_unasked(tmp_path: Path) -> None:
    names = [f"Celeb-real/id{n}_{at:04}.mp4" for n in range(6) for at in range(2)]
    names += [f"Celeb-synthesis/id{n}_id{n + 1}_0000.mp4" for n in range(0, 6, 2)]
    listed = "1 Celeb-real/id0_0000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
    videos = index(_celeb_df(tmp_path, *names, listed=listed)).videos
    with pytest.raises(UserError, match=r"divide 1 identity group: .* is in test, .* train or val"):
        assign(videos, SplitRequest("official"))
    made = assign(videos)
    assert (made.policy, made.overlap) == ("identity", ())
    made = assign(videos, SplitRequest("official", allow_overlap=True))
    tested = {key.rpartition("/")[2] for key, split in made.splits.items() if split == "test"}
    assert (tested, made.overlap) == ({"id0_0000", "id0_id1_0000"}, ("id0",))


@pytest.mark.slow
def test_real_videos_of_one_identity_can_only_be_evaluated_on(
    real_data: Path, tmp_path: Path
) -> None:
    source, store_path, small = real_data / "celebdf", tmp_path / "c.h5", Preparation(4, 32)
    with pytest.raises(
        UserError, match=r"too few people for train, val, test .* split_policy test"
    ):
        prepare(source, store_path, small)
    summary = prepare(
        source, store_path, small, split=SplitRequest(policy="test"), execution=Execution(jobs=2)
    )
    assert (summary.layout, summary.clips, summary.split_policy) == ("Celeb-DF", 6, "test")
    with Store(store_path) as store:
        assert set(store.splits) == {"test"}
        assert set(store.groups) == {"id0"}
        assert store.labels.sum() == 3
