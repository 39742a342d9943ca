"""Generated faces are laid where the real face is, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.video.grey import with_grey
from search.samples.face_regions import STANDARD
from search.samples.gan_fakes import gan_fake
from search.samples.sharpness import sharpness

T, SIZE = 4, 96


@pytest.fixture
def clip() -> npt.NDArray[np.uint8]:
    """A portrait that drifts to the right, with a camera's noise."""
    portrait = cv2.resize(skimage.data.astronaut()[0:210, 120:330], (SIZE, SIZE))
    rng = np.random.default_rng(0)
    frames = np.stack([np.roll(portrait, 2 * at, axis=1) for at in range(T)])
    return with_grey(np.clip(frames + rng.normal(0, 3, frames.shape), 0, 255).astype(np.uint8))


@pytest.fixture
def points() -> npt.NDArray[np.float32]:
    drift = np.array([[[2 * at, 0]] for at in range(T)])
    return (STANDARD * SIZE + drift).astype(np.float32)


@pytest.fixture
def walk() -> npt.NDArray[np.uint8]:
    """Another synthetic face: ovals for eyes and mouth on skin, which brightens a little."""
    faces = np.empty((T, 32, 32, 3), np.uint8)
    for at, face in enumerate(faces):
        face[:] = (150 + 2 * at, 110 + 2 * at, 90 + 2 * at)
        for x, y in STANDARD * 32:
            cv2.circle(face, (round(x), round(y)), 2, (40, 30, 30), -1)
    return faces


def test_the_background_stays_and_the_face_is_changed(
    clip: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], walk: npt.NDArray[np.uint8]
) -> None:
    fake, mask = gan_fake(clip, points, walk, np.random.default_rng(1))
    assert (fake.shape, fake.dtype) == (clip.shape, np.uint8)
    assert (mask.shape, mask.dtype) == (clip.shape[:3], np.float32)
    assert mask.min() >= 0
    assert 0.9 < mask.max() <= 1
    np.testing.assert_array_equal(fake[mask == 0], clip[mask == 0])
    assert np.abs(fake[mask > 0.9].astype(int) - clip[mask > 0.9]).mean() > 8
    np.testing.assert_array_equal(fake, with_grey(np.ascontiguousarray(fake[..., :3])))


def test_the_generated_face_follows_the_points(
    clip: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], walk: npt.NDArray[np.uint8]
) -> None:
    _, mask = gan_fake(clip, points, walk, np.random.default_rng(1))
    centres = [np.average(np.arange(SIZE), weights=one.sum(axis=0)) for one in mask]
    np.testing.assert_allclose(np.diff(centres), 2, atol=0.2)


def test_a_walk_in_its_own_colours_comes_out_in_those_of_the_clip(
    clip: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], walk: npt.NDArray[np.uint8]
) -> None:
    blue = walk[..., ::-1] // 2
    fake, _ = gan_fake(clip, points, blue, np.random.default_rng(1))
    means = [frames[..., :3].mean(axis=(0, 1, 2)) for frames in (fake, clip)]
    assert np.abs(means[0] - means[1]).max() < 2


def test_sharpness_does_not_tell_on_average(
    clip: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], walk: npt.NDArray[np.uint8]
) -> None:
    ratios = [
        np.log(sharpness(gan_fake(clip, points, walk, np.random.default_rng(seed))[0]))
        - np.log(sharpness(clip))
        for seed in range(24)
    ]
    assert abs(np.mean(ratios)) < 0.25
    assert np.std(ratios) > 0.1


def test_missing_points_mean_a_face_in_the_middle(
    clip: npt.NDArray[np.uint8], walk: npt.NDArray[np.uint8]
) -> None:
    nowhere = np.full((T, 5, 2), np.nan, np.float32)
    one, other = (gan_fake(clip, p, walk, np.random.default_rng(1))[0] for p in (None, nowhere))
    np.testing.assert_array_equal(one, other)


def test_what_is_drawn_depends_on_the_generator_alone(
    clip: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], walk: npt.NDArray[np.uint8]
) -> None:
    made = [gan_fake(clip, points, walk, np.random.default_rng(seed))[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any()


def test_floats_in_the_range_of_pixels_will_do(
    clip: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], walk: npt.NDArray[np.uint8]
) -> None:
    one, other = (
        gan_fake(clip, points, faces, np.random.default_rng(1))[0]
        for faces in (walk, walk.astype(np.float32))
    )
    np.testing.assert_array_equal(one, other)


def test_a_walk_of_another_length_is_refused(
    clip: npt.NDArray[np.uint8], walk: npt.NDArray[np.uint8]
) -> None:
    with pytest.raises(ValueError, match=r"4 frames need as many faces\. Received: 3"):
        gan_fake(clip, None, walk[:3], np.random.default_rng(0))
