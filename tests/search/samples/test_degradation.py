from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.video import degradation as steps
from data_prep.video.grey import with_grey
from search.samples import degradation
from search.samples.degradation import cut_out, degrade
from search.samples.face_regions import STANDARD
from search.samples.sharpness import sharpness

SIZE, COUNT = 96, 3


@pytest.fixture(scope="module")
def clip() -> npt.NDArray[np.uint8]:
    """One portrait, the same in every frame, so that whatever differs was done to it."""
    face = cv2.resize(skimage.data.astronaut()[0:220, 110:330], (SIZE, SIZE))
    return with_grey(np.stack([face] * COUNT))


@pytest.fixture(scope="module")
def colour(clip: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(clip[..., :3])


def many(clip: npt.NDArray[np.uint8], count: int = 80) -> list[npt.NDArray[np.uint8]]:
    return [degrade(clip, np.random.default_rng(seed)) for seed in range(count)]


def likeness(one: npt.NDArray, other: npt.NDArray) -> float:
    return float(np.corrcoef(one[..., 3].ravel(), other[..., 3].ravel())[0, 1])


def test_every_degraded_clip_still_shows_the_face(clip) -> None:
    before = clip.copy()
    found = many(clip)
    np.testing.assert_array_equal(clip, before)
    for frames in found:
        assert frames.shape == clip.shape and frames.dtype == np.uint8
        np.testing.assert_allclose(frames[..., 3], frames[..., :3].mean(axis=-1), atol=0.51)
        assert likeness(frames, clip) > 0.85
    assert len({frames.tobytes() for frames in found}) > 60


def test_sharpness_and_light_are_spread_wide_so_that_they_say_nothing(clip) -> None:
    found = many(clip)
    ratios = np.log([sharpness(frames) / sharpness(clip) for frames in found])
    assert ratios.min() < -1.5 and ratios.max() > 0.5
    assert np.std([frames[..., 3].mean() for frames in found]) > 8
    saturation = [np.ptp(frames[..., :3].astype(int), axis=-1).mean() for frames in found]
    assert min(saturation) < 0.5 * np.ptp(clip[..., :3].astype(int), axis=-1).mean()


def test_frames_share_what_was_drawn_but_for_noise(clip) -> None:
    still = 0
    for frames in many(clip):
        apart = np.abs(np.diff(frames.astype(float), axis=0))
        assert apart.mean() < 12
        still += apart.mean() < 1
    assert still > 40


STEPS = ("COLOUR", "FOCUS", "SMALLER", "GRAIN", "COMPRESSION")


@pytest.mark.parametrize("step", STEPS)
def test_every_step_happens_as_often_as_it_says(
    clip, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = getattr(degradation, step)
    for name in STEPS:
        monkeypatch.setattr(degradation, name, 0.0)
    assert all((frames == clip).all() for frames in many(clip, 3))
    monkeypatch.setattr(degradation, step, often)
    share = np.mean([(frames != clip).any() for frames in many(clip)])
    assert share == pytest.approx(often, abs=0.2)
    assert 0 < share < 1


def test_a_generator_degrades_alike(clip) -> None:
    first, second = (degrade(clip, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("size", [16, 33, 100])
def test_clips_of_any_size_are_degraded(size: int) -> None:
    clip = np.full((2, size, size, 4), 100, np.uint8)
    for seed in range(30):
        assert degrade(clip, np.random.default_rng(seed)).shape == clip.shape


def test_jpeg_and_h264_lose_more_the_harder_they_press(colour) -> None:
    def lost(frames: npt.NDArray[np.uint8]) -> float:
        return float(np.abs(frames.astype(float) - colour).mean())

    assert 0 < lost(steps.jpeg(colour, 95)) < lost(steps.jpeg(colour, 30)) < 12
    assert 0 < lost(steps.h264(colour, 18)) < lost(steps.h264(colour, 38)) < 14


def test_frames_compressed_as_one_picture_are_those_compressed_one_by_one() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
    one_by_one = np.concatenate([steps.jpeg(frame[None], 60) for frame in frames])
    # Only at the seams, where colours of half resolution are enlarged, may they differ.
    np.testing.assert_array_equal(steps.jpeg(frames, 60)[:, 2:-2], one_by_one[:, 2:-2])


def test_noise_has_the_deviation_asked_for_and_is_new_in_every_frame() -> None:
    flat = np.full((3, 64, 64, 3), 128, np.uint8)
    noise = steps.grain(flat, 5.0, np.random.default_rng(0)).astype(float) - 128
    assert noise.std() == pytest.approx(5, rel=0.03)
    assert abs(noise.mean()) < 0.1
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_colours_of_stored_frames_are_those_they_were_stored_with(colour) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 50, 50, 3), np.uint8)
    for frames in (colour, noise):
        np.testing.assert_array_equal(steps.extract_colours(with_grey(frames)), frames)


def test_a_colour_matrix_does_what_its_arguments_say(colour) -> None:
    def done(**values: object) -> npt.NDArray[np.float64]:
        matrix = steps.colour_matrix(**values)  # type: ignore[arg-type]
        return steps.recolour(np.full((1, 2, 2, 3), (100, 120, 160), np.uint8), matrix)[0, 0, 0]

    np.testing.assert_array_equal(done(), [100, 120, 160])
    np.testing.assert_allclose(done(saturation=0.0), [127] * 3, atol=1)
    np.testing.assert_array_equal(done(brightness=10, shift=(5, 0, -5)), [115, 130, 165])
    np.testing.assert_array_equal(done(contrast=0.5), [114, 124, 144])
    np.testing.assert_array_equal(done(hue=120), [160, 100, 120])
    darker = steps.recolour(colour, steps.colour_matrix(), gamma=1.5)
    assert darker.mean() < colour.mean() - 5


def test_blur_softens_and_its_opposite_sharpens(colour) -> None:
    assert sharpness(steps.soften(colour, 1.0)) < 0.5 * sharpness(colour)
    assert sharpness(steps.sharpen(colour, 0.8)) > 1.5 * sharpness(colour)


def test_a_part_of_the_face_is_erased_and_the_hole_follows_it(clip) -> None:
    step = 6
    five = STANDARD * SIZE
    points = np.stack([five + np.array([step * at, 0]) for at in range(COUNT)])
    shares = []
    for seed in range(20):
        erased = cut_out(clip, points, np.random.default_rng(seed))
        holes = (erased != clip).any(axis=-1)
        shares.append(holes.mean())
        columns = [np.flatnonzero(hole.any(axis=0)).mean() for hole in holes]
        assert np.diff(columns) == pytest.approx([step] * (COUNT - 1), abs=2.5)
        np.testing.assert_allclose(erased[..., 3], erased[..., :3].mean(axis=-1), atol=0.51)
    assert 0.02 < min(shares) < 0.1 and 0.15 < max(shares) < 0.6


def test_without_points_a_part_of_the_middle_is_erased(clip) -> None:
    erased = cut_out(clip, None, np.random.default_rng(0))
    changed = (erased != clip).any(axis=-1)
    assert 0 < changed.mean() < 0.6
    assert not changed[:, :2].any()
