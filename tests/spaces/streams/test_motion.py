"""Motion maps show what moved, where it is looked for, and nothing of what stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import correlate2d

from data_prep.faces.crops import crop_boxes
from data_prep.faces.detectors import make_detector
from spaces.layers.fixed_kernels import GREY_CHANNEL
from spaces.streams.motion import (
    FLOW_SCALE,
    REGIONS,
    SOURCES,
    changes,
    dynamic_image,
    flow_maps,
    motion_maps,
    rank_weights,
    region_of,
    resize,
)

Frames = npt.NDArray[np.uint8]


def _apply(
    build: Callable[[keras.KerasTensor], keras.KerasTensor], x: npt.NDArray[np.generic]
) -> npt.NDArray[np.float32]:
    tensor = keras.Input(x.shape[1:], dtype=str(x.dtype))
    return np.asarray(keras.Model(tensor, build(tensor))(x))


def _grey(clips: Frames) -> npt.NDArray[np.float32]:
    return clips[..., GREY_CHANNEL:].astype(np.float32)


def test_changes_are_those_between_frames_and_their_gradients(clips: Frames) -> None:
    grey = _grey(clips)
    found = _apply(lambda x: changes(x, name="a"), grey)
    change = np.diff(grey[..., 0], axis=1)
    assert found.shape == (2, 4, 30, 30, 3)
    np.testing.assert_allclose(found[..., 0], change[:, :, 1:-1, 1:-1], atol=1e-3)
    sobel = np.outer([1, 2, 1], [-1, 0, 1]) / 8
    for place, kernel in ((1, sobel), (2, sobel.T)):
        expected = correlate2d(change[0, 3], kernel, mode="valid")
        np.testing.assert_allclose(found[0, 3, ..., place], expected, atol=1e-3)


@pytest.mark.parametrize("source", ["differences", "dynamic image"])
def test_what_does_not_move_leaves_nothing(clips: Frames, source: str) -> None:
    still = np.repeat(_grey(clips)[:, :1], 5, axis=1)
    build = changes if source == "differences" else dynamic_image
    np.testing.assert_allclose(_apply(lambda x: build(x, name="a"), still), 0, atol=1e-3)


def test_flow_is_scaled_and_keeps_its_half_precision_values() -> None:
    flow = np.random.default_rng(0).normal(0, 4, (2, 3, 8, 8, 3)).astype(np.float16)
    found = _apply(lambda x: flow_maps(x, name="a"), flow)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, flow.astype(np.float32) * FLOW_SCALE, rtol=1e-6)


@pytest.mark.parametrize("time", [2, 3, 16])
def test_rank_weights_are_those_of_ranking_the_running_means(time: int) -> None:
    # By its derivation the dynamic image is the sum over all pairs of frames of the later running
    # mean less the earlier one.
    means = np.tril(np.ones((time, time))) / np.arange(1, time + 1)[:, None]
    expected = sum(means[late] - means[early] for late in range(time) for early in range(late))
    found = rank_weights(time)
    np.testing.assert_allclose(found / found[-1], expected / expected[-1], atol=1e-5)
    assert found[found > 0].sum() == pytest.approx(1)
    assert found.sum() == pytest.approx(0, abs=1e-6)


def test_a_dynamic_image_is_the_weighted_sum_of_frames_channel_by_channel() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 5, 3)).astype(np.float32)
    found = _apply(lambda x: dynamic_image(x, name="a"), x)
    expected = np.einsum("btyxc,t->byxc", x, rank_weights(4))[:, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    one = _apply(lambda x: dynamic_image(x, name="a"), x[:, :1])
    np.testing.assert_allclose(one, x[:, :1], atol=1e-6)


@pytest.mark.parametrize("pixels", [5, 16, 32, 45, 64, 128, 224, 256])
@pytest.mark.parametrize("side", [28, 64, 112])
def test_any_size_comes_near_the_side_asked_for(pixels: int, side: int) -> None:
    x = keras.Input((2, pixels, 64, 1))
    _, time, height, width, channels = resize(x, side, name="a").shape
    assert (time, channels) == (2, 1)
    for found in (height, width):
        assert side / 1.5 <= found <= side * 1.5


def test_pixels_are_averaged_to_fewer_and_repeated_to_more() -> None:
    x = np.arange(2 * 4 * 2, dtype=np.float32).reshape(1, 2, 4, 2, 1)
    fewer = _apply(lambda x: resize(x, 2, name="a"), x)
    np.testing.assert_array_equal(fewer[..., 0], x.reshape(1, 2, 2, 2, 2).mean(axis=3))
    more = _apply(lambda x: resize(x, 8, name="a"), x)
    np.testing.assert_array_equal(more, x.repeat(2, axis=2).repeat(4, axis=3))


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("side", [16, 32, 128])
def test_a_region_is_cut_where_its_fractions_say(region: str, side: int) -> None:
    rows = np.broadcast_to(np.arange(side, dtype=np.uint8)[:, None], (1, 1, side, side))
    x = np.stack([rows, rows.swapaxes(2, 3)], axis=-1)
    found = _apply(lambda x: region_of(x, region, name="a"), x)
    top, bottom, left, right = (round(side * edge) for edge in REGIONS[region])
    np.testing.assert_array_equal(found, x[:, :, top:bottom, left:right])


def test_regions_hold_what_they_are_named_for_on_real_faces(real_data: Path) -> None:
    detector = make_detector("centerface")
    paths = sorted((real_data / "faces_lfw").rglob("*.jpg"))[::20]
    assert len(paths) >= 10
    outside = 0
    for path in paths:
        faces = detector.detect(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
        face = max(faces, key=lambda one: one.box[2] - one.box[0])
        (box,) = crop_boxes(face.box[None])
        side = 1.3 * (box[2] - box[0])
        places = (face.landmarks - (box[:2] + box[2:]) / 2) / side + 0.5
        for region, points in (("eyes", places[:2]), ("mouth", places[3:])):
            top, bottom, left, right = REGIONS[region]
            inside = (points > [left, top]) & (points < [right, bottom])
            outside += int(not inside.all())
    assert outside <= len(paths) // 10


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("side", [32, 64, 128, 256])
def test_maps_of_any_source_are_seen_at_about_28_pixels(source: str, side: int) -> None:
    frames = keras.Input((3, side, side, 4), dtype="uint8")
    flow = keras.Input((2, side // 2, side // 2, 3), dtype="float16")
    maps = motion_maps(source, frames, flow, "face", 28, name="m")
    _, time, height, width, channels = maps.shape
    assert (time, channels) == ((3, 1) if source == "grey" else (2, 3))
    assert height == width
    assert 25 <= height <= 32
