"""Byte-identical files share an identity group and are reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.preparation import copies
from data_prep.preparation.copies import describe_copies, join_copies
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest, identity_groups
from data_prep.store.store import Store

_PEOPLE = ("anna", "ben", "cleo", "dora", "ella", "fred")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A real and a fake picture of six people, all different."""
    root = tmp_path / "people"
    for number, name in enumerate(_PEOPLE):
        for label in ("real", "fake"):
            path = root / label / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = np.random.default_rng([number, label == "real"])
            Image.fromarray(seed.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return root


def _copy(source: Path, name: str, other: str) -> None:
    (source / other).write_bytes((source / name).read_bytes())


def _groups(source: Path) -> dict[str, str]:
    """The identity group of each file."""
    videos, _ = join_copies(index(source).videos)
    groups = identity_groups(videos)
    return {str(video.path.relative_to(source)): groups[video.key] for video in videos}


def test_files_without_copies_keep_their_people(source: Path) -> None:
    videos = index(source).videos
    assert join_copies(videos) == (videos, ())
    assert describe_copies((), source) == []


def test_people_of_identical_files_are_one_group(source: Path) -> None:
    _copy(source, "real/anna.png", "real/ben.png")
    _copy(source, "real/ben.png", "real/cleo.png")
    groups = _groups(source)
    for name in ("anna", "ben", "cleo"):
        assert groups[f"real/{name}.png"] == groups[f"fake/{name}.png"] == groups["real/anna.png"]
    assert len(set(groups.values())) == 4


def test_a_file_labelled_real_and_fake_is_one_group_and_reported(source: Path) -> None:
    _copy(source, "real/anna.png", "fake/dora.png")
    _copy(source, "real/ben.png", "real/cleo.png")
    groups = _groups(source)
    assert groups["real/anna.png"] == groups["fake/dora.png"] == groups["real/dora.png"]
    _, found = join_copies(index(source).videos)
    assert [group.contradictory for group in found] == [True, False]
    assert describe_copies(found, source) == [
        "files with byte-identical copies: 2, e.g. fake/dora.png and real/anna.png; "
        "copies share an identity group and a split",
        "identical files labelled both real and fake: 1, e.g. fake/dora.png and real/anna.png; "
        "correct or remove the wrong ones",
    ]


def test_links_to_one_file_are_copies(source: Path) -> None:
    (source / "real" / "gina.png").symlink_to(source / "real" / "anna.png")
    os.link(source / "real" / "anna.png", source / "real" / "hans.png")
    groups = _groups(source)
    assert groups["real/gina.png"] == groups["real/hans.png"] == groups["real/anna.png"]


def test_files_of_equal_size_are_different(source: Path) -> None:
    content = (source / "real" / "anna.png").read_bytes()
    for at, name in enumerate(("gina", "hans")):
        (source / "real" / f"{name}.png").write_bytes(content + bytes(2**16) + bytes([at]))
    groups = _groups(source)
    assert groups["real/gina.png"] != groups["real/hans.png"]


def test_identical_files_that_are_no_media_join_no_people(source: Path) -> None:
    for name in ("anna", "ben"):
        (source / "real" / f"{name}.png").write_bytes(b"<html>not found</html>" * 10)
    for name in ("cleo", "dora"):
        (source / "real" / f"{name}.png").write_bytes(b"")
    assert len(set(_groups(source).values())) == len(_PEOPLE)


def test_only_files_of_equal_size_are_opened(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, path in enumerate(sorted(source.glob("*/*.png"))):
        path.write_bytes(path.read_bytes() + bytes(number))
    monkeypatch.setattr(copies, "_beginning", None)
    assert join_copies(index(source).videos)[1] == ()


def test_copies_in_several_official_splits_are_a_leak(source: Path) -> None:
    rows = []
    for number, name in enumerate(_PEOPLE):
        split = ("train", "val", "test")[number // 2]
        rows += [f"{label}/{name}.png,{label},{name},{split}" for label in ("real", "fake")]
    (source / "labels.csv").write_text("path,label,identity,split\n" + "\n".join(rows))
    _copy(source, "real/anna.png", "real/fred.png")
    with pytest.raises(UserError, match="the official splits divide 1 identity group"):
        prepare(source, source.with_name("s.h5"), split=SplitRequest(policy="official"))


def test_copies_end_in_one_split_of_the_store(tmp_path: Path, face_video: bytes) -> None:
    root, store_path = tmp_path / "people", tmp_path / "store.h5"
    for number, name in enumerate(_PEOPLE[:4]):
        for label in ("real", "fake"):
            path = root / label / f"{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(face_video + b"\0\0\0\x0afree" + bytes([number, label == "real"]))
    (root / "real" / "dora.mp4").write_bytes((root / "real" / "anna.mp4").read_bytes())
    (root / "fake" / "dora.mp4").write_bytes((root / "real" / "anna.mp4").read_bytes())
    command = [sys.executable, "-m", "search.cli", "prepare", root, store_path]
    options = ["--frames", "2", "--size", "32", "--json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["copies"]
    names = ["fake/dora.mp4", "real/anna.mp4", "real/dora.mp4"]
    assert found == [{"paths": [str(root / name) for name in names], "contradictory": True}]
    places = defaultdict(set)
    with Store(store_path) as store:
        for digest, split, group in zip(store.sha256, store.splits, store.groups, strict=True):
            places[digest].add((split, group))
    assert len(places) == 6
    assert all(len(place) == 1 for place in places.values())
