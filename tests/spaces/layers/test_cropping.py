"""The crop that the streams use is the centre of the stored one."""

from __future__ import annotations

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from spaces.detector import detector_space
from spaces.layers.cropping import crop_centre
from spaces.streams.spatial import SpatialBlock


def _cut(frames: npt.NDArray[np.uint8], share: float, size: int) -> npt.NDArray[np.float32]:
    given = keras.Input(frames.shape[1:], dtype="uint8")
    made = crop_centre(given, share=share, size=size, name="crop")
    return np.asarray(keras.Model(given, made).predict_on_batch(frames))


@pytest.fixture
def ramps() -> npt.NDArray[np.uint8]:
    """Two clips of three frames of 128 px; columns, rows, frames and clips in the channels."""
    clip = np.zeros((2, 3, 128, 128, 4), np.uint8)
    clip[..., 0] = np.arange(128)
    clip[..., 1] = np.arange(128)[:, None]
    clip[..., 2] = 10 * np.arange(3)[:, None, None]
    clip[..., 3] = 100 * np.arange(2)[:, None, None, None]
    return clip


@pytest.mark.parametrize("frames", [1, 3])
def test_a_crop_without_resizing_is_the_centre_itself(
    ramps: npt.NDArray[np.uint8], frames: int
) -> None:
    clips = ramps[:, :frames]
    np.testing.assert_array_equal(_cut(clips, 0.75, 96), clips[:, :, 16:112, 16:112])


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(("share", "size"), [(1.0, 64), (0.75, 32), (0.75, 64)])
def test_a_smaller_crop_keeps_positions_frames_and_clips(
    ramps: npt.NDArray[np.uint8], share: float, size: int, frames: int
) -> None:
    made = _cut(ramps[:, :frames], share, size)
    assert made.shape == (2, frames, size, size, 4)
    step = 128 * share / size
    wanted = 63.5 + step * (np.arange(size) - (size - 1) / 2)
    np.testing.assert_allclose(made[0, 0, 0, :, 0], wanted, atol=1e-3)
    np.testing.assert_allclose(made[0, 0, :, 0, 1], wanted, atol=1e-3)
    np.testing.assert_allclose(made[1, :, 5, 5, 2], 10 * np.arange(frames), atol=1e-3)
    np.testing.assert_allclose(made[:, 0, 5, 5, 3], [0, 100], atol=1e-3)


def test_nothing_is_enlarged() -> None:
    small = keras.Input((2, 48, 48, 4), dtype="uint8")
    assert crop_centre(small, share=0.5, size=128, name="crop") is small
    # The centre has fewer pixels than asked, so more of the frame is used.
    larger = keras.Input((2, 128, 128, 4), dtype="uint8")
    assert crop_centre(larger, share=0.5, size=96, name="crop").shape == (None, 2, 96, 96, 4)


def test_several_sizes_are_searched_and_the_model_takes_stored_clips() -> None:
    graph = detector_space(
        (2, 64, 64, 4),
        streams=("spatial",),
        searched=False,
        crop_sizes=(48, 32),
        crop_share=0.75,
        spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
    )
    for size in (48, 32):
        hp = keras_tuner.HyperParameters()
        hp.values["detector/crop_size"] = size
        model = graph.build(hp)
        assert model.input_shape == (None, 2, 64, 64, 4)
        (kept,) = [layer for layer in model.layers if layer.name == "spatial_rgb"]
        assert kept.output.shape[2] == size
