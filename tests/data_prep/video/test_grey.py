"""Grey is the rounded mean of the colours."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.video.grey import with_grey


def test_grey_is_the_mean_of_the_channels_rounded_to_nearest() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    four = with_grey(frames)
    assert four.shape == (3, 5, 7, 4)
    assert four.dtype == np.uint8
    np.testing.assert_array_equal(four[..., :3], frames)
    np.testing.assert_array_equal(four[..., 3], np.round(frames.mean(axis=-1)))


def test_white_stays_white() -> None:
    assert with_grey(np.full((1, 1, 1, 3), 255, np.uint8)).max() == 255
    assert with_grey(np.full((1, 1, 1, 3), 255, np.uint8)).min() == 255


def test_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="received float64"):
        with_grey(np.zeros((1, 2, 2, 3)))  # type: ignore[arg-type]
