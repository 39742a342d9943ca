from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from data_prep.store.store import Store
from search.features.cache import FeatureCache
from search.features.suffix import cut_prefix
from search.samples.samples import validation_samples
from search.training.objectives import validation_score
from search.training.predictions import predict_samples, score_samples


def test_samples_are_predicted_in_their_order_and_scored_by_part(
    store: Store, tmp_path: Path
) -> None:
    frames = keras.Input(store.clip_shape, dtype="uint8", name="frames")
    x = layers.GlobalAveragePooling3D(name="pool")(layers.Rescaling(1 / 255, name="unit")(frames))
    model = keras.Model(frames, layers.Dense(1, activation="sigmoid", name="fake_probability")(x))
    val = validation_samples(store, pseudo_fakes=True)
    with cut_prefix(model, FeatureCache(tmp_path), None, val) as suffix:
        found = predict_samples(suffix, val)
    whole = val.make(np.arange(len(val)), ["frames"])["frames"]
    np.testing.assert_allclose(found, model.predict_on_batch(whole)[:, 0], atol=1e-6)
    clips = len(val.parts[0])
    pseudo_fakes = found[clips:].reshape(len(val.parts) - 1, -1)
    by_hand = validation_score(val.labels[:clips], found[:clips], pseudo_fakes)
    assert score_samples(found, val) == by_hand


def test_a_probability_that_is_no_number_is_refused_whatever_part_it_is_of(store: Store) -> None:
    val = validation_samples(store)
    found = np.full(len(val), 0.5)
    found[-1] = np.nan
    with pytest.raises(FloatingPointError, match="diverged"):
        score_samples(found, val, without=str(val.methods[-1]))
