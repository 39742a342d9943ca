"""DFDC: labels from metadata files, groups by original and part, splits by part number."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.splits.splits import assign, identity_groups
from data_prep.store.store import FAKE, REAL


def _folder(folder: Path, entries: dict[str, object], *more: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*entries, *more):
        (folder / name).touch()
    (folder / "metadata.json").write_text(json.dumps(entries))


def _real() -> dict[str, object]:
    return {"label": "REAL", "split": "train", "original": None}


def _fake(original: str) -> dict[str, object]:
    return {"label": "FAKE", "split": "train", "original": original}


def _part(root: Path, number: int) -> None:
    real, fake = f"real{number}.mp4", f"fake{number}.mp4"
    _folder(root / f"dfdc_train_part_{number}", {real: _real(), fake: _fake(real)})


def test_labels_and_originals_come_from_the_metadata(tmp_path: Path) -> None:
    _folder(tmp_path, {"a.mp4": _real(), "b.mp4": _fake("a.mp4"), "c.mp4": _fake("gone.mp4")})
    found = index(tmp_path)
    assert (found.layout, found.problems) == ("DFDC", ())
    assert [(v.key, v.label, v.identities, v.split) for v in found.videos] == [
        ("DFDC/fake/unknown/b", FAKE, ("a",), None),
        ("DFDC/fake/unknown/c", FAKE, ("gone",), None),
        ("DFDC/real/unknown/a", REAL, ("a",), None),
    ]


def test_a_fake_knows_its_original_where_that_lies_beside_it(tmp_path: Path) -> None:
    entries = {"a.mp4": _real(), "b.mp4": _fake("a.mp4"), "c.mp4": _fake("gone.mp4")}
    _folder(tmp_path / "dfdc_train_part_0", {**entries, "d.mp4": _fake("b.mp4")})
    _folder(tmp_path / "dfdc_train_part_1", {"gone.mp4": _real(), "e.mp4": _fake("a.mp4")})
    originals = {v.path.name: v.original for v in index(tmp_path).videos if v.original}
    assert originals == {"b.mp4": tmp_path / "dfdc_train_part_0" / "a.mp4"}


def test_metadata_of_pictures_is_stills(tmp_path: Path) -> None:
    _folder(tmp_path, {"a.png": _real(), "b.png": _fake("a.png")}, "new.png", "other.mp4")
    found = index(tmp_path)
    assert (found.layout, found.stills, len(found.videos)) == ("DFDC", True, 2)
    assert [entry.reason for entry in found.problems] == [
        "pictures present but not listed: 1, e.g. new.png"
    ]


@pytest.mark.parametrize(
    "entry", [{"\ud800.mp4": {"label": "REAL"}}, {"c.mp4": {"label": "\ud800"}}]
)
def test_half_a_surrogate_pair_is_one_clear_line(entry: dict[str, object], tmp_path: Path) -> None:
    _folder(tmp_path, {"a.mp4": _real(), "b.mp4": _fake("a.mp4")})
    (tmp_path / "metadata.json").write_text(json.dumps({"a.mp4": _real(), **entry}))
    with pytest.raises(UserError, match=r"metadata\.json is damaged: .*surrogates not allowed"):
        index(tmp_path)


def test_a_part_is_one_group_and_strangers_are_not(tmp_path: Path) -> None:
    _folder(
        tmp_path / "dfdc_train_part_0",
        {"a.mp4": _real(), "b.mp4": _real(), "c.mp4": _fake("b.mp4"), "d.mp4": _fake("x.mp4")},
    )
    _folder(tmp_path / "archive" / "dfdc_train_part_01", {"e.mp4": _real()})
    groups = identity_groups(index(tmp_path).videos)
    assert len({group for key, group in groups.items() if not key.endswith("/e")}) == 1
    assert len(set(groups.values())) == 2


def test_parts_of_every_split_are_split_by_their_numbers(tmp_path: Path) -> None:
    for number in (0, 34, 35, 39, 40, 49):
        _part(tmp_path, number)
    made = assign(index(tmp_path).videos)
    assert made.policy == "official"
    of_part = {int(re.sub(r"\D", "", key)): split for key, split in made.splits.items()}
    assert of_part == {0: "train", 34: "train", 35: "val", 39: "val", 40: "test", 49: "test"}


def test_parts_of_one_split_are_split_by_identity(tmp_path: Path) -> None:
    for number in range(4):
        _part(tmp_path, number)
    made = assign(index(tmp_path).videos)
    assert made.policy == "identity"
    assert set(made.splits.values()) == {"train", "val", "test"}


def _test_set(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("p.mp4", "q.mp4"):
        (folder / name).touch()
    (folder / "labels.csv").write_text("filename,label\np.mp4,1\nq.mp4,0\n")


def test_one_is_fake_in_the_test_set(tmp_path: Path) -> None:
    _test_set(tmp_path / "test")
    found = index(tmp_path / "test")
    assert found.layout == "DFDC"
    assert {video.path.name: (video.label, video.split) for video in found.videos} == {
        "p.mp4": (FAKE, "test"),
        "q.mp4": (REAL, "test"),
    }


def test_a_test_set_beside_parts_leaves_them_to_train_and_val(tmp_path: Path) -> None:
    _test_set(tmp_path / "test")
    for number in range(3):
        _part(tmp_path, number)
    made = assign(index(tmp_path).videos)
    assert (made.policy, made.overlap) == ("official", ())
    tested = {key.rpartition("/")[2] for key, split in made.splits.items() if split == "test"}
    assert tested == {"p", "q"}
    assert set(made.splits.values()) == {"train", "val", "test"}


def test_what_is_only_listed_or_only_there_is_said_once(tmp_path: Path) -> None:
    _folder(tmp_path, {"a.mp4": _real(), "b.mp4": _fake("a.mp4")}, "new.mp4", "note.txt")
    (tmp_path / "a.mp4").unlink()
    problems = index(tmp_path).problems
    assert {Path(entry.path).name for entry in problems} == {"metadata.json"}
    assert [entry.reason for entry in problems] == [
        "videos listed but missing: 1, e.g. a.mp4",
        "videos present but not listed: 1, e.g. new.mp4",
    ]


def test_an_unknown_label_leaves_its_video_out(tmp_path: Path) -> None:
    _folder(tmp_path, {"a.mp4": _real(), "b.mp4": {"label": "MAYBE"}})
    (problem,) = index(tmp_path).problems
    assert problem.reason == "its label in metadata.json is 'MAYBE', not REAL or FAKE"


def test_a_name_that_leaves_its_folder_is_not_followed(tmp_path: Path) -> None:
    _folder(tmp_path / "dfdc_train_part_0", {"a.mp4": _real()})
    (tmp_path / "out.mp4").touch()
    path = tmp_path / "dfdc_train_part_0" / "metadata.json"
    path.write_text(json.dumps({"a.mp4": _real(), "../out.mp4": _fake("a.mp4")}))
    found = index(tmp_path)
    assert [video.path.name for video in found.videos] == ["a.mp4"]
    assert found.problems[0].reason == "videos listed but missing: 1, e.g. ../out.mp4"


@pytest.mark.parametrize("content", ["{", "[]", '{"a.mp4": 3}', '{"a.mp4": {"original": 3}}'])
def test_damaged_metadata_is_one_clear_line(content: str, tmp_path: Path) -> None:
    _part(tmp_path, 0)
    (tmp_path / "dfdc_train_part_0" / "metadata.json").write_text(content)
    with pytest.raises(UserError, match=r"part_0/metadata\.json is damaged") as raised:
        index(tmp_path)
    assert "\n" not in str(raised.value)


def test_another_metadata_file_beside_plain_folders_is_none_of_it(tmp_path: Path) -> None:
    for name in ("real/a.mp4", "fake/f.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "metadata.json").write_text('{"author": "me"}')
    assert index(tmp_path).layout == "folders"


@pytest.mark.parametrize("name", ["dfdc_train_part_3", "train_sample_videos"])
def test_the_published_metadata_is_read(name: str, real_data: Path, tmp_path: Path) -> None:
    text = (real_data / "dfdc_metadata" / f"{name}_metadata.json").read_text()
    folder = tmp_path / name
    _folder(folder, json.loads(text))
    videos = index(folder).videos
    assert {video.key.rpartition("/")[2] + ".mp4" for video in videos} == set(json.loads(text))
    fakes = sum(video.label for video in videos)
    assert 0 < len(videos) - fakes < fakes
    assert {video.split for video in videos} == {None}
