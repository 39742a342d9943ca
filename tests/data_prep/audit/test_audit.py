"""An audit says in plain words what is wrong with a store, the gravest first, and no more."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import pytest

from data_prep.audit.audit import (
    LEAK,
    NOTE,
    SEVERITIES,
    WARNING,
    Audit,
    audit,
    is_shortcut,
    value_text,
)
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import SPLITS, Clip, Quarantined, Store, write_store

MakeClip = Callable[..., Clip]


def _audit(
    folder: Path,
    clips: Sequence[Clip],
    quarantine: Sequence[Quarantined] = (),
    **preparation: Any,
) -> Audit:
    write_store(folder / "store.h5", clips, quarantine, preparation)
    with Store(folder / "store.h5") as store:
        return audit(store)


def _people(make_clip: MakeClip, **values: Any) -> list[Clip]:
    """Eighteen people, each with a real and a fake in one split."""
    return [
        make_clip(f"person{number}", kind, split=SPLITS[number % 3], **values)
        for number in range(18)
        for kind in ("real", "swap")
    ]


def _texts(found: Audit, severity: str) -> list[str]:
    return [finding.text for finding in found.findings if finding.severity == severity]


def test_a_clean_store_has_notes_alone(make_clip: MakeClip, tmp_path: Path) -> None:
    found = _audit(tmp_path, _people(make_clip))
    assert {finding.severity for finding in found.findings} == {NOTE}
    assert "no leak between the splits was found" in _texts(found, NOTE)
    assert (found.clips, found.people, found.synthetic) == (36, 18, False)
    assert [(row.split, row.label, row.method, row.clips, row.people) for row in found.balance] == [
        (split, *kind, 6, 6) for split in SPLITS for kind in (("real", "real"), ("fake", "swap"))
    ]


def test_an_audit_is_json_and_the_same_again(make_clip: MakeClip, tmp_path: Path) -> None:
    first = _audit(tmp_path, _people(make_clip)).to_json()
    assert json.loads(json.dumps(first, allow_nan=False))["clips"] == 36
    assert _audit(tmp_path, _people(make_clip)).to_json() == first


def test_a_leak_comes_first_and_names_clips(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = _people(make_clip)
    clips[0] = dataclasses.replace(clips[0], split="test")
    found = _audit(tmp_path, clips, split={"overlap": 1})
    severities = [SEVERITIES.index(finding.severity) for finding in found.findings]
    assert severities == sorted(severities)
    leaks = _texts(found, LEAK)
    assert leaks[0] == (
        "1 identity group is in more than one split, e.g. person0: set/swap/c23/person0 (train) "
        "and set/real/c23/person0 (test)"
    )
    assert leaks[1].startswith("likely: 1 video name is in more than one split")
    assert any("--allow-overlap" in text for text in _texts(found, NOTE))


def test_a_shortcut_is_told_with_its_medians(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = [
        dataclasses.replace(clip, shortcuts={**clip.shortcuts, "width": 944.0 - 2 * clip.label})
        for clip in _people(make_clip)
    ]
    found = _audit(tmp_path, clips)
    assert _texts(found, WARNING)[0] == (
        "shortcut: width: real 944, fake 942, AUC 1.00 (1.00 to 1.00); with the direction "
        "chosen on train, the other splits reach AUC 1.00"
    )
    assert found.shortcuts[0].name == "width"


def test_faces_found_less_in_one_label_are_a_warning(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = [
        dataclasses.replace(clip, coverage=1.0 if clip.label else 0.75)
        for clip in _people(make_clip)
    ]
    found = _audit(tmp_path, clips)
    assert _texts(found, WARNING) == [
        "face coverage differs: faces were found in 75.0% of real and 100.0% of fake frames; "
        "100.0% of real and 0.0% of fake clips are incomplete"
    ]
    rows = {(row.split, row.label): (row.mean, row.incomplete) for row in found.coverage}
    assert rows["all", "real"] == (0.75, 1)
    assert rows["val", "fake"] == (1, 0)


def test_what_was_lost_is_counted_by_the_label_of_its_folder(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    lost = [Quarantined(f"/set/real/lost{n}.mp4", "faces", "no face") for n in range(4)]
    lost.append(Quarantined("/set/real/deeper/down.mp4", "faces", "no face"))
    lost.append(Quarantined("/set/labels.csv:3", "index", "unknown label"))
    found = _audit(tmp_path, _people(make_clip), lost)
    assert [(row.label, row.quarantined, row.clips) for row in found.losses] == [
        ("real", 5, 18),
        ("unknown", 1, 0),
    ]
    assert _texts(found, WARNING) == [
        "quarantined videos: 5 of 23 real, 1 of unknown label; the loss rate differs between "
        "reals and fakes"
    ]


def test_even_losses_are_a_note(make_clip: MakeClip, tmp_path: Path) -> None:
    lost = [Quarantined(f"/set/{kind}/lost.mp4", "decode", "empty") for kind in ("real", "swap")]
    found = _audit(tmp_path, _people(make_clip), lost)
    assert "quarantined videos: 1 of 19 real, 1 of 19 fake" in _texts(found, NOTE)


def test_a_split_without_a_label_is_a_warning_and_an_uneven_one_a_note(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clips = [clip for clip in _people(make_clip) if clip.label or clip.split != "val"]
    clips += [make_clip(f"more{n}", "swap", split="test") for n in range(25)]
    found = _audit(tmp_path, clips)
    assert "val has 0 real and 6 fake clips: its AUC is undefined" in _texts(found, WARNING)
    text = "test has 6 real and 31 fake clips: accuracy alone misleads"
    assert text in _texts(found, NOTE)


def test_one_label_alone_is_audited_without_shortcuts(make_clip: MakeClip, tmp_path: Path) -> None:
    found = _audit(tmp_path, [make_clip("anna"), make_clip("ben")])
    assert (found.shortcuts, found.combined) == ((), None)
    assert any(text.startswith("one label only") for text in _texts(found, NOTE))


def test_real_only_clips_are_counted_apart_and_not_compared_with_the_fakes(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clips = _people(make_clip)
    plain = _audit(tmp_path, clips)
    media = clips[0].media | {"width": 99, "codec": "png", "bytes": 7}
    faces = [
        make_clip(
            f"face{number}",
            split=("train", "val")[number % 2],
            path=f"/faces/face{number}.png",
            media=media,
            role="real-only",
            coverage=0.5,
        )
        for number in range(40)
    ]
    lost = [Quarantined("/faces/lost.png", "faces", "no face")]
    (tmp_path / "store.h5").unlink()
    found = _audit(tmp_path, [*clips, *faces], lost)
    assert found.shortcuts == plain.shortcuts
    assert found.combined == plain.combined
    assert found.coverage == plain.coverage
    apart = {(row.split, row.clips) for row in found.balance if row.label == "real-only"}
    assert apart == {("train", 20), ("val", 20)}
    assert [row for row in found.balance if row.label != "real-only"] == list(plain.balance)
    assert [(row.label, row.quarantined, row.clips) for row in found.losses] == [
        ("real-only", 1, 40)
    ]
    assert _texts(found, WARNING) == _texts(plain, WARNING)


def test_fakes_beside_real_only_clips_alone_are_one_label(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clips = [make_clip("anna", "swap"), make_clip("ben", role="real-only")]
    found = _audit(tmp_path, clips)
    assert (found.shortcuts, found.combined) == ((), None)


def test_a_synthetic_store_says_so(make_clip: MakeClip, tmp_path: Path) -> None:
    found = _audit(tmp_path, _people(make_clip), synthetic=True)
    assert found.synthetic
    assert any(text.startswith("SYNTHETIC") for text in _texts(found, NOTE))


def test_a_store_without_quantities_is_audited(make_clip: MakeClip, tmp_path: Path) -> None:
    found = _audit(tmp_path, _people(make_clip, shortcuts={}, media={}))
    assert found.shortcuts == ()
    assert any("no shortcut quantities" in text for text in _texts(found, NOTE))


def test_a_split_that_is_none_is_refused(make_clip: MakeClip, tmp_path: Path) -> None:
    write_store(tmp_path / "store.h5", [make_clip("anna")], [], {})
    with h5py.File(tmp_path / "store.h5", "a") as file:
        file["clips/split"][0] = "tset"
    with Store(tmp_path / "store.h5") as store, pytest.raises(UserError, match="dfsearch verify"):
        audit(store)


@pytest.mark.parametrize(
    ("value", "text"),
    [(944.0, "944"), (0.123456, "0.123"), (123456.0, "123456"), ("h264", "h264"), ("", "none")],
)
def test_values_are_shown_as_people_write_them(value: float | str, text: str) -> None:
    assert value_text(value) == text


def test_width_alone_separates_the_celeb_df_sample(real_data: Path, tmp_path: Path) -> None:
    """Three clips each of one person, 942 pixels wide if real and 944 if fake."""
    prepare(
        real_data / "celebdf",
        tmp_path / "celebdf.h5",
        Preparation(frames=4),
        split=SplitRequest(policy="test"),
    )
    with Store(tmp_path / "celebdf.h5") as store:
        found = audit(store)
    width = next(row for row in found.shortcuts if row.name == "width")
    assert {width.real, width.fake} == {942.0, 944.0}
    assert (width.auc, width.interval) == (1, None)
    assert (
        "shortcut: width: real 942, fake 944, AUC 1.00 (too few people for an interval)"
        in _texts(found, WARNING)
    )
    assert not found.leaks


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("coverage", float("nan"), "not from 0 to 1"),
        ("coverage", -1e308, "not from 0 to 1"),
        ("coverage", 1.5, "not from 0 to 1"),
        ("shortcuts/noise", float("nan"), "not finite or exceeds"),
        ("shortcuts/noise", -1e308, "not finite or exceeds"),
        ("shortcuts/noise", 1e160, "not finite or exceeds"),
    ],
)
def test_a_quantity_out_of_its_range_is_refused(
    name: str, value: float, fault: str, make_clip: MakeClip, tmp_path: Path
) -> None:
    write_store(tmp_path / "store.h5", _people(make_clip), [], {})
    with h5py.File(tmp_path / "store.h5", "r+") as file:
        file[f"clips/{name}"][3] = value
    expected = rf"{name.split('/')[-1]} is {fault}.*; run dfsearch verify"
    with Store(tmp_path / "store.h5") as store, pytest.raises(UserError, match=expected):
        audit(store)


@pytest.mark.parametrize("value", [1e30, -1e30])
def test_a_quantity_at_its_limit_is_audited(
    value: float, make_clip: MakeClip, tmp_path: Path
) -> None:
    write_store(tmp_path / "store.h5", _people(make_clip), [], {})
    with h5py.File(tmp_path / "store.h5", "r+") as file:
        file["clips/shortcuts/noise"][3] = value
    with Store(tmp_path / "store.h5") as store:
        json.dumps(audit(store).to_json(), allow_nan=False)


def test_a_store_of_no_known_split_settings_is_audited(make_clip: MakeClip, tmp_path: Path) -> None:
    assert _audit(tmp_path, _people(make_clip), split=None).people == 18


@pytest.mark.parametrize(
    ("auc", "interval", "worth_a_word"),
    [
        (0.8, (0.6, 0.9), True),
        (0.8, (0.45, 0.95), False),
        (0.65, (0.6, 0.7), False),
        (0.8, None, False),
        (0.95, None, True),
    ],
)
def test_a_shortcut_is_high_and_not_by_chance(
    auc: float, interval: tuple[float, float] | None, worth_a_word: bool
) -> None:
    assert is_shortcut(auc, interval) is worth_a_word
