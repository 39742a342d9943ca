from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.explain.occlusion import GREY, occlusion

CLIP_SHAPE = (2, 16, 16, 4)
FLOW_SHAPE = (1, 8, 8, 3)


@pytest.fixture(scope="module")
def counting() -> keras.Model:
    """A detector whose logit is the sum of all that is red, in units of white, and of all flow."""
    frames = keras.Input(CLIP_SHAPE, dtype="uint8", name="frames")
    flow = keras.Input(FLOW_SHAPE, dtype="float16", name="flow")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(frames))
    y = keras.layers.Flatten()(keras.layers.Rescaling(1.0, dtype="float32")(flow))
    head = keras.layers.Dense(1, activation="sigmoid", name="fake_probability")
    model = keras.Model([frames, flow], head(keras.layers.Concatenate()([x, y])))
    red = np.tile([1, 0, 0, 0], x.shape[-1] // 4)
    head.set_weights([np.append(red, np.ones(y.shape[-1]))[:, None], np.zeros(1)])
    return model


@pytest.fixture
def clips() -> dict[str, npt.NDArray[Any]]:
    """Grey clips that do not move; in the second frame of the second a square of red."""
    frames = np.full((2, *CLIP_SHAPE), GREY, np.uint8)
    frames[1, 1, 4:8, 8:12, 0] = 255
    return {"frames": frames, "flow": np.zeros((2, *FLOW_SHAPE), np.float16)}


def test_the_logit_drops_where_the_fake_is_covered(
    counting: keras.Model, clips: dict[str, npt.NDArray[Any]]
) -> None:
    found = occlusion(counting, clips, patch=4)
    assert found.shape == (2, 16, 16)
    assert found.dtype == np.float32
    expected = np.zeros((16, 16))
    expected[4:8, 8:12] = 16 * (255 - GREY) / 255
    np.testing.assert_allclose(found[1], expected, atol=1e-3)
    np.testing.assert_array_equal(found[0], 0)


def test_a_patch_that_does_not_divide_a_frame_covers_all_of_it(
    counting: keras.Model, clips: dict[str, npt.NDArray[Any]]
) -> None:
    clips["frames"][0, :, 15, 15, 0] = 255
    found = occlusion(counting, clips, patch=6)
    np.testing.assert_allclose(found[0, 12:, 12:], 2 * (255 - GREY) / 255, rtol=1e-3)
    assert np.count_nonzero(found[0]) == 16


def test_what_is_covered_does_not_move(
    counting: keras.Model, clips: dict[str, npt.NDArray[Any]]
) -> None:
    clips["flow"][0, 0, 2, 4, 1] = 3  # of pixels 4 and 5, 8 and 9 of a frame
    found = occlusion(counting, clips, patch=4)
    np.testing.assert_allclose(found[0, 4:8, 8:12], 3, rtol=1e-3)
    assert np.count_nonzero(found[0]) == 16


def test_the_clips_are_left_as_they_were(
    counting: keras.Model, clips: dict[str, npt.NDArray[Any]]
) -> None:
    before = {name: array.copy() for name, array in clips.items()}
    occlusion(counting, clips, patch=8)
    for name, array in before.items():
        np.testing.assert_array_equal(clips[name], array)


@pytest.mark.parametrize("patch", [0, 17])
def test_a_patch_must_fit(
    counting: keras.Model, clips: dict[str, npt.NDArray[Any]], patch: int
) -> None:
    with pytest.raises(ValueError, match="patch must be 1 to 16 px"):
        occlusion(counting, clips, patch)
