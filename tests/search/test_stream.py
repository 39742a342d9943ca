from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.store import Store
from search.augmentation import augment, generator_of
from search.stream import ClipBatches, class_weights, read_clips


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


def test_features_are_fed_by_name_beside_frames_in_the_order_of_the_rows(store: Store) -> None:
    rows = store.rows("val")[::-1]
    feature = np.arange(len(rows) * 2, dtype=np.float16).reshape(-1, 2)
    for seed in (None, 4):
        batches = ClipBatches(
            store,
            rows,
            ["feature", "frames"],
            {"feature": [feature]},
            batch_size=99,
            shuffle_seed=seed,
        )
        (values, frames), labels, _ = batches[0]
        order = (values[:, 0] / 2).astype(int)
        assert sorted(order) == list(range(len(rows)))
        assert values.dtype == np.float16
        np.testing.assert_array_equal(frames, store.read(rows[order]))
        np.testing.assert_array_equal(labels[:, 0], store.labels[rows[order]])


def shown(batches: ClipBatches) -> tuple[npt.NDArray, npt.NDArray]:
    """The view each clip shows in this epoch, told by its features, and the frames, by clip."""
    values = np.concatenate([batches[i][0][0] for i in range(len(batches))])
    frames = np.concatenate([batches[i][0][1] for i in range(len(batches))])
    order = np.argsort(values[:, 1])
    return values[order, 0].astype(int), frames[order]


def test_features_and_frames_show_the_same_view_and_views_change_with_the_epoch(
    store: Store,
) -> None:
    rows = store.rows("train")
    features = [
        np.stack([np.full(len(rows), view), np.arange(len(rows))], axis=1) for view in range(3)
    ]

    def batches() -> ClipBatches:
        return ClipBatches(
            store,
            rows,
            ["feature", "frames"],
            {"feature": features},
            batch_size=5,
            shuffle_seed=2,
            views=3,
        )

    views, frames = shown(batches())
    assert set(views) == {0, 1, 2}
    for row, view, clip in zip(rows, views, frames, strict=True):
        wanted = store.read([row])[0]
        augment({"frames": wanted}, generator_of(view, str(store.keys[row])))
        np.testing.assert_array_equal(clip, wanted)
    stream = batches()
    np.testing.assert_array_equal(shown(stream)[0], views)
    stream.on_epoch_end()
    assert (shown(stream)[0] != views).any()


def test_clips_are_read_as_they_are_or_in_a_view_each(store: Store) -> None:
    rows = store.rows("train")[:3]
    plain = read_clips(store, rows, ["frames"])["frames"]
    np.testing.assert_array_equal(plain, store.read(rows))
    views = np.array([0, 1, 0])
    changed = read_clips(store, rows, ["frames"], views)["frames"]
    assert all((one != other).any() for one, other in zip(plain, changed, strict=True))
    other = read_clips(store, rows[[1]], ["frames"], np.array([1]))["frames"]
    np.testing.assert_array_equal(changed[1], other[0])
    assert read_clips(store, rows, [], views) == {}


def test_balanced_weights_make_both_labels_equal() -> None:
    labels = np.array([0, 1, 1, 1, 1], np.uint8)
    real, fake = class_weights(labels)
    assert real * 1 == pytest.approx(fake * 4)
    assert (real * 1 + fake * 4) / 5 == pytest.approx(1.0)


def test_a_label_without_clips_gives_finite_weights() -> None:
    assert np.isfinite(class_weights(np.zeros(3, np.uint8))).all()


def test_augmentation_is_repeated_by_its_seed_and_leaves_the_store_alone(store: Store) -> None:
    rows = store.rows("train")
    plain = store.read(rows)

    def batch() -> npt.NDArray[np.uint8]:
        return ClipBatches(store, rows, batch_size=4, shuffle_seed=1, augment=True)[0][0]

    np.testing.assert_array_equal(batch(), batch())
    np.testing.assert_array_equal(store.read(rows), plain)


def test_augmentation_is_drawn_anew_each_time(store: Store) -> None:
    rows = store.rows("train")[:1]
    batches = ClipBatches(store, rows, shuffle_seed=1, augment=True)
    assert (batches[0][0] != batches[0][0]).any()


@pytest.mark.parametrize("how", [{"augment": True}, {"views": 2}])
def test_augmentation_without_a_seed_is_refused(store: Store, how: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs a seed"):
        ClipBatches(store, store.rows("train"), **how)  # type: ignore[arg-type]
