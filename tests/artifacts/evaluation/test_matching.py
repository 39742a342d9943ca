from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from artifacts.evaluation.matching import (
    PIXEL_QUANTITIES,
    blur,
    equalise_sharpness,
    write_matched,
)
from data_prep.errors import UserError
from data_prep.preparation.shortcuts import sharpness
from data_prep.store.clip_reader import ClipReader
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.grey import with_grey

MakeClip = Callable[..., Clip]


@pytest.fixture(scope="module")
def portrait() -> npt.NDArray[np.uint8]:
    """Three frames of a face, uint8 (3, 128, 128, 4)."""
    face = cv2.resize(skimage.data.astronaut()[0:200, 130:330], (128, 128))
    return with_grey(np.stack([np.roll(face, shift, axis=1) for shift in range(3)]))


def frames_of(portrait: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.uint8]:
    return blur(portrait, sigma)


def test_sharpness_is_the_quantity_that_audits_measure(make_clip: MakeClip) -> None:
    clip = make_clip("anna")
    assert sharpness(clip.frames) == pytest.approx(clip.shortcuts["sharpness"], rel=1e-5)


@pytest.mark.parametrize("sigma", [0.4, 0.6, 1.0, 2.0, 4.0])
def test_the_sharper_of_two_clips_becomes_as_sharp_as_the_other(
    portrait: npt.NDArray[np.uint8], sigma: float
) -> None:
    soft = frames_of(portrait, sigma)
    assert sharpness(portrait) > 1.05 * sharpness(soft)
    for first, second in ((portrait, soft), (soft, portrait)):
        one, other = equalise_sharpness(first, second)
        assert sharpness(one) == pytest.approx(sharpness(other), rel=0.02)
        untouched = other if first is portrait else one
        np.testing.assert_array_equal(untouched, soft)


def test_equally_sharp_clips_are_left_as_they_are(portrait: npt.NDArray[np.uint8]) -> None:
    one, other = equalise_sharpness(portrait, portrait)
    np.testing.assert_array_equal(one, portrait)
    np.testing.assert_array_equal(other, portrait)


def test_grey_follows_colour_under_a_blur(portrait: npt.NDArray[np.uint8]) -> None:
    soft = blur(portrait, 1.5)
    np.testing.assert_array_equal(soft, with_grey(soft[..., :3]))


@pytest.fixture
def store(tmp_path: Path, make_clip: MakeClip) -> Store:
    """Two reals, three fakes of them, blurrier than they are, and one fake of a stranger."""
    reals = [make_clip("anna", split="test"), make_clip("ben", split="test")]
    fakes = []
    for number, (person, sigma) in enumerate([("anna", 0.7), ("anna", 1.2), ("ben", 0.9)]):
        real = next(clip for clip in reals if clip.group == person)
        fake = make_clip(person, f"swap{number}", split="test", crop_source=real.key)
        fakes.append(dataclasses.replace(fake, frames=blur(real.frames, sigma)))
    fakes.append(make_clip("carl", "swap", split="test", crop_source="set/real/c23/carl"))
    write_store(tmp_path / "store.h5", [*reals, *fakes], [], {"clip": {}})
    with Store(tmp_path / "store.h5") as opened:
        yield opened


def test_a_matched_store_holds_each_fake_with_a_real_as_sharp(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "matched.h5"
    assert write_matched(store, np.arange(len(store)), path) == 3
    with Store(path) as matched:
        assert matched.labels.tolist() == [1, 0] * 3
        assert not any("carl" in key for key in matched.keys)
        for fake in (0, 2, 4):
            assert matched.crop_sources[fake] == matched.keys[fake + 1]
            assert matched.groups[fake] == matched.groups[fake + 1]
            values = matched.shortcuts["sharpness"][[fake, fake + 1]]
            assert values[0] == pytest.approx(values[1], rel=0.02)
            assert values[0] == pytest.approx(sharpness(matched.read([fake])[0]), rel=1e-5)


def test_what_is_not_of_pixels_stays_as_it_was(store: Store, tmp_path: Path) -> None:
    write_matched(store, np.arange(len(store)), tmp_path / "matched.h5")
    before = ClipReader(store)(2)
    with Store(tmp_path / "matched.h5") as matched:
        after = ClipReader(matched)(0)
    assert after.key == before.key
    assert after.media == before.media
    same = set(before.shortcuts) - set(PIXEL_QUANTITIES)
    assert {name: after.shortcuts[name] for name in same} == {
        name: before.shortcuts[name] for name in same
    }


def test_a_store_without_pairs_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prepare originals and fakes together"):
        write_matched(store, np.array([0, 1, 5]), tmp_path / "matched.h5")


def test_a_flat_clip_is_refused_and_nothing_is_written(tmp_path: Path, make_clip: MakeClip) -> None:
    real = make_clip("anna")
    flat = np.full_like(real.frames, 90)
    fake = make_clip("anna", "swap", crop_source=real.key, frames=flat)
    write_store(tmp_path / "store.h5", [real, fake], [], {"clip": {}})
    with Store(tmp_path / "store.h5") as store, pytest.raises(UserError, match="flat"):
        write_matched(store, np.arange(2), tmp_path / "matched.h5")
    assert not (tmp_path / "matched.h5").exists()


def test_a_clip_is_read_back_as_it_was_written(tmp_path: Path, make_clip: MakeClip) -> None:
    clip = make_clip(
        "anna",
        "swap",
        crop_source="set/real/c23/anna",
        source="portraits",
        role="real-only",
        weight=0.5,
        still=True,
        identities=("people:anna", "people:ben"),
    )
    write_store(tmp_path / "store.h5", [clip], [], {"clip": {}})
    with Store(tmp_path / "store.h5") as store:
        found = ClipReader(store)(0)
        write_store(tmp_path / "again.h5", [found], [], {"clip": {}})
        with Store(tmp_path / "again.h5") as again:
            assert again.fingerprint == store.fingerprint
    for field in dataclasses.fields(Clip):
        expected, value = getattr(clip, field.name), getattr(found, field.name)
        np.testing.assert_equal(value, expected, err_msg=field.name)
