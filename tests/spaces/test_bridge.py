"""The space and its blocks in the searches of others: KerasTuner, AutoKeras and plain Optuna."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import autokeras as ak
import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from artifacts.models.saved import plain_copy
from artifacts.models.trust import check_model_file
from data_prep.preparation.clip import Preparation
from data_prep.store.store import Clip, write_store
from spaces import ClipInput, DetectorBlock, FakeProbabilityHead, detector_space
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import KINDS, TemporalBlock

CLIP = (2, 32, 32, 4)
PAGE = Path(__file__).parents[2] / "docs" / "bridge.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore:The structure of `inputs`"),
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),
]

Data = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


@pytest.fixture(scope="module")
def data() -> Data:
    """Twelve clips of noise; a fake carries a bright square."""
    labels = np.arange(12) % 2
    clips = np.random.default_rng(0).integers(0, 160, (12, *CLIP), np.uint8)
    clips[labels == 1, :, 8:20, 8:20] += 90
    return clips, labels


@pytest.fixture
def store(make_clip: Callable[..., Clip], tmp_path: Path) -> Path:
    """Two people in training, two in validation, each once real and once fake."""
    clips = [
        make_clip(person, kind, split=split)
        for person, split in (("anna", "train"), ("ben", "train"), ("cleo", "val"), ("dan", "val"))
        for kind in ("real", "fake")
    ]
    preparation = Preparation(frames=3, size=64).to_dict()
    write_store(tmp_path / "store.h5", clips, [], {"clip": preparation, "synthetic": True})
    return tmp_path / "store.h5"


@pytest.fixture
def blocks() -> dict[str, Any]:
    return {
        "streams": ("spatial", "noise_residual"),
        "spatial": SpatialBlock(backbones=("small_cnn",)),
        "temporal": TemporalBlock(kind="mean"),
    }


@pytest.fixture
def eagerly() -> Iterator[None]:
    """One step of training is done sooner than it is compiled."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


TUNERS = {
    "random": (keras_tuner.RandomSearch, {"max_trials": 3}),
    "hyperband": (keras_tuner.Hyperband, {"max_epochs": 2, "factor": 2}),
    "bayesian": (keras_tuner.BayesianOptimization, {"max_trials": 4, "num_initial_points": 3}),
}


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", TUNERS)
def test_the_space_is_searched_by_a_plain_tuner(
    name: str, data: Data, blocks: dict[str, Any], tmp_path: Path
) -> None:
    kind, settings = TUNERS[name]
    clips, labels = data
    tuner = kind(
        detector_space(CLIP, **blocks),
        objective=keras_tuner.Objective("val_auc", "max"),
        metrics=[keras.metrics.AUC(name="auc")],
        directory=tmp_path,
        seed=0,
        **settings,
    )
    tuner.search(clips, labels, validation_data=(clips, labels), epochs=1, verbose=0)
    trials = tuner.oracle.get_best_trials(10)
    assert len(trials) >= 3
    assert all(trial.score is not None and 0 <= trial.score <= 1 for trial in trials)
    # Every checkpoint fits the model that its trial's values build.
    for model in tuner.get_best_models(len(trials)):
        assert np.isfinite(model(clips)).all()
    path = tmp_path / "detector.h5"
    plain_copy(model).save(path)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(again(clips), model(clips), atol=1e-5)


def _conditions(space: Any, answers: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Under which conditions every choice is asked, the defaults answered but for these."""
    found: dict[str, set[str]] = {}
    for answer in answers:
        hp = keras_tuner.HyperParameters()
        hp.values.update(answer)
        space.build(hp)
        for entry in hp.space:
            said = [(condition.name, tuple(condition.values)) for condition in entry.conditions]
            found.setdefault(entry.name, set()).add(str(said))
    return found


def test_a_choice_has_one_set_of_conditions_whatever_streams_are_on(
    blocks: dict[str, Any],
) -> None:
    off = [{}, {"detector/noise_residual": False}, {"detector/spatial": False}]
    conditions = _conditions(detector_space(CLIP, **blocks), off)
    assert {name: len(found) for name, found in conditions.items()} == dict.fromkeys(conditions, 1)


def test_a_choice_has_one_set_of_conditions_whatever_is_built() -> None:
    """Where it has two, KerasTuner forgets the answer under one when the other does not hold."""
    backbones = ["small_cnn", "small_resnet", "resnet50", "vgg16", "efficientnet_lite0"]
    spatial = SpatialBlock(backbones, weights="none", inflated_stages=None)
    space = detector_space((8, 32, 32, 4), streams=["spatial"], spatial=spatial)
    answers = [{"detector/temporal/kind": kind} for kind in KINDS]
    answers += [
        {"detector/spatial/backbone": backbone, "detector/temporal/kind": "mean"}
        for backbone in backbones
    ]
    conditions = _conditions(space, answers)
    shared = {"detector/temporal/change_dropout", "detector/spatial/inflated_stages"}
    assert shared <= set(conditions)
    assert {name: len(found) for name, found in conditions.items()} == dict.fromkeys(conditions, 1)


def test_a_tuner_may_bring_its_own_optimizer_loss_and_metrics(
    blocks: dict[str, Any], tmp_path: Path
) -> None:
    tuner = keras_tuner.RandomSearch(
        detector_space(CLIP, **blocks),
        objective="val_loss",
        max_trials=1,
        directory=tmp_path,
        optimizer=keras.optimizers.SGD(0.5),
        loss="mean_squared_error",
        metrics=["accuracy"],
    )
    model = tuner._try_build(keras_tuner.HyperParameters())
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert model.loss == "mean_squared_error"


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_an_auto_model_searches_the_blocks(
    data: Data, blocks: dict[str, Any], tmp_path: Path
) -> None:
    clips, labels = data
    clip = ClipInput(CLIP)
    auto = ak.AutoModel(
        inputs=clip,
        outputs=FakeProbabilityHead()(DetectorBlock(**blocks)(clip)),
        max_trials=2,
        directory=tmp_path,
        seed=1,
    )
    auto.fit(clips, labels, validation_data=(clips, labels), epochs=1, batch_size=6, verbose=0)
    trials = auto.tuner.oracle.get_best_trials(5)
    assert len(trials) == 2
    searched = set(trials[0].hyperparameters.values)
    assert {"optimizer", "learning_rate", "detector/noise_residual"} <= searched
    model = auto.export_model()
    plain_copy(model).save(tmp_path / "auto.h5")
    check_model_file(tmp_path / "auto.h5")
    assert auto.predict(clips, verbose=0).shape == (12, 1)


@pytest.mark.parametrize("labels", [np.arange(12) % 3, np.zeros(12, int), np.array(["a", "b"] * 6)])
def test_an_auto_model_is_told_of_labels_that_are_not_real_and_fake(
    data: Data, labels: npt.NDArray[Any], blocks: dict[str, Any], tmp_path: Path
) -> None:
    clip = ClipInput(CLIP)
    auto = ak.AutoModel(
        inputs=clip,
        outputs=FakeProbabilityHead()(DetectorBlock(**blocks)(clip)),
        directory=tmp_path,
        max_trials=1,
    )
    with pytest.raises(ValueError, match="labels must be 0 for real and 1 for fake"):
        auto.fit(data[0], labels, epochs=1, verbose=0)


def test_the_stock_head_of_autokeras_fails_as_documented(
    data: Data, blocks: dict[str, Any], tmp_path: Path
) -> None:
    clip = ClipInput(CLIP)
    auto = ak.AutoModel(
        inputs=clip,
        outputs=ak.ClassificationHead()(DetectorBlock(**blocks)(clip)),
        directory=tmp_path,
        max_trials=1,
    )
    with pytest.raises(ValueError, match="invalid value for `units`"):
        auto.fit(*data, epochs=1, verbose=0)


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert "AutoModel" in code
    assert "OptunaHyperParameters" in code
    # One step of training is done sooner than it is compiled.
    code = f"import tensorflow\ntensorflow.config.run_functions_eagerly(True)\n{code}"
    code += "\nassert len(study.trials) == 2 and auto.predict(clips, verbose=0).shape == (24, 1)\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PAGE.parents[1])},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "tuned" / "detector.h5").is_file()
