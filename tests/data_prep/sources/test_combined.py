"""One index of several sources: keys, methods and people never collide."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import UserError
from data_prep.sources.combined import index_sources
from data_prep.sources.source import Source, Sources


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not opened here")
    return root


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with the same names in them."""
    files = ("real/anna.mp4", "fake/anna_swap.mp4")
    return _folder(tmp_path / "one", *files), _folder(tmp_path / "two", *files, "real/anne.mp4")


def test_equal_names_in_two_sources_are_other_clips_methods_and_people(
    two: tuple[Path, Path],
) -> None:
    found = index_sources(Sources(tuple(map(Source, two))))
    assert sorted(video.key for video in found.videos) == [
        "one/fake/unknown/anna_swap",
        "one/real/unknown/anna",
        "two/fake/unknown/anna_swap",
        "two/real/unknown/anna",
        "two/real/unknown/anne",
    ]
    assert {video.method for video in found.videos} == {"real", "one:fake", "two:fake"}
    people = {one for video in found.videos for one in video.identities}
    assert {"one:anna", "two:anna"} <= people


def test_one_source_alone_keeps_the_keys_and_methods_that_it_always_had(
    two: tuple[Path, Path],
) -> None:
    found = index_sources(Sources((Source(two[0]),)))
    assert {video.method for video in found.videos} == {"real", "fake"}
    assert {one for video in found.videos for one in video.identities} == {"one:anna"}


def test_sources_of_one_data_set_share_people_and_methods(two: tuple[Path, Path]) -> None:
    sources = Sources(tuple(Source(path, data_set="mine") for path in two))
    found = index_sources(sources)
    assert {video.method for video in found.videos} == {"real", "mine:fake"}
    people = {one for video in found.videos for one in video.identities}
    assert people == {"mine:anna", "mine:anne"}


def test_every_file_of_a_source_can_be_another_person(tmp_path: Path) -> None:
    faces = _folder(tmp_path / "faces", "AF1.jpg", "AF2.jpg", "CM1.jpg", "CM2.jpg")
    by_name = index_sources(Sources((Source(faces, role="real-only"),)))
    by_file = index_sources(Sources((Source(faces, role="real-only", person="file"),)))
    assert len({video.identities for video in by_name.videos}) == 2
    assert len({video.identities for video in by_file.videos}) == 4


def test_people_with_two_names_are_one_also_in_a_chain(two: tuple[Path, Path]) -> None:
    same = (("two:anne", "two:anna"), ("one:anna", "two:anna"))
    found = index_sources(Sources(tuple(map(Source, two)), same))
    assert {one for video in found.videos for one in video.identities} == {"one:anna"}


def test_a_name_that_no_video_shows_is_refused_with_the_closest(two: tuple[Path, Path]) -> None:
    sources = tuple(map(Source, two))
    with pytest.raises(UserError, match="no video shows one:ana; did you mean one:anna"):
        index_sources(Sources(sources, (("one:ana", "two:anna"),)))
    pinned = Source(two[0], people={"ana": "test"})
    with pytest.raises(UserError, match="people of the source one: no video shows ana; did you"):
        index_sources(Sources((pinned, sources[1])))


def test_named_people_have_their_split(two: tuple[Path, Path]) -> None:
    found = index_sources(Sources((Source(two[0], people={"anna": "test"}), Source(two[1]))))
    assert {video.source: video.pinned for video in found.videos} == {"one": "test", "two": None}


def test_a_real_only_source_with_fakes_is_refused(two: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match=r"two cannot be all real: .* name a folder of real files"):
        index_sources(Sources((Source(two[0]), Source(two[1], role="real-only"))))


def test_a_folder_of_faces_needs_no_label_to_be_real_only(tmp_path: Path) -> None:
    one = _folder(tmp_path / "one", "real/anna.mp4", "fake/anna_swap.mp4")
    faces = _folder(tmp_path / "faces", "deep/er/a.png", "b.png")
    found = index_sources(Sources((Source(one), Source(faces, role="real-only", weight=0.5))))
    ours = [video for video in found.videos if video.source == "faces"]
    assert len(ours) == 2
    assert {(video.role, video.still, video.weight, video.label) for video in ours} == {
        ("real-only", True, 0.5, 0)
    }
    assert not found.stills


def test_an_empty_source_is_refused(tmp_path: Path, two: tuple[Path, Path]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        index_sources(Sources((Source(two[0]), Source(tmp_path / "empty"))))
