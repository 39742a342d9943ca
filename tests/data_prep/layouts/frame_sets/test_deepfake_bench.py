"""JSON files of DeepfakeBench: labels, splits and frames, wherever the frames lie here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.store.store import FAKE, REAL

_AUTHOR = "/Youtu_Pangu/zhiyuanyan/deepfakes_detection_datasets"
_REAL_071 = "FaceForensics++/original_sequences/youtube/c23/frames/071"
_REAL_054 = "FaceForensics++/original_sequences/youtube/c23/frames/054"
_FAKE = "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/071_054"


def _frames(root: Path, *folders: str) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            (root / folder / f"{number:03}.png").touch()
    return root


def _entry(label: str, folder: str, count: int = 3) -> dict[str, Any]:
    return {"label": label, "frames": [f"{folder}/{n:03}.png" for n in range(count)]}


def _write(root: Path, name: str, content: Any) -> Path:
    (root / "dataset_json").mkdir(exist_ok=True)
    (root / "dataset_json" / f"{name}.json").write_text(json.dumps(content))
    return root


def _ff_df(start: str = "./datasets", sign: str = "/") -> dict[str, Any]:
    def entry(label: str, folder: str) -> dict[str, Any]:
        listed = _entry(label, f"{start}/{folder}")
        return {**listed, "frames": [each.replace("/", sign) for each in listed["frames"]]}

    return {
        "FF-DF": {
            "FF-real": {
                "train": {"c23": {}},
                "val": {"c23": {}},
                "test": {
                    "c23": {"071": entry("FF-real", _REAL_071), "054": entry("FF-real", _REAL_054)}
                },
            },
            "FF-DF": {"train": {"c23": {}}, "test": {"c23": {"071_054": entry("FF-DF", _FAKE)}}},
        }
    }


@pytest.mark.parametrize("sign", ["/", "\\"])
@pytest.mark.parametrize("start", ["./datasets", _AUTHOR, "C:/data"])
def test_frames_are_found_by_the_end_of_their_path(start: str, sign: str, tmp_path: Path) -> None:
    root = _frames(tmp_path, _REAL_071, _REAL_054, _FAKE)
    found = index(_write(root, "FF-DF", _ff_df(start, sign)))
    assert (found.layout, found.problems, found.stills) == ("DeepfakeBench", (), False)
    assert {video.key: (video.label, video.split) for video in found.videos} == {
        "DeepfakeBench/Deepfakes/c23/071_054": (FAKE, "test"),
        "DeepfakeBench/real/c23/071": (REAL, "test"),
        "DeepfakeBench/real/c23/054": (REAL, "test"),
    }
    fake = next(video for video in found.videos if video.label == FAKE)
    assert (fake.identities, fake.original) == (("071", "054"), root / _REAL_071)


def test_lists_of_df40_share_their_reals(tmp_path: Path) -> None:
    root = _frames(tmp_path, f"real/{_REAL_071}", "test/simswap/cdf/frames/id0_id1_0000")
    _frames(root, "test/blendface/blendface/ff/frames/071_054")
    _frames(root, "real/Celeb-DF-v2/Celeb-real/frames/id0_0000")
    real = _entry("simswap_Real", f"{_AUTHOR}/{_REAL_071}")
    celeb = _entry("simswap_Real", f"{_AUTHOR}/Celeb-DF-v2/Celeb-real/frames/id0_0000")
    swap = _entry("simswap_Fake", f"{_AUTHOR}/simswap/cdfv2/frames/id0_id1_0000")
    blend = _entry("roop_Fake", f"{_AUTHOR}/DF40/blendface/ff/frames/071_054")
    _write(
        root,
        "simswap_cdf",
        {
            "simswap_cdf": {
                "simswap_Real": {"test": {"id0_0000": celeb}, "val": {"id0_0000": celeb}},
                "simswap_Fake": {"test": {"id0_id1_0000": swap}},
            }
        },
    )
    for name in ("blendface_ff", "simswap_ff"):
        listed = {"071_054": blend if name == "blendface_ff" else {**blend, "frames": []}}
        _write(
            root,
            name,
            {name: {"simswap_Real": {"test": {"071": real}}, "roop_Fake": {"test": listed}}},
        )
    found = index(root)
    assert {video.key: video.split for video in found.videos} == {
        "DeepfakeBench/real/cdf/id0_0000": "test",
        "DeepfakeBench/real/ff/071": "test",
        "DeepfakeBench/simswap/cdf/id0_id1_0000": "test",
        "DeepfakeBench/blendface/ff/071_054": "test",
    }
    originals = {v.method: v.original for v in found.videos if v.label == FAKE}
    assert originals["simswap"] == root / "real/Celeb-DF-v2/Celeb-real/frames/id0_0000"
    assert originals["blendface"] == root / "real" / _REAL_071
    (problem,) = found.problems
    assert problem.path.endswith("simswap_ff.json")
    assert problem.reason == "videos listed but missing: 1, e.g. 071_054"


def test_a_list_with_all_videos_in_every_split_has_no_split(tmp_path: Path) -> None:
    root = _frames(tmp_path, "UADFV/real/frames/0000", "UADFV/fake/frames/0000_fake")
    splits = ("train", "val", "test")
    real = {"0000": _entry("UADFV_Real", "UADFV/real/frames/0000")}
    fake = {"0000_fake": _entry("UADFV_Fake", "UADFV/fake/frames/0000_fake")}
    content = {"UADFV_Real": dict.fromkeys(splits, real), "UADFV_Fake": dict.fromkeys(splits, fake)}
    found = index(_write(root, "UADFV", {"UADFV": content}))
    assert [video.split for video in found.videos] == [None, None]
    assert {video.identities for video in found.videos} == {("0000",)}
    assert {video.method for video in found.videos} == {"real", "UADFV"}


def test_the_test_list_of_celeb_df_is_kept_where_train_repeats_it(tmp_path: Path) -> None:
    names = {"id0_0000": "Celeb-real", "id1_0000": "Celeb-real", "id0_id1_0000": "Celeb-synthesis"}
    root = _frames(tmp_path, *(f"Celeb-DF-v2/{f}/frames/{name}" for name, f in names.items()))
    content: dict[str, Any] = {}
    for name, folder in names.items():
        label = "CelebDFv2_real" if folder == "Celeb-real" else "CelebDFv2_fake"
        entry = {name: _entry(label, f"Celeb-DF-v2/{folder}/frames/{name}")}
        splits = content.setdefault(label, {"train": {}, "val": {}, "test": {}})
        for split in ("train", "val", "test") if name == "id0_0000" else ("train",):
            splits[split] |= entry
    found = index(_write(root, "Celeb-DF-v2", {"Celeb-DF-v2": content}))
    assert {video.path.name: video.split for video in found.videos} == {
        "id0_0000": "test",
        "id1_0000": "train",
        "id0_id1_0000": "train",
    }


def test_methods_below_a_split(tmp_path: Path) -> None:
    folder = "Celeb-DF-v3/Celeb-synthesis/FaceSwap/SimSwap/frames/id0_id1_0000"
    root = _frames(tmp_path, folder)
    entry = _entry("CelebDFv3_fake", folder)
    fakes = {"train": {"SimSwap": {"id0_id1_0000": entry}, "GHOST": {}}}
    found = index(_write(root, "Celeb-DF-v3", {"Celeb-DF-v3": {"CelebDFv3_fake": fakes}}))
    assert [video.key for video in found.videos] == ["DeepfakeBench/SimSwap/unknown/id0_id1_0000"]


def test_pictures_of_one_folder_are_stills(tmp_path: Path) -> None:
    root = _frames(tmp_path, "DF40/StyleGAN2/ff", "DF40/real")
    for kind in ("Fake", "Real"):
        folder = "DF40/StyleGAN2/ff" if kind == "Fake" else "DF40/real"
        entries = {
            f"v{n}": {"label": f"StyleGAN2_{kind}", "frames": [f"{folder}/{n:03}.png"]}
            for n in range(3)
        }
        _write(
            root, f"StyleGAN2_{kind}", {"StyleGAN2_ff": {f"StyleGAN2_{kind}": {"test": entries}}}
        )
    found = index(root)
    assert (found.stills, len(found.videos), found.problems) == (True, 6, ())
    assert {video.method for video in found.videos} == {"real", "StyleGAN2"}


def test_a_label_that_is_neither_is_not_guessed(tmp_path: Path) -> None:
    root = _frames(tmp_path, "a/b/frames/x", "a/c/frames/y")
    content = {
        "a": {
            "other": {"test": {"x": _entry("other", "a/b/frames/x")}},
            "a_real": {"test": {"y": _entry("a_real", "a/c/frames/y")}},
        }
    }
    found = index(_write(root, "a", content))
    assert [video.path.name for video in found.videos] == ["y"]
    assert [each.reason for each in found.problems] == [
        "labels that are neither real nor fake: 1, e.g. other"
    ]


def test_a_video_that_is_real_and_fake_is_refused(tmp_path: Path) -> None:
    root = _frames(tmp_path, "a/b/frames/x")
    for name, label in (("one", "a_real"), ("two", "a_fake")):
        entry = {"x": _entry(label, "a/b/frames/x")}
        _write(root, name, {name: {label: {"test": entry}}})
    with pytest.raises(UserError, match=r"is real in one JSON file and fake in another, two\.json"):
        index(root)


@pytest.mark.parametrize("content", ['{"a": {"b": {"test": {', '{"a": {"b": {"test": 5}}}'])
def test_a_damaged_list_is_named(content: str, tmp_path: Path) -> None:
    _write(tmp_path, "a", {})
    (tmp_path / "dataset_json" / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.json is damaged"):
        index(tmp_path)


def test_a_path_never_leads_out_of_the_source(tmp_path: Path) -> None:
    _frames(tmp_path, "outside/frames/x")
    root = _write(_frames(tmp_path / "source", "inside/frames/y"), "a", {})
    for listed in ("../outside/frames/x", str(tmp_path / "outside/frames/x")):
        _write(root, "a", {"a": {"a_fake": {"test": {"x": _entry("a_fake", listed)}}}})
        with pytest.raises(UserError, match="videos listed but missing: 1"):
            index(root)
