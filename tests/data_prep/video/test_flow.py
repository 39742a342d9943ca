"""Flow finds known motions of a face, and strain is zero where nothing stretches."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.errors import UserError
from data_prep.video.flow import flow_and_strain, flow_shape
from data_prep.video.grey import with_grey
from data_prep.video.video import read_frames

Floats = npt.NDArray[np.float64]
_SIDE = 128
_Y, _X = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float64)


def _portrait(x: Floats, y: Floats) -> npt.NDArray[np.uint8]:
    """The face of a photograph, seen at crop positions (x, y)."""
    source = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 0.7)
    maps = [(154 + 1.1 * x).astype(np.float32), (50 + 1.1 * y).astype(np.float32)]
    return cv2.remap(source, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _clip(*positions: tuple[Floats, Floats]) -> npt.NDArray[np.uint8]:
    return with_grey(np.stack([_portrait(x, y) for x, y in positions]))


def _halved(values: Floats) -> Floats:
    return values.reshape(_SIDE // 2, 2, _SIDE // 2, 2).mean(axis=(1, 3))


def _error(found: npt.NDArray[np.float16], u: Floats, v: Floats) -> float:
    """Mean length of the error, away from the border where nothing can be known."""
    distance = np.hypot(found[..., 0] - _halved(u), found[..., 1] - _halved(v))
    return float(distance[4:-4, 4:-4].mean())


def _turned(degrees: float, scale: float = 1.0) -> tuple[Floats, Floats]:
    angle, centre = np.deg2rad(degrees), (_SIDE - 1) / 2
    x, y = _X - centre, _Y - centre
    return (
        centre + scale * (np.cos(angle) * x - np.sin(angle) * y),
        centre + scale * (np.sin(angle) * x + np.cos(angle) * y),
    )


@pytest.mark.parametrize(("u", "v"), [(0.5, -0.25), (3.0, -2.0), (10.0, 4.0)])
def test_a_shift_is_found_in_pixels_of_the_crop_and_strains_nothing(u: float, v: float) -> None:
    moved = flow_and_strain(_clip((_X, _Y), (_X - u, _Y - v)))[0]
    assert _error(moved, np.full_like(_X, u), np.full_like(_X, v)) < 0.1
    assert np.median(moved[..., 2]) < 0.02


def test_a_turn_is_found_and_strains_little() -> None:
    x, y = _turned(3)
    moved = flow_and_strain(_clip((_X, _Y), _turned(-3)))[0]
    assert _error(moved, x - _X, y - _Y) < 0.2
    assert np.median(moved[..., 2]) < 0.04


def test_the_strain_of_a_growing_face_is_that_of_its_scale() -> None:
    x, y = _turned(0, 1.05)
    moved = flow_and_strain(_clip((_X, _Y), _turned(0, 1 / 1.05)))[0]
    assert _error(moved, x - _X, y - _Y) < 0.15
    # u_x = v_y = 0.05, so the magnitude is sqrt(2) * 0.05.
    assert np.median(moved[8:-8, 8:-8, 2]) == pytest.approx(0.05 * np.sqrt(2), abs=0.02)


@pytest.mark.parametrize("height", [0.7, 1.5, 3.0])
def test_a_small_motion_of_the_mouth_is_found_there_and_nowhere_else(height: float) -> None:
    bump = np.exp(-((_X - 64) ** 2 + (_Y - 85) ** 2) / (2 * 8**2))
    still = flow_and_strain(_clip((_X, _Y), (_X, _Y)))[0]
    moved = flow_and_strain(_clip((_X, _Y), (_X, _Y - height * bump)))[0]
    assert not still.any()
    assert moved[42, 32, 1] == pytest.approx(height, rel=0.2)
    place = np.unravel_index(moved[..., 2].argmax(), moved.shape[:2])
    assert np.hypot(place[0] - 42, place[1] - 32) < 10
    assert abs(moved[:20, :20]).max() < 0.1


def test_one_map_stands_between_each_two_neighbours() -> None:
    moved = flow_and_strain(_clip((_X, _Y), (_X - 2, _Y), (_X - 2, _Y)))
    assert moved.dtype == np.float16
    assert moved.shape == flow_shape(3, _SIDE) == (2, 64, 64, 3)
    assert np.median(moved[0, ..., 0]) == pytest.approx(2, abs=0.1)
    assert not moved[1].any()


@pytest.mark.parametrize("side", [16, 17, 33, 127])
def test_every_size_a_clip_may_have_works(side: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, side, side, 4), np.uint8)
    moved = flow_and_strain(frames)
    assert moved.shape == flow_shape(3, side)
    assert np.isfinite(moved).all()
    assert moved[..., 2].min() >= 0


def test_the_number_of_threads_changes_nothing() -> None:
    clip = _clip((_X, _Y), _turned(-4), (_X - 3, _Y + 1))
    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            results.append(flow_and_strain(clip).tobytes())
    finally:
        cv2.setNumThreads(before)
    assert len(set(results)) == 1


def test_a_single_frame_has_no_flow() -> None:
    with pytest.raises(UserError, match="flow needs at least 2 frames, received 1"):
        flow_and_strain(np.zeros((1, 32, 32, 4), np.uint8))
    with pytest.raises(UserError, match="flow needs at least 2 frames"):
        flow_shape(1, 32)


@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (2, 32, 30, 4), (2, 8, 8, 4), (32, 32, 4)])
def test_other_frames_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="frames must be uint8"):
        flow_and_strain(np.zeros(shape, np.uint8))


def test_real_faces_move_by_a_few_pixels(real_data: Path) -> None:
    video = sorted((real_data / "real_clips" / "grid").glob("*.mpg"))[0]
    frames = np.stack(read_frames(video, 8).frames)[:, -256:, 52:308]
    moved = flow_and_strain(with_grey(frames))
    assert np.isfinite(moved).all()
    assert 0.05 < np.hypot(moved[..., 0], moved[..., 1]).mean() < 10
    assert 0 < moved[..., 2].mean() < 1
