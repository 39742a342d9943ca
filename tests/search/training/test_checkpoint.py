from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from data_prep.store.store import Store
from search.features.cache import FeatureCache
from search.training import checkpoint
from search.training.checkpoint import TrainingState
from search.training.fit import Epoch, Fit, TrainingTask, fit
from spaces.training.space import TrainingChoices

CHOICES = TrainingChoices(samples=96, epoch_samples=16, batch_size=8, learning_rate=3e-3)
AVERAGED = dataclasses.replace(CHOICES, weight_averaging=True, schedule="cosine", optimizer="adamw")
VIEWS = dataclasses.replace(AVERAGED, augmentation="light", views=2, mixup=0.2)
ANEW = dataclasses.replace(CHOICES, augmentation="light", views=0, pseudo_fakes=0.5)


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SHARE", float("inf"))


def build(store: Store, frozen: bool = False) -> keras.Model:
    """A backbone with batch norm, which may be frozen, and a head with dropout."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    frames = keras.Input(store.clip_shape, dtype="uint8", name="frames")
    x = layers.Rescaling(1 / 255, name="unit")(frames)
    x = layers.Conv3D(8, (1, 5, 5), (1, 4, 4), name="backbone")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling3D(name="pool")(layers.ReLU(name="relu")(x))
    x = layers.Dense(8, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(1, activation="sigmoid", name="fake_probability")(x)
    model = keras.Model(frames, x)
    for name in ("backbone", "norm"):
        model.get_layer(name).trainable = not frozen
    return model


def trained(
    store: Store, folder: Path, choices: TrainingChoices, *, killed_after: int = 0, **how: Any
) -> tuple[keras.Model, Fit | None, list[int]]:
    """Return the model, the fit and the reported epochs of a training, which may be killed."""
    model = build(store, how.pop("frozen", False))
    reported: list[int] = []
    task = TrainingTask(store, FeatureCache(folder / "f"), 5)

    def report(epoch: Epoch) -> None:
        reported.append(epoch.number)
        if epoch.number == killed_after:
            raise KeyboardInterrupt

    try:
        return model, fit(model, task, choices, report=report, **how), reported
    except KeyboardInterrupt:
        return model, None, reported


@pytest.mark.parametrize(
    ("choices", "how"),
    [
        pytest.param(CHOICES, {}, marks=pytest.mark.slow),
        (AVERAGED, {"frozen": True}),
        pytest.param(VIEWS, {"frozen": True}, marks=pytest.mark.slow),
        pytest.param(ANEW, {}, marks=pytest.mark.slow),
    ],
    ids=["plain", "averaged", "views", "anew"],
)
def test_a_training_resumes_as_if_it_had_never_stopped(
    store: Store, tmp_path: Path, choices: TrainingChoices, how: dict[str, Any]
) -> None:
    whole, expected, _ = trained(store, tmp_path, choices, **how)
    kept = tmp_path / "kept" / "training.npz"
    for epoch in (1, 3):
        _, none, _ = trained(store, tmp_path, choices, killed_after=epoch, kept=kept, **how)
        assert none is None
    again, found, reported = trained(store, tmp_path, choices, kept=kept, **how)
    assert expected is not None
    assert found is not None
    assert found.resumed == 3, "it began anew"
    assert reported == [1, 2, 3, 4, 5, 6]
    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    for one, other in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("samples", "epochs", "steps"), [(24, 3, 4), (20, 3, 4), (100, 10, 5)])
def test_a_training_shows_the_asked_samples_whatever_the_size_of_the_store(
    store: Store, tmp_path: Path, samples: int, epochs: int, steps: int
) -> None:
    choices = dataclasses.replace(
        CHOICES, samples=samples, epoch_samples=10 if samples == 100 else 8, batch_size=2
    )
    model, found, reported = trained(store, tmp_path, choices)
    assert found is not None
    assert reported == list(range(1, epochs + 1))
    assert int(model.optimizer.iterations.numpy()) == choices.steps == epochs * steps


def test_checkpoints_take_a_small_share_of_the_time(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Path] = []
    monkeypatch.setattr(checkpoint, "save", lambda path, state: saved.append(path))
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 3600.0)
    trained(store, tmp_path, CHOICES, kept=tmp_path / "kept.npz")
    assert saved == []


def test_a_checkpoint_of_another_training_is_left_alone(store: Store, tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"
    trained(store, tmp_path, CHOICES, killed_after=2, kept=kept)
    smaller = dataclasses.replace(CHOICES, batch_size=4, samples=16, epoch_samples=16)
    _, found, _ = trained(store, tmp_path, smaller, kept=kept)
    assert found is not None
    assert found.resumed == 0


@pytest.mark.slow
def test_frozen_weights_are_not_kept(store: Store, tmp_path: Path) -> None:
    sizes = []
    for frozen in (False, True):
        kept = tmp_path / f"{frozen}.npz"
        trained(store, tmp_path, CHOICES, killed_after=1, kept=kept, frozen=frozen)
        state = checkpoint.load(kept)
        assert state is not None
        sizes.append(sum(array.size for array in state.variables))
    backbone = 5 * 5 * 4 * 8 + 8 + 4 * 8
    assert sizes[0] - sizes[1] == backbone


def test_a_damaged_checkpoint_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    assert checkpoint.load(path) is None
    state = TrainingState([np.ones(3)], [], [np.zeros(2)], {"epochs": 1})
    checkpoint.save(path, state)
    assert checkpoint.load(path).facts == {"epochs": 1}  # type: ignore[union-attr]
    content = path.read_bytes()
    for damaged in (b"", content[:100], content[:-30], b"nonsense"):
        path.write_bytes(damaged)
        assert checkpoint.load(path) is None
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]
