"""Pseudo-fakes differ from their clips inside the mask, follow the face, and are as sharp."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.video.grey import with_grey
from search.samples import pseudo_fakes
from search.samples.face_regions import STANDARD
from search.samples.pseudo_fakes import pseudo_fake
from search.samples.sharpness import sharpness

SIZE, COUNT = 96, 4
STEP = 3


def moved(at: int) -> npt.NDArray[np.uint8]:
    portrait = cv2.resize(skimage.data.astronaut()[0:240, 100:340], (130, 130))
    return portrait[8 : 8 + SIZE, 10 + STEP * at : 10 + STEP * at + SIZE]


@pytest.fixture(scope="module")
def clip() -> npt.NDArray[np.uint8]:
    """A portrait that goes to the left, 3 pixels a frame."""
    return with_grey(np.stack([moved(at) for at in range(COUNT)]))


@pytest.fixture(scope="module")
def points() -> npt.NDArray[np.float32]:
    """The points that go with it."""
    five = STANDARD * SIZE
    return np.stack([five - [STEP * at, 0] for at in range(COUNT)]).astype(np.float32)


def centres(mask: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[:SIZE, :SIZE]
    weight = mask.sum(axis=(1, 2))
    return np.stack([(mask * x).sum((1, 2)) / weight, (mask * y).sum((1, 2)) / weight], axis=1)


def many(clip: npt.NDArray, points: npt.NDArray | None, count: int = 40):
    return [pseudo_fake(clip, points, np.random.default_rng(seed)) for seed in range(count)]


def test_shapes_and_types_are_those_of_the_clip_and_grey_follows(clip, points) -> None:
    for frames, mask in many(clip, points, 8):
        assert frames.shape == clip.shape and frames.dtype == np.uint8
        assert mask.shape == clip.shape[:3] and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() <= 1.0001
        np.testing.assert_allclose(frames[..., 3], frames[..., :3].mean(axis=-1), atol=0.51)


def test_every_pseudo_fake_is_another_clip_and_the_clip_stays(clip, points) -> None:
    before = clip.copy()
    fakes = many(clip, points, 12)
    np.testing.assert_array_equal(clip, before)
    for frames, mask in fakes:
        assert (frames[mask > 0.1] != clip[mask > 0.1]).any()
    assert len({frames.tobytes() for frames, _ in fakes}) == len(fakes)


def test_a_generator_gives_one_pseudo_fake(clip, points) -> None:
    first, second = (pseudo_fake(clip, points, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_the_mask_follows_the_face(clip, points) -> None:
    steps = np.concatenate([np.diff(centres(mask)[:, 0]) for _, mask in many(clip, points)])
    assert steps.mean() == pytest.approx(-STEP, abs=0.3)
    steps = np.concatenate([np.diff(centres(mask)[:, 0]) for _, mask in many(clip, None)])
    assert steps.mean() == pytest.approx(0, abs=0.3)


def test_some_tremble_from_frame_to_frame_and_most_do_not(clip) -> None:
    trembling = [np.ptp(centres(mask), axis=0).max() > 0.02 for _, mask in many(clip, None)]
    assert 0.2 < np.mean(trembling) < 0.6


def test_masks_are_of_many_sizes_places_and_ratios(clip, points) -> None:
    masks = [mask for _, mask in many(clip, points)]
    areas = np.array([(mask[0] > mask.max() / 2).mean() for mask in masks])
    assert areas.min() < 0.1 and areas.max() > 0.3
    assert np.ptp([centres(mask)[0, 1] for mask in masks]) > SIZE / 6
    highest = {round(float(mask.max()), 2) for mask in masks}
    assert highest >= {0.25, 0.5, 0.75, 1.0}


def test_a_face_with_some_points_missing_is_followed_all_the_same(clip, points) -> None:
    holed = points.copy()
    holed[1] = np.nan
    whole = pseudo_fake(clip, points, np.random.default_rng(1))
    found = pseudo_fake(clip, holed, np.random.default_rng(1))
    np.testing.assert_allclose(found[1], whole[1], atol=0.02)


def test_stills_and_odd_sizes_work() -> None:
    still = with_grey(cv2.resize(moved(0), (33, 33))[None])
    frames, mask = pseudo_fake(still, None, np.random.default_rng(0))
    assert frames.shape == still.shape and mask.shape == (1, 33, 33)


def test_a_flat_clip_gives_a_finite_pseudo_fake() -> None:
    for seed in range(12):
        frames, mask = pseudo_fake(
            np.full((2, 32, 32, 4), 7, np.uint8), None, np.random.default_rng(seed)
        )
        assert np.isfinite(mask).all() and frames.shape == (2, 32, 32, 4)


def test_a_copy_is_moved_by_a_pixel_at_least_however_small_the_clip(
    clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudo_fakes, "set_sharpness", lambda frames, *_: frames)
    tiny = with_grey(np.stack([cv2.resize(frame[..., :3], (16, 16)) for frame in clip[:1]]))
    for frames, mask in many(tiny, None, 30):
        assert (frames[mask > 0.2] != tiny[mask > 0.2]).any()


def test_frames_without_grey_are_refused(clip) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(T, S, S, 4\)"):
        pseudo_fake(clip[..., :3], None, np.random.default_rng(0))


def log_ratios(clip: npt.NDArray, fakes: list) -> npt.NDArray[np.float64]:
    return np.log([sharpness(frames) / sharpness(clip) for frames, _ in fakes])


@pytest.fixture
def balanced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudo_fakes, "BALANCED", 1.0)


@pytest.mark.usefixtures("balanced")
def test_balanced_ones_are_as_often_sharper_as_softer_than_their_clip(clip, points) -> None:
    found = log_ratios(clip, many(clip, points, 150))
    assert found.mean() == pytest.approx(0, abs=4 * found.std() / np.sqrt(len(found)))
    assert abs(found.mean()) < 0.1
    assert 0.35 < (found > 0).mean() < 0.65
    assert 0.15 < found.std() < 0.5


@pytest.mark.usefixtures("balanced")
def test_photographs_of_many_people_keep_their_sharpness_on_average(real_data: Path) -> None:
    found = log_ratios_of_people(real_data)
    assert abs(np.mean(found)) < 0.1
    assert 0.35 < np.mean(np.array(found) > 0) < 0.65


def test_the_others_are_softer_as_a_paste_is_but_not_all_of_them(real_data: Path) -> None:
    found = np.array(log_ratios_of_people(real_data))
    assert -0.4 < found.mean() < -0.03
    assert 0.15 < np.mean(found > 0) < 0.5


def log_ratios_of_people(real_data: Path) -> list[float]:
    found: list[float] = []
    for number, path in enumerate(sorted((real_data / "faces_lfw").rglob("*.jpg"))[:150]):
        face = cv2.resize(cv2.imread(str(path))[60:190, 60:190, ::-1], (SIZE, SIZE))
        clip = with_grey(np.ascontiguousarray(face[None]))
        found += log_ratios(clip, [pseudo_fake(clip, None, np.random.default_rng(number))]).tolist()
    assert len(found) == 150
    return found
