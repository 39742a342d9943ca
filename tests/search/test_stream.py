from __future__ import annotations

import numpy as np
import pytest

from data_prep.store import Store
from search.stream import ClipBatches, augment, class_weights


def test_batches_hold_the_rows_in_order_with_their_labels(store: Store) -> None:
    rows = store.rows("train")
    batches = ClipBatches(store, rows, batch_size=5)
    frames = np.concatenate([batches[i][0] for i in range(len(batches))])
    labels = np.concatenate([batches[i][1] for i in range(len(batches))])
    np.testing.assert_array_equal(frames, store.read(rows))
    np.testing.assert_array_equal(labels[:, 0], store.labels[rows])
    assert frames.dtype == np.uint8
    assert labels.shape == (len(rows), 1)


def test_every_epoch_has_every_clip_once_in_a_new_order(store: Store) -> None:
    rows = store.rows("train")
    batches = ClipBatches(store, rows, batch_size=4, shuffle_seed=3)

    def epoch() -> list[bytes]:
        frames = [clip for i in range(len(batches)) for clip in batches[i][0]]
        batches.on_epoch_end()
        return [clip.tobytes() for clip in frames]

    first, second = epoch(), epoch()
    assert first != second
    assert sorted(first) == sorted(second) == sorted(clip.tobytes() for clip in store.read(rows))
    again = ClipBatches(store, rows, batch_size=4, shuffle_seed=3)
    assert [clip.tobytes() for i in range(len(again)) for clip in again[i][0]] == first


def test_features_are_fed_by_name_beside_frames(store: Store) -> None:
    rows = store.rows("val")
    feature = np.arange(len(store) * 2, dtype=np.float32).reshape(-1, 2)
    batches = ClipBatches(store, rows, ["feature", "frames"], {"feature": feature}, batch_size=99)
    (values, frames), _, _ = batches[0]
    np.testing.assert_array_equal(values, feature[rows])
    np.testing.assert_array_equal(frames, store.read(rows))


def test_balanced_weights_make_both_labels_equal() -> None:
    labels = np.array([0, 1, 1, 1, 1], np.uint8)
    real, fake = class_weights(labels)
    assert real * 1 == pytest.approx(fake * 4)
    assert (real * 1 + fake * 4) / 5 == pytest.approx(1.0)


def test_a_label_without_clips_gives_finite_weights() -> None:
    assert np.isfinite(class_weights(np.zeros(3, np.uint8))).all()


def test_augmentation_keeps_grey_the_mean_and_the_clip_uint8(store: Store) -> None:
    clip = store.read([0])[0]
    before = clip.copy()
    augment(clip, np.random.default_rng(0))
    assert clip.dtype == np.uint8
    assert (clip != before).any()
    np.testing.assert_allclose(clip[..., 3], clip[..., :3].mean(axis=-1), atol=0.51)


def test_augmentation_is_repeated_by_its_seed_and_leaves_the_store_alone(store: Store) -> None:
    rows = store.rows("train")
    plain = store.read(rows)

    def batch() -> np.ndarray:
        return ClipBatches(store, rows, batch_size=4, shuffle_seed=1, augment=True)[0][0]

    np.testing.assert_array_equal(batch(), batch())
    np.testing.assert_array_equal(store.read(rows), plain)
