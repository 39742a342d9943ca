from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from data_prep.store import Store
from search import detectors
from search.config import resolve
from search.fit import Epoch, fit
from search.hyperparameters import fixed
from search.objectives import ValidationScore, validation_score
from spaces.training import TrainingChoices

CHOICES = TrainingChoices(epochs=4, batch_size=8, learning_rate=3e-3)


def build(store: Store, run_dir: Path, seed: int = 0) -> keras.Model:
    space = {"streams": ["spatial"], "backbones": ["small_cnn"]}
    config = resolve({"store": store.path, "run_dir": run_dir, "space": space})
    values = {"detector/temporal/kind": "mean", "detector/spatial/stages": 3}
    return detectors.build(detectors.space(config, store), fixed(values), seed)


def val_score(model: keras.Model, store: Store) -> ValidationScore:
    rows = store.rows("val")
    return validation_score(store.labels[rows], model.predict(store.read(rows), verbose=0)[:, 0])


def test_the_model_is_left_with_the_weights_of_its_best_epoch(store: Store, tmp_path: Path) -> None:
    model = build(store, tmp_path)
    trained = fit(model, store, CHOICES, seed=0, features=tmp_path / "f")
    assert [epoch.number for epoch in trained.history] == [1, 2, 3, 4]
    best = min(trained.history, key=lambda epoch: epoch.score.order)
    assert best.number == trained.best_epoch
    assert best.score == trained.best
    assert val_score(model, store).log_loss == pytest.approx(trained.best.log_loss, abs=1e-5)


def test_the_same_seed_gives_the_same_model(store: Store, tmp_path: Path) -> None:
    first, second = (
        fit(build(store, tmp_path), store, CHOICES, seed=5, features=tmp_path / "f").history
        for _ in range(2)
    )
    assert first == second


def test_every_epoch_is_reported_and_a_report_may_stop_training(
    store: Store, tmp_path: Path
) -> None:
    seen: list[int] = []

    def report(epoch: Epoch) -> None:
        seen.append(epoch.number)
        if epoch.number == 2:
            raise StopIteration

    with pytest.raises(StopIteration):
        fit(build(store, tmp_path), store, CHOICES, seed=0, features=tmp_path / "f", report=report)
    assert seen == [1, 2]


def test_divergence_is_an_error_that_says_so(store: Store, tmp_path: Path) -> None:
    model = build(store, tmp_path)
    layer = model.get_layer("fake_probability")
    layer.set_weights([np.full_like(w, np.nan) for w in layer.get_weights()])
    with pytest.raises(FloatingPointError, match="diverged"):
        fit(model, store, CHOICES, seed=0, features=tmp_path / "f")


@pytest.mark.parametrize(
    "choices",
    [
        TrainingChoices(epochs=1, batch_size=8, optimizer="adamw", schedule="cosine"),
        TrainingChoices(epochs=1, batch_size=64, optimizer="sgd", label_smoothing=0.1),
        TrainingChoices(epochs=1, batch_size=8, augment=True, balanced=False),
    ],
    ids=["adamw cosine", "sgd smoothed", "augmented"],
)
def test_every_way_to_train_trains(store: Store, tmp_path: Path, choices: TrainingChoices) -> None:
    model = build(store, tmp_path)
    before = model.get_layer("spatial_stage1_conv").get_weights()[0]
    trained = fit(model, store, choices, seed=0, features=tmp_path / "f")
    assert np.isfinite(trained.best.log_loss)
    assert (model.get_layer("spatial_stage1_conv").get_weights()[0] != before).any()
