"""What a discriminator alone is worth on clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from data_prep.store.store import Clip, Store, write_store
from search.gan.discriminator import clip_logits, detector_auc, real_accuracy
from search.gan.faces import real_faces, to_unit
from search.gan.training import GanTraining
from spaces.gan.choices import GanChoices


@pytest.fixture
def dark_is_real() -> keras.Model:
    """A discriminator whose logit is minus the mean brightness of a face."""
    face = keras.Input((32, 32, 3))
    logit = keras.layers.Dense(1, use_bias=False)
    judge = keras.Model(face, logit(keras.layers.Flatten()(face)))
    logit.set_weights([np.full((32 * 32 * 3, 1), -1 / (32 * 32 * 3), np.float32)])
    return judge


def test_a_clip_has_the_mean_logit_of_its_frames(store: Store, dark_is_real: keras.Model) -> None:
    rows = store.rows("val")
    means = store.read(rows)[..., :3].mean(axis=(1, 2, 3, 4)) / 127.5 - 1
    np.testing.assert_allclose(clip_logits(dark_is_real, store, rows), -means, atol=1e-5)


def test_fakes_score_low(store: Store, dark_is_real: keras.Model) -> None:
    assert detector_auc(dark_is_real, store, "val") == 1.0
    logit = dark_is_real.layers[-1]
    logit.set_weights([-logit.get_weights()[0]])
    assert detector_auc(dark_is_real, store, "val") == 0.0


def test_clips_of_one_label_have_no_auc(
    make_clips: Callable[..., list[Clip]], tmp_path: Path, dark_is_real: keras.Model
) -> None:
    reals = [clip for clip in make_clips(4) if clip.label == 0]
    write_store(tmp_path / "real.h5", reals, [], {"synthetic": True})
    with Store(tmp_path / "real.h5") as store:
        assert detector_auc(dark_is_real, store, "val") is None


def test_a_discriminator_that_knows_its_faces_by_heart_shows_it(
    store: Store, dark_is_real: keras.Model
) -> None:
    train = real_faces(store, "train", 32)
    bright = np.full_like(to_unit(train), 0.9)
    training = GanTraining(GanChoices(), train, seed=0)
    training.discriminator = dark_is_real
    found = real_accuracy(training, train, bright, bright)
    assert (found.train, found.held_out) == (1.0, 0.0)
    held_out = to_unit(real_faces(store, "val", 32))
    assert real_accuracy(training, train, held_out, bright).held_out == 1.0
