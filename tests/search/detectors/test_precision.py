"""Mixed precision is what this machine has, or a clear error."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.run_config import RunConfig, resolve
from search.detectors import precision
from search.detectors.space import build_detector, build_space
from search.features.cache import FeatureCache
from search.studies.hyperparameters import fixed_hyperparameters
from search.training.fit import TrainingTask, fit
from spaces.training.space import TrainingChoices

NO_GPU = not tf.config.list_physical_devices("GPU")


@pytest.fixture
def cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the processor says of itself, to be written by a test."""
    facts = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "_CPU_FACTS", facts)
    return facts


@pytest.fixture
def config(store_path: Path, tmp_path: Path) -> RunConfig:
    space = {"streams": ["spatial", "noise_residual"], "backbones": ["small_cnn"]}
    return resolve({"store": store_path, "run_dir": tmp_path, "space": space, "precision": "mixed"})


@pytest.mark.skipif(not NO_GPU, reason="a GPU comes before the processor")
@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_processor_with_bfloat16_uses_it(cpu: Path, flag: str) -> None:
    cpu.write_text(f"flags : fpu sse {flag} avx2\n")
    assert precision.mixed_policy() == "mixed_bfloat16"


@pytest.mark.skipif(not NO_GPU, reason="a GPU comes before the processor")
@pytest.mark.parametrize("facts", ["flags : fpu sse avx2\n", None])
def test_a_processor_without_it_is_a_clear_error(cpu: Path, facts: str | None) -> None:
    if facts is not None:
        cpu.write_text(facts)
    with pytest.raises(UserError, match='set precision = "float32"'), precision.policy("mixed"):
        pass
    assert keras.config.dtype_policy().name == "float32"


def test_the_policy_ends_with_its_block(cpu: Path) -> None:
    cpu.write_text("flags : avx512_bf16\n")
    with pytest.raises(KeyError), precision.policy("mixed"):
        assert keras.config.dtype_policy().name.startswith("mixed_")
        raise KeyError
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.skipif(not NO_GPU, reason="a GPU comes before the processor")
def test_a_detector_trains_in_mixed_precision_with_float32_weights_and_answer(
    cpu: Path, config: RunConfig, store: Store, tmp_path: Path
) -> None:
    cpu.write_text("flags : avx512_bf16\n")
    graph = build_space(config, store)
    model = build_detector(graph, fixed_hyperparameters({}), 0, config.precision)
    assert {layer.compute_dtype for layer in model.layers} == {"bfloat16", "float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    before = [weight.numpy() for weight in model.trainable_weights]
    fit(
        model,
        TrainingTask(store, FeatureCache(tmp_path / "features"), 0),
        TrainingChoices(samples=16, epoch_samples=16),
    )
    after = [weight.numpy() for weight in model.trainable_weights]
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
    answer = model.predict_on_batch(store.read([0, 1]))
    assert answer.dtype == np.float32
    exact = build_detector(graph, fixed_hyperparameters({}), 0)
    exact.set_weights(model.get_weights())
    found = exact.predict_on_batch(store.read([0, 1]))
    assert found.tolist() != answer.tolist()
    np.testing.assert_allclose(found, answer, atol=0.05)
