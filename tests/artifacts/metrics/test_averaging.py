from __future__ import annotations

import numpy as np
import pytest

from artifacts.metrics.averaging import average, mirrored


def test_a_mirrored_clip_shows_and_moves_the_other_way_and_sounds_the_same() -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "frames": rng.integers(0, 256, (2, 3, 8, 8, 4), np.uint8),
        "flow": rng.normal(size=(2, 2, 4, 4, 3)).astype(np.float16),
        "audio": rng.normal(size=(2, 3, 64, 40)).astype(np.float16),
    }
    kept = {name: array.copy() for name, array in arrays.items()}
    turned = mirrored(arrays)
    np.testing.assert_array_equal(turned["frames"], arrays["frames"][:, :, :, ::-1])
    np.testing.assert_array_equal(turned["flow"][..., 0], -arrays["flow"][:, :, :, ::-1, 0])
    np.testing.assert_array_equal(turned["flow"][..., 1:], arrays["flow"][:, :, :, ::-1, 1:])
    np.testing.assert_array_equal(turned["audio"], arrays["audio"])
    back = mirrored(turned)
    for name, array in kept.items():
        np.testing.assert_array_equal(arrays[name], array)
        np.testing.assert_array_equal(back[name], array)


def test_logits_are_averaged_not_probabilities() -> None:
    found = average(np.array([[0.9, 0.5], [0.1, 0.99]]))
    assert found[0] == pytest.approx(0.5)
    assert found[1] == pytest.approx(1 / (1 + 99**-0.5))


def test_sure_answers_stay_finite() -> None:
    assert average(np.array([[1.0], [0.0]], np.float32))[0] == pytest.approx(0.5)
    assert average(np.ones((2, 1)))[0] == pytest.approx(1.0, abs=1e-6)
