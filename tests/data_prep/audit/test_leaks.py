"""What lies in two splits is found, and what does not is not."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from data_prep.audit import leaks
from data_prep.audit.leaks import CONTENT, FILE, GROUP, NAME, VIDEO, Leak, find_leaks
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import SPLITS, Clip, Store, write_store
from data_prep.video import picture_hashes
from data_prep.video.grey import with_grey

MakeClip = Callable[..., Clip]


def _leaks(folder: Path, clips: Sequence[Clip]) -> dict[str, Leak]:
    write_store(folder / "store.h5", clips, [], {})
    with Store(folder / "store.h5") as store:
        return {leak.kind: leak for leak in find_leaks(store)}


def _people(make_clip: MakeClip) -> list[Clip]:
    """Twelve people, each with a real and a fake in one split."""
    return [
        make_clip(f"person{number}", kind, split=SPLITS[number % 3])
        for number in range(12)
        for kind in ("real", "swap")
    ]


def test_people_who_stay_on_their_side_are_no_leak(make_clip: MakeClip, tmp_path: Path) -> None:
    assert _leaks(tmp_path, _people(make_clip)) == {}


def test_a_person_in_two_splits_is_named(make_clip: MakeClip, tmp_path: Path) -> None:
    moved = make_clip("anna", "real", split="test"), make_clip("anna", "swap", split="train")
    found = _leaks(tmp_path, [*_people(make_clip), *moved])
    assert set(found) == {GROUP, NAME}
    leak = found[GROUP]
    assert (leak.certain, leak.count) == (True, 1)
    assert leak.examples[0].what == "anna"
    assert [(clip.split, clip.key) for clip in leak.examples[0].clips] == [
        ("train", "set/swap/c23/anna"),
        ("test", "set/real/c23/anna"),
    ]


def test_one_file_under_two_names_is_found(make_clip: MakeClip, tmp_path: Path) -> None:
    one = make_clip("anna")
    other = make_clip("ben", split="val", sha256=one.sha256)
    found = _leaks(tmp_path, [one, other])
    assert set(found) == {FILE}
    assert found[FILE].examples[0].what == one.sha256


def test_an_unknown_hash_is_not_shared(make_clip: MakeClip, tmp_path: Path) -> None:
    assert (
        _leaks(tmp_path, [make_clip("a", sha256=""), make_clip("b", split="val", sha256="")]) == {}
    )


def test_one_video_in_two_qualities_is_likely(make_clip: MakeClip, tmp_path: Path) -> None:
    one = make_clip("000_003", "Deepfakes", group="a")
    other = make_clip("x", "Deepfakes", group="b", split="test", key="set/Deepfakes/c40/000_003")
    found = _leaks(tmp_path, [one, other])
    assert set(found) == {NAME}
    assert not found[NAME].certain
    assert found[NAME].examples[0].what == "set: 000_003"


def test_frames_of_videos_dealt_at_random_are_found(make_clip: MakeClip, tmp_path: Path) -> None:
    """What a random split of frames does: every video lies on all sides."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(2):
        picture = make_clip(f"video{number}", count=1).frames[..., :3]
        for at in range(12):
            noisy = picture + rng.normal(0, 5, picture.shape)
            clip = make_clip(
                f"video{number}",
                ("real", "swap")[number],
                count=1,
                key=f"set/m/q/{number}_{at}",
                split=str(rng.choice(SPLITS)),
                frames=with_grey(np.clip(noisy, 0, 255).astype(np.uint8)),
            )
            clips.append(clip)
    found = _leaks(tmp_path, clips)
    assert set(found) == {GROUP, FILE, VIDEO, CONTENT}
    assert (found[GROUP].count, found[FILE].count, found[VIDEO].count) == (2, 2, 2)
    # Frames as files of their own, nobody known: the pictures still tell.
    hidden = [
        dataclasses.replace(clip, group=clip.key, path=clip.key, sha256=clip.key) for clip in clips
    ]
    found = _leaks(tmp_path, hidden)
    assert set(found) == {CONTENT}
    both = found[CONTENT].examples[0].clips
    assert both[0].key.split("_")[0] == both[1].key.split("_")[0]


@pytest.mark.parametrize("how", ["jpeg", "smaller"])
def test_content_encoded_again_under_another_name_is_found(
    make_clip: MakeClip, tmp_path: Path, how: str
) -> None:
    one = make_clip("anna", "swap")
    frames = with_grey(np.stack([_worse(frame[..., :3], how) for frame in one.frames]))
    assert not np.array_equal(frames, one.frames)
    other = make_clip("zoe", "real", split="test", frames=frames)
    found = _leaks(tmp_path, [*_people(make_clip), one, other])
    assert set(found) == {CONTENT}
    leak = found[CONTENT]
    assert (leak.certain, leak.count) == (False, 1)
    assert {clip.key for clip in leak.examples[0].clips} == {one.key, other.key}
    assert re.fullmatch(r"\d+ of 256 bits differ", leak.examples[0].what)
    together = dataclasses.replace(other, split="train")
    assert _leaks(tmp_path, [*_people(make_clip), one, together]) == {}


def _worse(picture: npt.NDArray[np.uint8], how: str) -> npt.NDArray[np.uint8]:
    if how == "jpeg":
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    size = picture.shape[1::-1]
    half = cv2.resize(picture, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(half, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def test_flat_pictures_are_like_nothing(make_clip: MakeClip, tmp_path: Path) -> None:
    black = np.zeros((3, 64, 64, 4), np.uint8)
    both = make_clip("a", frames=black), make_clip("b", split="val", frames=black)
    assert _leaks(tmp_path, both) == {}


def test_pictures_of_nothing_but_noise_are_like_nothing(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    """Black frames of one camera: a hash of their faint pattern would call them one picture."""
    pattern = np.random.default_rng(0).integers(0, 3, (3, 64, 64, 3), np.uint8)
    dark = [
        make_clip(person, "real", split=split, frames=with_grey(pattern))
        for person, split in (("anna", "train"), ("ben", "test"))
    ]
    assert _leaks(tmp_path, dark) == {}


def test_one_video_in_two_splits_is_told_once_and_not_by_its_name_again(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    faces = [
        make_clip("anna", kind, split=split, path="/set/anna.mp4", key=f"set/{kind}/c23/anna")
        for kind, split in (("real", "train"), ("swap", "test"))
    ]
    assert set(_leaks(tmp_path, faces)) == {GROUP, VIDEO}


def test_pairs_are_counted_across_blocks_and_the_closest_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture_hashes, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    hashes = rng.integers(1, 2**63, (30, 2, 4)).astype(np.uint64)
    others = rng.integers(1, 2**63, (20, 2, 4)).astype(np.uint64)
    others[15, 1] = hashes[4, 1]
    others[3, 0] = hashes[28, 0] ^ np.array([0b111, 0, 0, 0], np.uint64)
    others[9, 0] = hashes[11, 1]
    assert leaks.near_pairs(hashes, others) == (2, [(0, 4, 15), (3, 28, 3)])


@pytest.mark.slow
def test_two_compressions_of_real_videos_are_found_and_people_told_apart(
    real_data: Path, tmp_path: Path
) -> None:
    """Two people a split, every video in two qualities: only a store that mixes them leaks."""
    source = real_data / "ffpp_methods"
    prepared = tmp_path / "prepared.h5"
    originals = tmp_path / "originals"
    for quality in ("c23", "c40"):
        for path in sorted((source / f"original_sequences/youtube/{quality}/videos").iterdir()):
            target = originals / ("real" if quality == "c23" else "fake") / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    prepare(originals, prepared, Preparation(frames=4), split=SplitRequest(policy="test"))
    with Store(prepared) as store:
        hashes = leaks.hash_clips(store)
        names = np.array([Path(path).name for path in store.paths])
        light = store.labels == 0
        count, closest = leaks.near_pairs(hashes[light], hashes[~light])
    assert count == len(set(names)) == 4
    for _, row, other in closest:
        assert names[light][row] == names[~light][other]


def test_many_different_people_never_look_alike(real_data: Path) -> None:
    """Every person of LFW against every other; no detector, the middle of each picture."""
    pictures = sorted((real_data / "faces_lfw").rglob("*.jpg"))
    people = [re.sub(r"_\d+$", "", path.stem) for path in pictures]
    hashes = []
    for path in pictures:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        hashes.append(picture_hashes._hash(cv2.resize(grey[60:190, 60:190], (128, 128))))
    stacked = np.stack(hashes)[:, None]
    bits = picture_hashes._distances(stacked, stacked)
    others = np.array(people)[:, None] != np.array(people)
    assert len(set(people)) == 150
    assert bits[others].min() > 2 * picture_hashes.SAME_PICTURE


def test_leaks_are_plain_values(make_clip: MakeClip, tmp_path: Path) -> None:
    both = make_clip("anna"), make_clip("anna", "swap", split="val")
    for leak in _leaks(tmp_path, both).values():
        json.dumps(dataclasses.asdict(leak), allow_nan=False)
