"""LAV-DF and AV-Deepfake1M++: the manipulated seconds are kept; without any, a video is real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_prep.datasets import LAYOUTS, index
from data_prep.errors import UserError
from data_prep.layouts import tables
from data_prep.store.store import FAKE, REAL


def _lav(
    file: str, spans: list[list[float]], original: str | None = None, **more: Any
) -> dict[str, Any]:
    video = bool(spans)
    flags = {"modify_video": video, "modify_audio": video, "split": file.partition("/")[0]}
    return {"file": file, "fake_periods": spans, "original": original, **flags, **more}


def _write(root: Path, name: str, rows: Any, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    (root / name).write_text(json.dumps(rows))
    return root


@pytest.mark.parametrize("name", ["metadata.json", "metadata.min.json"])
def test_lav_df(name: str, tmp_path: Path) -> None:
    rows = [
        _lav("train/1.mp4", []),
        _lav("train/2.mp4", [[3.5, 4], [0.5, 1.25]], "train/1.mp4"),
        _lav("dev/3.mp4", [[0, 1]], "dev/9.mp4", modify_video=False),
        _lav("test/4.mp4", []),
        _lav("test/gone.mp4", []),
        _lav("test/5.mp4", [[2, 1]]),
    ]
    files = ("train/1.mp4", "train/2.mp4", "dev/3.mp4", "test/4.mp4", "test/5.mp4")
    found = index(_write(tmp_path, name, rows, *files))
    assert found.layout == "LAV-DF"
    videos = {video.path.stem: video for video in found.videos}
    assert {name: (v.label, v.split, v.spans) for name, v in videos.items()} == {
        "1": (REAL, "train", ()),
        "2": (FAKE, "train", ((0.5, 1.25), (3.5, 4.0))),
        "3": (FAKE, "val", ((0.0, 1.0),)),
        "4": (REAL, "test", ()),
    }
    assert videos["2"].original == tmp_path / "train" / "1.mp4"
    assert (videos["1"].identities, videos["2"].identities) == (("1",), ("1",))
    assert (videos["2"].method, videos["3"].method) == (
        "FakeVideo-FakeAudio",
        "RealVideo-FakeAudio",
    )
    assert videos["3"].attributes["modified"] == "audio"
    assert [each.reason for each in found.problems] == [
        "rows that cannot be used: 1, e.g. 'test/5.mp4': no list of spans",
        "videos listed but missing: 1, e.g. test/gone.mp4",
        "videos present but not listed: 1, e.g. test/5.mp4",
    ]


def _million(file: str, kind: str, spans: list[list[float]], **more: Any) -> dict[str, Any]:
    return {"file": file, "modify_type": kind, "fake_segments": spans, **more}


def test_av_deepfake_1m_plus_plus(tmp_path: Path) -> None:
    talk = "vox_celeb_2/id01358/abc/00030"
    rows = [
        _million(f"{talk}/real.mp4", "real", [], original="VoxCeleb2/dev/mp4/x.mp4"),
        _million(
            f"{talk}/fake.mp4",
            "both_modified",
            [[0.1, 0.9]],
            original=f"{talk}/real.mp4",
            video_model="Talklip",
            audio_model="yourtts",
        ),
        _million("silent_videos/subject_3_ab_vid_1_2/a.mp4", "audio_modified", [[1, 2]]),
        _million("lrs3/xyz/00001/real.mp4", "real", []),
    ]
    files = [f"train/{row['file']}" for row in rows]
    _write(tmp_path, "train_metadata.json", rows, *files)
    val = [_million("id00012/abc/00001/real.mp4", "real", [])]
    _write(tmp_path, "val_metadata.json", val, "val/id00012/abc/00001/real.mp4", "test/1.mp4")
    found = index(tmp_path)
    assert found.layout == "AV-Deepfake1M"
    assert {v.identities[0]: (v.method, v.split) for v in found.videos if v.label == FAKE} == {
        "vox_celeb_2 id01358": ("Talklip", "train"),
        "silent_videos subject_3": ("RealVideo-FakeAudio", "train"),
    }
    assert {v.identities[0]: v.split for v in found.videos if v.label == REAL} == {
        "vox_celeb_2 id01358": "train",
        "lrs3 xyz": "train",
        "id00012": "test",
    }
    fake = next(video for video in found.videos if video.method == "Talklip")
    assert fake.original == tmp_path / "train" / talk / "real.mp4"
    assert dict(fake.attributes) == {
        "modified": "both",
        "video_model": "Talklip",
        "audio_model": "yourtts",
    }
    (problem,) = found.problems
    assert problem.reason == "videos present but not listed: 1, e.g. test/1.mp4"


@pytest.mark.parametrize("block", [1, 7, 64, 10_000])
def test_a_list_is_read_in_blocks_of_any_size(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_BLOCK", block)
    rows = [_lav(f"train/{n}.mp4", [[n, n + 1.5]], 'é\\"]') for n in range(5)]
    for indent in (None, 2):
        path = tmp_path / "a.json"
        path.write_text(json.dumps(rows, indent=indent, ensure_ascii=False), encoding="utf-8")
        assert list(tables.read_json_rows(path)) == rows


@pytest.mark.parametrize("content", ["", "{}", '[{"file": 1}, 5]', '[{"file": ', "[", "[{}"])
def test_a_damaged_list_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.json is damaged: .*; replace it"):
        list(tables.read_json_rows(tmp_path / "a.json"))


@pytest.mark.parametrize("content", ["", "[", '{"a": 1}', "\0\0"])
def test_a_damaged_list_of_lav_df_is_not_taken_for_one_of_dfdc(
    content: str, tmp_path: Path
) -> None:
    _write(tmp_path, "metadata.json", [], "train/1.mp4", "dev/2.mp4", "test/3.mp4")
    (tmp_path / "metadata.json").write_text(content)
    assert next(layout.name for layout in LAYOUTS if layout.detect(tmp_path)) == "LAV-DF"
    with pytest.raises(UserError, match=r"metadata\.json is damaged: "):
        index(tmp_path)
