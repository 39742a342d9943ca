from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.store.store import Store
from search.samples.augmentation import augment, view_generator
from search.samples.batches import ENDLESS, ClipBatches, Inputs, Sampling, StoredClips
from search.samples.samples import clips_of, training_samples, validation_samples


def test_batches_hold_the_rows_in_order_with_their_labels(store: Store) -> None:
    rows = store.rows("train")
    batches = ClipBatches(clips_of(store, rows), batch_size=5)
    frames = np.concatenate([batches[i][0] for i in range(len(batches))])
    labels = np.concatenate([batches[i][1] for i in range(len(batches))])
    np.testing.assert_array_equal(frames, store.read(rows))
    np.testing.assert_array_equal(labels[:, 0], store.labels[rows])
    assert frames.dtype == np.uint8
    assert labels.shape == (len(rows), 1)


def test_every_epoch_has_every_clip_once_in_a_new_order(store: Store) -> None:
    rows = store.rows("train")
    batches = ClipBatches(clips_of(store, rows), batch_size=4, sampling=Sampling(3))

    def epoch() -> list[bytes]:
        frames = [clip for i in range(len(batches)) for clip in batches[i][0]]
        batches.on_epoch_end()
        return [clip.tobytes() for clip in frames]

    first, second = epoch(), epoch()
    assert first != second
    assert sorted(first) == sorted(second) == sorted(clip.tobytes() for clip in store.read(rows))
    again = ClipBatches(clips_of(store, rows), batch_size=4, sampling=Sampling(3))
    assert [clip.tobytes() for i in range(len(again)) for clip in again[i][0]] == first


def test_features_are_fed_by_name_beside_frames_in_the_order_of_the_rows(store: Store) -> None:
    rows = store.rows("val")[::-1]
    feature = np.arange(len(rows) * 2, dtype=np.float16).reshape(-1, 2)
    for seed in (None, 4):
        batches = ClipBatches(
            clips_of(store, rows),
            Inputs(["feature", "frames"], {"feature": [[feature]]}),
            batch_size=99,
            sampling=None if seed is None else Sampling(seed),
        )
        (values, frames), labels = batches[0]
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
            training_samples(store, augmentation="light"),
            Inputs(["feature", "frames"], {"feature": [features]}),
            batch_size=5,
            sampling=Sampling(2, views=3),
        )

    views, frames = shown(batches())
    assert set(views) == {0, 1, 2}
    for row, view, clip in zip(rows, views, frames, strict=True):
        wanted = store.read([row])[0]
        augment({"frames": wanted}, view_generator(view, str(store.keys[row])))
        np.testing.assert_array_equal(clip, wanted)
    stream = batches()
    np.testing.assert_array_equal(shown(stream)[0], views)
    stream.on_epoch_end()
    assert (shown(stream)[0] != views).any()


def test_what_is_made_anew_is_repeated_by_its_seed_and_leaves_the_store_alone(
    store: Store,
) -> None:
    plain = store.read(store.rows("train"))
    samples = training_samples(store, 0.5, "strong")

    def epoch(workers: int = 1) -> npt.NDArray[np.uint8]:
        batches = ClipBatches(
            samples, batch_size=4, sampling=Sampling(1, views=ENDLESS), workers=workers
        )
        return np.concatenate([batches[i][0] for i in range(len(batches))])

    np.testing.assert_array_equal(epoch(), epoch(workers=2))
    np.testing.assert_array_equal(store.read(store.rows("train")), plain)


def test_what_is_made_anew_is_another_in_the_next_epoch(store: Store) -> None:
    samples = training_samples(store, augmentation="light")
    batches = ClipBatches(samples, batch_size=99, sampling=Sampling(1, views=ENDLESS))
    seen = {clip.tobytes() for clip in batches[0][0]}
    batches.on_epoch_end()
    assert not seen & {clip.tobytes() for clip in batches[0][0]}


def test_augmented_samples_without_views_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="shown in views"):
        ClipBatches(training_samples(store, augmentation="light"), sampling=Sampling(0))


def test_pairs_are_side_by_side_in_one_view_and_the_labels_mark_them(store: Store) -> None:
    samples = training_samples(store, 1.0)
    features = [[np.full((len(part), 1), view) for view in range(50)] for part in samples.parts]
    batches = ClipBatches(
        samples,
        Inputs(["feature"], {"feature": features}),
        batch_size=4,
        sampling=Sampling(2, frequency=samples.balanced(1.0), views=50),
        with_sources=True,
    )
    marks = set()
    for index in range(len(batches)):
        views, labels = batches[index]
        assert labels.shape == (len(views), 2)
        np.testing.assert_array_equal(labels[:, 0].reshape(-1, 2), [[0, 1]] * (len(views) // 2))
        assert (labels[0::2, 1] == labels[1::2, 1]).all()
        assert (views[0::2] == views[1::2]).all()
        marks |= set(labels[:, 1])
    assert len(marks) > 1


def test_an_epoch_follows_the_frequency(store: Store) -> None:
    samples = training_samples(store, 0.5)
    batches = ClipBatches(
        samples, batch_size=99, sampling=Sampling(0, frequency=samples.balanced(0.5), views=ENDLESS)
    )
    labels = batches[0][1]
    assert len(labels) == len(samples)
    assert labels.mean() == 0.5


def test_mixup_blends_frames_and_labels_of_a_batch(store: Store) -> None:
    samples = clips_of(store, store.rows("train"))
    shown = []
    for seed in range(4):
        batches = ClipBatches(samples, batch_size=99, sampling=Sampling(seed, mixup=1.0))
        frames, labels = batches[0]
        np.testing.assert_array_equal(frames, batches[0][0])
        assert frames.dtype == np.uint8
        # A fake of this store is brighter in one place, a blend in proportion.
        square = frames[:, :, 8:20, 8:20, 3].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(square, 80 + 100 * labels[:, 0], atol=4)
        shown += list(labels[:, 0])
    assert any(0.01 < label < 0.99 for label in shown)


def test_features_of_some_parts_are_read_beside_stored_clips_of_others(store: Store) -> None:
    samples = validation_samples(store, pseudo_fakes=True)
    clips = samples.parts[0]
    made = [np.zeros((len(part), *store.clip_shape), np.uint8) for part in samples.parts]
    parts = [[StoredClips(store, clips.rows, "frames")], *([array] for array in made[1:])]
    batches = ClipBatches(samples, Inputs(features={"frames": parts}), batch_size=len(clips) + 1)
    frames, labels = batches[0]
    np.testing.assert_array_equal(frames[:-1], store.read(clips.rows))
    assert not frames[-1].any()
    assert labels[-1] == 1
