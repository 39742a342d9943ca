"""FakeAVCeleb: categories of picture and sound, race and gender by the path."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.store.store import FAKE, REAL

_HEADER = "source,target1,target2,method,category,type,race,gender,path,"
_PLACE = "African/men/id00076"
_FILES = {
    "RealVideo-RealAudio": ("00109.mp4", "-,-,real,A"),
    "RealVideo-FakeAudio": ("00109_fake.mp4", "-,-,rtvc,B"),
    "FakeVideo-RealAudio": ("00109_id04727_AAnyugIAXao.mp4", "id04727,-,faceswap,C"),
    "FakeVideo-FakeAudio": ("00109_2_id01236_wavtolip.mp4", "id01236,2,wav2lip,D"),
}


def _fake_av_celeb(root: Path, *, table: bool = True) -> Path:
    rows = [_HEADER]
    for category, (name, columns) in _FILES.items():
        path = root / category / _PLACE / name
        path.parent.mkdir(parents=True)
        path.touch()
        below = f"FakeAVCeleb/{category}/{_PLACE}"
        rows.append(f"id00076,{columns},{category},African,men,{name},{below}")
    if table:
        (root / "meta_data.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.parametrize("below", ["", "FakeAVCeleb_v1.2"])
def test_methods_people_originals_and_attributes(below: str, tmp_path: Path) -> None:
    root = _fake_av_celeb(tmp_path / below)
    found = index(tmp_path)
    assert (found.layout, found.problems) == ("FakeAVCeleb", ())
    videos = {video.method: video for video in found.videos}
    assert {method: (v.label, v.identities) for method, v in videos.items()} == {
        "real": (REAL, ("id00076",)),
        "rtvc": (FAKE, ("id00076",)),
        "faceswap": (FAKE, ("id00076", "id04727")),
        "wav2lip": (FAKE, ("id00076",)),
    }
    original = root / "RealVideo-RealAudio" / _PLACE / "00109.mp4"
    assert {v.original for v in videos.values() if v.label == FAKE} == {original}
    assert {method: v.attributes["modified"] for method, v in videos.items()} == {
        "real": "none",
        "rtvc": "audio",
        "faceswap": "video",
        "wav2lip": "both",
    }
    assert {(v.attributes["race"], v.attributes["gender"]) for v in found.videos} == {
        ("African", "men")
    }


def test_without_the_table_categories_are_methods_and_names_give_people(tmp_path: Path) -> None:
    found = index(_fake_av_celeb(tmp_path, table=False))
    assert {video.method for video in found.videos} == {"real", *list(_FILES)[1:]}
    people = {video.method: video.identities for video in found.videos}
    assert people["FakeVideo-RealAudio"] == ("id00076", "id04727")
    (problem,) = found.problems
    assert problem.reason.startswith("it is missing: methods are categories")


def test_a_video_outside_a_person_is_a_problem(tmp_path: Path) -> None:
    root = _fake_av_celeb(tmp_path)
    (root / "RealVideo-RealAudio" / "African" / "x.mp4").touch()
    (problem,) = index(root).problems
    assert problem.reason == "expected below <category>/<race>/<gender>/<person>/"
