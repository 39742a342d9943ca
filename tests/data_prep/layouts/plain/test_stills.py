"""Pictures in real/ and fake/ are clips of one frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.splits.splits import identity_groups
from data_prep.store.store import FAKE, REAL


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_pictures_of_every_ending_are_read(tmp_path: Path) -> None:
    endings = ("jpg", "JPEG", "png", "webp", "bmp", "tif", "tiff")
    root = _touch(
        tmp_path / "mine",
        *(f"real/{name}.{name}" for name in endings),
        *("fake/f.png", "fake/notes.txt", "fake/odd.ending"),
    )
    found = index(root)
    assert (found.layout, found.stills, found.problems) == ("stills", True, ())
    labels = {video.key: video.label for video in found.videos}
    assert labels == {
        **{f"mine/real/unknown/{name}": REAL for name in endings},
        "mine/fake/unknown/f": FAKE,
        "mine/fake/unknown/odd": FAKE,
    }


def test_videos_are_no_stills(tmp_path: Path) -> None:
    found = index(_touch(tmp_path, "real/a.mp4", "fake/f.mp4", "real/note.txt"))
    assert (found.layout, found.stills) == ("folders", False)
    with pytest.raises(UserError, match=r"does not have the layout stills: .* looks like folders"):
        index(tmp_path, "stills")


def test_stills_are_read_beside_videos_when_they_are_named(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.jpg", "real/b.mp4", "fake/f.jpg", "lost.jpg", "too.jpg")
    found = index(root, "Stills")
    assert (found.stills, [video.path.name for video in found.videos]) == (True, ["f.jpg", "a.jpg"])
    assert [entry.reason for entry in found.problems] == [
        "pictures neither in a folder of reals (real/) nor of fakes (fake/): 2, e.g. lost.jpg",
        "videos in a data set of pictures: 1, e.g. b.mp4",
    ]


def test_a_folder_a_person_is_one_group(real_data: Path, tmp_path: Path) -> None:
    people = sorted(path.name for path in (real_data / "faces_lfw").iterdir())
    root = _touch(
        tmp_path,
        *(f"real/{name}/{name}_{n:04}.jpg" for name in people for n in (1, 2)),
        *(f"fake/{name}/swap.png" for name in people[::2]),
    )
    groups = identity_groups(index(root).videos)
    assert set(groups.values()) == set(people)
    for key, group in groups.items():
        assert f"/{group}/" in key


def test_real_stills_without_people_are_groups_of_their_own(real_data: Path) -> None:
    found = index(real_data / "faces_hardfake")
    assert (found.layout, found.stills, len(found.videos)) == ("stills", True, 560)
    assert len(set(identity_groups(found.videos).values())) == 560
