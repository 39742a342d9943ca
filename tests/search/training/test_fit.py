from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers

from data_prep import plugins
from data_prep.store.store import Clip, Store, write_store
from search.features.cache import FeatureCache
from search.samples.samples import validation_samples
from search.training.fit import Epoch, TrainingTask, fit
from search.training.objectives import ValidationScore, validation_score
from spaces.training.space import TrainingChoices

SHORT: dict[str, Any] = {"samples": 16, "epoch_samples": 16}
CHOICES = TrainingChoices(samples=64, epoch_samples=16, batch_size=8, learning_rate=3e-3)
VIEWS = dataclasses.replace(CHOICES, augmentation="light", views=2)
ANEW = dataclasses.replace(CHOICES, augmentation="light", views=0)
FAKED = dataclasses.replace(CHOICES, pseudo_fakes=0.5, augmentation="strong", views=2)


def build(store: Store, frozen: bool = False, dropout: float = 0.0) -> keras.Model:
    """Frames through a backbone of one layer, which may be frozen, to a head."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    frames = keras.Input(store.clip_shape, dtype="uint8", name="frames")
    x = layers.Rescaling(1 / 255, name="unit")(frames)
    x = layers.Conv3D(8, (1, 5, 5), (1, 4, 4), activation="relu", name="backbone")(x)
    x = layers.GlobalAveragePooling3D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(1, activation="sigmoid", name="fake_probability")(x)
    model = keras.Model(frames, x)
    model.get_layer("backbone").trainable = not frozen
    return model


def answers(model: keras.Model, store: Store) -> npt.NDArray[np.float32]:
    return model.predict_on_batch(store.read(store.rows("val")))[:, 0]


def val_score(model: keras.Model, store: Store) -> ValidationScore:
    return validation_score(store.labels[store.rows("val")], answers(model, store))


@pytest.mark.parametrize(
    ("choices", "frozen"),
    [
        pytest.param(CHOICES, False, id="plain"),
        pytest.param(VIEWS, True, id="views, frozen"),
        pytest.param(FAKED, True, id="pseudo-fakes, frozen"),
        pytest.param(CHOICES, True, id="plain, frozen", marks=pytest.mark.slow),
        pytest.param(VIEWS, False, id="views", marks=pytest.mark.slow),
        pytest.param(FAKED, False, id="pseudo-fakes", marks=pytest.mark.slow),
        pytest.param(ANEW, False, id="anew", marks=pytest.mark.slow),
        pytest.param(ANEW, True, id="anew, frozen", marks=pytest.mark.slow),
    ],
)
def test_the_model_is_left_with_the_weights_of_its_best_epoch(
    store: Store, tmp_path: Path, frozen: bool, choices: TrainingChoices
) -> None:
    model = build(store, frozen)
    trained = fit(model, TrainingTask(store, FeatureCache(tmp_path / "f"), 0), choices)
    assert [epoch.number for epoch in trained.history] == [1, 2, 3, 4]
    best = min(trained.history, key=lambda epoch: epoch.score.order)
    assert best.number == trained.best_epoch
    assert best.score == trained.best
    assert val_score(model, store).log_loss == pytest.approx(trained.best.log_loss, abs=1e-5)
    assert trained.cached == (frozen and choices is not ANEW)
    assert trained.note == ""


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param(FAKED, id="pseudo-fakes"),
        pytest.param(CHOICES, id="plain", marks=pytest.mark.slow),
        pytest.param(VIEWS, id="views", marks=pytest.mark.slow),
        pytest.param(ANEW, id="anew", marks=pytest.mark.slow),
    ],
)
def test_the_same_seed_gives_the_same_model(
    store: Store, tmp_path: Path, choices: TrainingChoices
) -> None:
    first, second = (
        fit(
            build(store, True), TrainingTask(store, FeatureCache(tmp_path / "f"), 5), choices
        ).history
        for _ in range(2)
    )
    assert first == second


def test_frozen_weights_stay_and_the_whole_model_learns_and_saves(
    store: Store, tmp_path: Path
) -> None:
    model = build(store, frozen=True)
    before, frozen = answers(model, store), model.get_layer("backbone").get_weights()
    trained = fit(model, TrainingTask(store, FeatureCache(tmp_path / "f"), 0), CHOICES)
    assert trained.cached == 1
    assert (answers(model, store) != before).all()
    for old, new in zip(frozen, model.get_layer("backbone").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        loaded = keras.models.load_model(tmp_path / f"model.{ending}", compile=False)
        np.testing.assert_array_equal(answers(loaded, store), answers(model, store))


def test_training_on_features_is_training_the_whole(store: Store, tmp_path: Path) -> None:
    cached, whole = build(store, frozen=True), build(store, frozen=True)
    on_features = fit(cached, TrainingTask(store, FeatureCache(tmp_path / "f"), 3), CHOICES)
    on_frames = fit(whole, TrainingTask(store, FeatureCache(tmp_path / "g", 0), 3), CHOICES)
    assert (on_features.cached, on_frames.cached) == (1, 0)
    assert "not cached" in on_frames.note
    for one, other in zip(on_features.history, on_frames.history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-5)
        assert one.score.log_loss == pytest.approx(other.score.log_loss, abs=1e-5)
    assert not list((tmp_path / "g").glob("*.npy"))


@pytest.mark.slow
def test_stored_views_change_what_is_learnt_but_not_what_is_validated(
    store: Store, tmp_path: Path
) -> None:
    plain = fit(build(store, True), TrainingTask(store, FeatureCache(tmp_path / "f"), 3), CHOICES)
    kept = set((tmp_path / "f").glob("*.npy"))
    viewed = fit(build(store, True), TrainingTask(store, FeatureCache(tmp_path / "f"), 3), VIEWS)
    assert viewed.history != plain.history
    one = dataclasses.replace(VIEWS, views=1)
    alike = fit(build(store, True), TrainingTask(store, FeatureCache(tmp_path / "f"), 3), one)
    assert alike.history[0].loss != viewed.history[0].loss, "one view was shown for both"
    # Two views of the training clips; the validation clips are those of the other trial.
    assert len(set((tmp_path / "f").glob("*.npy")) - kept) == 2


def test_features_are_let_go_of_after_training(store: Store, tmp_path: Path) -> None:
    fit(build(store, True), TrainingTask(store, FeatureCache(tmp_path / "mapped"), 3), CHOICES)
    gc.collect()
    assert "/mapped/" not in Path("/proc/self/maps").read_text()


def test_a_random_layer_behind_the_features_stays_random(store: Store, tmp_path: Path) -> None:
    rates = (0.0, 0.5)
    fits = [
        fit(build(store, True, rate), TrainingTask(store, FeatureCache(tmp_path / "f"), 3), CHOICES)
        for rate in rates
    ]
    assert all(trained.cached == 1 for trained in fits)
    assert fits[0].history[0].loss != fits[1].history[0].loss


def test_every_epoch_is_reported_and_a_report_may_stop_training(
    store: Store, tmp_path: Path
) -> None:
    seen: list[int] = []

    def report(epoch: Epoch) -> None:
        seen.append(epoch.number)
        if epoch.number == 2:
            raise StopIteration

    with pytest.raises(StopIteration):
        fit(
            build(store),
            TrainingTask(store, FeatureCache(tmp_path / "f"), 0),
            CHOICES,
            report=report,
        )
    assert seen == [1, 2]


def test_progress_is_told_while_features_are_computed_and_may_stop_that(
    store: Store, tmp_path: Path
) -> None:
    def progress(done: int, of: int) -> None:
        assert 0 < done <= of
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            build(store, True),
            TrainingTask(store, FeatureCache(tmp_path), 0),
            CHOICES,
            progress=progress,
        )
    assert not list(tmp_path.glob("*.npy"))


def test_divergence_is_an_error_that_says_so(store: Store, tmp_path: Path) -> None:
    model = build(store)
    layer = model.get_layer("fake_probability")
    layer.set_weights([np.full_like(w, np.nan) for w in layer.get_weights()])
    with pytest.raises(FloatingPointError, match="diverged"):
        fit(model, TrainingTask(store, FeatureCache(tmp_path / "f"), 0), CHOICES)


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param(
            TrainingChoices(
                samples=16, epoch_samples=16, batch_size=64, optimizer="sgd", label_smoothing=0.1
            ),
            id="sgd smoothed",
        ),
        pytest.param(
            TrainingChoices(**SHORT, batch_size=8, loss="focal", mixup=0.2),
            id="focal mixup",
        ),
        pytest.param(
            TrainingChoices(
                samples=16, epoch_samples=16, batch_size=8, loss="pairwise", pseudo_fakes=0.5
            ),
            id="pairwise",
        ),
        pytest.param(
            TrainingChoices(
                samples=16, epoch_samples=16, batch_size=8, optimizer="adamw", schedule="cosine"
            ),
            id="adamw cosine",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            TrainingChoices(
                samples=16, epoch_samples=16, batch_size=8, augmentation="light", balanced=False
            ),
            id="augmented",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            TrainingChoices(**SHORT, batch_size=8, jit_compile=True),
            id="XLA",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            TrainingChoices(
                samples=16,
                epoch_samples=16,
                batch_size=5,
                augmentation="strong",
                pseudo_fakes=1.0,
                views=0,
            ),
            id="pseudo-fakes alone",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_way_to_train_trains(store: Store, tmp_path: Path, choices: TrainingChoices) -> None:
    model = build(store)
    before = model.get_layer("backbone").get_weights()[0]
    trained = fit(model, TrainingTask(store, FeatureCache(tmp_path / "f"), 0), choices)
    assert np.isfinite(trained.best.log_loss)
    assert trained.cached == 0
    assert (model.get_layer("backbone").get_weights()[0] != before).any()


@pytest.mark.parametrize("frozen", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_averaged_weights_are_what_is_validated_and_kept(
    store: Store, tmp_path: Path, frozen: bool
) -> None:
    choices = dataclasses.replace(CHOICES, learning_rate=0.05)
    fits = []
    for averaging in (False, True):
        model = build(store, frozen)
        how = dataclasses.replace(choices, weight_averaging=averaging)
        fits.append(fit(model, TrainingTask(store, FeatureCache(tmp_path / "f"), 0), how))
        assert val_score(model, store).log_loss == pytest.approx(fits[-1].best.log_loss, abs=1e-5)
    own, averaged = ([epoch.score.log_loss for epoch in one.history] for one in fits)
    # The weights that train are the same, the averages lag behind them.
    assert fits[0].history[0].loss == pytest.approx(fits[1].history[0].loss, abs=1e-5)
    assert fits[0].history[-1].loss == pytest.approx(fits[1].history[-1].loss, rel=0.05)
    assert all(abs(one - other) > 1e-6 for one, other in zip(own, averaged, strict=True))


def test_generalisation_looks_at_pseudo_fakes_and_leaves_the_auc_what_it_is(
    store: Store, tmp_path: Path
) -> None:
    model = build(store)
    trained = fit(
        model,
        TrainingTask(store, FeatureCache(tmp_path / "f"), 0, objective="generalisation"),
        FAKED,
    )
    assert trained.best.value == max(epoch.score.value for epoch in trained.history)
    assert trained.best.pseudo_auc is not None
    plain = val_score(model, store)
    assert plain.auc == trained.best.auc
    assert plain.log_loss == pytest.approx(trained.best.log_loss, abs=1e-5)
    val = validation_samples(store, pseudo_fakes=True)
    found = model.predict_on_batch(val.make(np.arange(len(val)), ["frames"])["frames"])[:, 0]
    clips = len(val.parts[0])
    again = validation_score(
        val.labels[:clips], found[:clips], found[clips:].reshape(len(val.parts) - 1, -1)
    )
    assert again.pair_ranking == pytest.approx(trained.best.pair_ranking, abs=0.07)
    assert again.pseudo_auc == pytest.approx(trained.best.pseudo_auc, abs=0.07)
    assert set(trained.history[0].row) == {"epoch", "loss", *trained.best.row}


def test_an_objective_may_be_a_large_cost_with_its_sign_turned(
    store: Store, tmp_path: Path, add_package: Callable[..., None]
) -> None:
    costly = "def IT(labels, methods, probabilities):\n    return -1000 - float(probabilities[0])\n"
    add_package(plugins.OBJECTIVES, "costly", costly)
    trained = fit(
        build(store), TrainingTask(store, FeatureCache(tmp_path), 0, objective="costly"), CHOICES
    )
    assert trained.best.value == max(epoch.score.value for epoch in trained.history) < -1000


def test_a_model_of_a_training_on_one_label_is_trained_all_the_same(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    clips = [clip for clip in make_clips(8) if clip.split != "train" or not clip.label]
    write_store(tmp_path / "reals.h5", clips, [], {"synthetic": True})
    with Store(tmp_path / "reals.h5") as reals:
        for loss in ("binary_crossentropy", "pairwise"):
            how = dataclasses.replace(CHOICES, **SHORT, loss=loss)
            alone = fit(build(reals), TrainingTask(reals, FeatureCache(tmp_path / "f"), 0), how)
            assert np.isfinite(alone.history[0].loss)
        how = dataclasses.replace(CHOICES, **SHORT, loss="pairwise", pseudo_fakes=1.0)
        assert (
            fit(build(reals), TrainingTask(reals, FeatureCache(tmp_path / "f"), 0), how).best_epoch
            == 1
        )
