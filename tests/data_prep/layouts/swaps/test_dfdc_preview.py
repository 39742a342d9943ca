"""The DFDC preview: one list of paths, and subjects told by ids and names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.splits.splits import assign
from data_prep.store.store import FAKE, REAL

_REAL = "original_videos/643049/643049_A_001.mp4"
_FAKE = "method_B/1260311/1260311_C/1255229_1260311_C_001.mp4"


def _real(part: str = "train") -> dict[str, object]:
    return {"label": "real", "set": part}


def _fake(part: str = "train", **more: object) -> dict[str, object]:
    return {"label": "fake", "set": part, **more}


def _preview(root: Path, entries: dict[str, dict[str, object]]) -> Path:
    for name in entries:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "dataset.json").write_text(json.dumps(entries))
    return root


def test_labels_methods_and_subjects_are_read(tmp_path: Path) -> None:
    found = index(_preview(tmp_path, {_REAL: _real(), _FAKE: _fake("test")}))
    assert (found.layout, found.problems) == ("DFDC-preview", ())
    fake, real = found.videos
    assert fake.key == "DFDC-preview/method_B/unknown/1255229_1260311_C_001"
    assert (fake.label, fake.method, fake.split) == (FAKE, "method_B", "test")
    assert fake.identities == ("subject 1255229", "subject 1260311")
    assert real.key == "DFDC-preview/real/unknown/643049_A_001"
    assert (real.label, real.method, real.split) == (REAL, "real", None)
    assert real.identities == ("subject 643049",)


def test_no_name_tells_the_original_for_certain(tmp_path: Path) -> None:
    entries = {_FAKE: _fake(), "original_videos/1260311/1260311_C_001.mp4": _real()}
    assert {video.original for video in index(_preview(tmp_path, entries)).videos} == {None}


def test_stated_ids_come_before_those_of_the_name(tmp_path: Path) -> None:
    entries = {_FAKE: _fake(target_id="1260311", swapped_id=77), _REAL: _real()}
    fake = index(_preview(tmp_path, entries)).videos[0]
    assert fake.identities == ("subject 1260311", "subject 77", "subject 1255229")


def test_the_test_set_is_kept_and_the_rest_makes_train_and_val(tmp_path: Path) -> None:
    entries = {}
    for n in range(6):
        part = "test" if n == 5 else "train"
        entries[f"original_videos/{n}/{n}_A_001.mp4"] = _real(part)
        entries[f"method_A/{n}/{n}_A/{n}0_{n}_A_001.mp4"] = _fake(part)
    made = assign(index(_preview(tmp_path, entries)).videos)
    assert (made.policy, made.overlap) == ("official", ())
    assert sum(split == "test" for split in made.splits.values()) == 2
    assert set(made.splits.values()) == {"train", "val", "test"}


def test_entries_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    root = _preview(
        tmp_path / "set",
        {
            _REAL: _real(),
            "method_A/1/1_A/2_1_A_001.mp4": {"label": "odd", "set": "train"},
            "method_A/1/1_A/2_1_A_002.mp4": _fake("extra"),
            "../outside.mp4": _fake(),
        },
    )
    reasons = {Path(entry.path).name: entry.reason for entry in index(root).problems}
    assert reasons == {
        "2_1_A_001.mp4": "its label in dataset.json is 'odd', not real or fake",
        "2_1_A_002.mp4": "its set in dataset.json is 'extra', not train or test",
        "dataset.json": "'../outside.mp4': the path leads out of the data set; expected one below "
        "the folder of the list",
    }


def test_what_is_only_listed_or_only_there_is_said_once(tmp_path: Path) -> None:
    root = _preview(tmp_path, {_REAL: _real(), _FAKE: _fake()})
    (root / _FAKE).rename((root / _FAKE).with_name("other.mp4"))
    assert [entry.reason for entry in index(root).problems] == [
        f"videos listed but missing: 1, e.g. {_FAKE}",
        "videos present but not listed: 1, e.g. method_B/1260311/1260311_C/other.mp4",
    ]


@pytest.mark.parametrize(
    "content",
    ["{", '{"\\ud800.mp4": {"label": "real"}}', '{"a.mp4": {"label": "real"}, "b.mp4": 3}'],
)
def test_a_damaged_list_is_one_clear_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UserError, match=r"dataset\.json is damaged") as raised:
        index(tmp_path)
    assert "\n" not in str(raised.value)
