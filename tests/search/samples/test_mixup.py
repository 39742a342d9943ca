from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from search.samples.mixup import mix

LABELS = np.array([[0], [1], [1], [0]], np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, ml_dtypes.bfloat16])
def test_inputs_of_any_type_are_blended_as_the_labels_are(dtype: type) -> None:
    # Inputs that are 200 times their label stay so in every blend.
    inputs = {"a": np.repeat(200 * LABELS, 3, axis=1).astype(dtype), "b": 8 * LABELS}
    for seed in range(8):
        mixed, labels = mix(inputs, LABELS, 1.0, np.random.default_rng(seed))
        assert mixed["a"].dtype == dtype
        atol = 1 if dtype == ml_dtypes.bfloat16 else 0.501
        assert labels.dtype == np.float32
        np.testing.assert_allclose(
            mixed["a"].astype(float), np.repeat(200 * labels, 3, 1), atol=atol
        )
        np.testing.assert_allclose(mixed["b"], 8 * labels, atol=1e-5)


def test_blends_lie_between_and_depend_on_the_generator_alone() -> None:
    inputs = {"a": LABELS}
    found = [mix(inputs, LABELS, 0.2, np.random.default_rng(seed))[1] for seed in range(20)]
    again = mix(inputs, LABELS, 0.2, np.random.default_rng(3))[1]
    np.testing.assert_array_equal(found[3], again)
    assert any(((labels > 0.01) & (labels < 0.99)).any() for labels in found)
    assert all(((labels >= 0) & (labels <= 1)).all() for labels in found)
    np.testing.assert_array_equal(inputs["a"], LABELS)
