from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers

from data_prep.store.store import Clip, Store, write_store
from search.features import cache as feature_cache
from search.features.cache import FeatureCache
from search.features.suffix import Suffix, cut_prefix
from search.samples.batches import ClipBatches, Inputs
from search.samples.samples import Samples, clips_of, training_samples, validation_samples
from spaces.backbones.inflation import inflate

TIME, SIDE = 4, 32
FEATURES = 24
EVERY = ("frames", "flow", "audio")


def agree(
    found: npt.NDArray[np.floating], expected: npt.NDArray[np.floating], atol: float = 1e-5
) -> None:
    """The same but for rounding: TensorFlow may join other operations where a graph is cut."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=atol)


@pytest.fixture(scope="module")
def rich_path(
    make_clips: Callable[..., list[Clip]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A store with motion and sound, both made up: 12 people, 6 of them in training."""
    rng = np.random.default_rng(0)
    clips = [
        dataclasses.replace(
            clip,
            modalities={
                "flow": rng.normal(size=(TIME - 1, SIDE // 2, SIDE // 2, 3)).astype(np.float16),
                "audio": rng.normal(-8, 3, (TIME, 64, 40)).astype(np.float16),
            },
        )
        for clip in make_clips(12)
    ]
    path = tmp_path_factory.mktemp("rich") / "rich.h5"
    write_store(path, clips, [], {"synthetic": True})
    return path


@pytest.fixture
def rich(rich_path: Path) -> Store:
    with Store(rich_path) as opened:
        yield opened


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


def detector(
    *, seed: int = 0, inputs: tuple[str, ...] = EVERY, precision: str = "float32"
) -> keras.Model:
    """Frozen features of each input, of weights that are always the same, and a head that trains.

    Names of layers and weights of the head differ with the seed.
    """
    keras.utils.clear_session()
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(7)
    frames = keras.Input((TIME, SIDE, SIDE, 4), dtype="uint8", name="frames")
    flow = keras.Input((TIME - 1, SIDE // 2, SIDE // 2, 3), dtype="float16", name="flow")
    audio = keras.Input((TIME, 64, 40), dtype="float16", name="audio")
    known = {"frames": frames, "flow": flow, "audio": audio}
    streams = []
    for name in inputs:
        x = layers.Rescaling(0.01, dtype="float32", name=f"{name}_float_{seed}")(known[name])
        x = layers.Flatten(name=f"{name}_flat_{seed}")(x)
        x = layers.Dense(FEATURES, "relu", trainable=False, name=f"{name}_frozen_{seed}")(x)
        streams.append(layers.Dense(2, name=f"{name}_project")(x))
    x = streams[0] if len(streams) == 1 else layers.Concatenate(name="streams")(streams)
    keras.utils.set_random_seed(seed)
    outputs = layers.Dense(1, activation="sigmoid", name="fake_probability")(x)
    return keras.Model([frames, *(known[name] for name in inputs if name != "frames")], outputs)


def whole_answer(model: keras.Model, store: Store, rows: npt.NDArray[np.int64]) -> npt.NDArray:
    inputs = [store.read(rows, tensor.name) for tensor in model.inputs]
    return model.predict(inputs, batch_size=3, verbose=0)


def part_answer(suffix: Suffix, samples: Samples, view: int | None = None) -> npt.NDArray:
    """What the suffix answers to samples, of which the first part tells the split."""
    kept = suffix.val if samples.parts[0].name == "val" else suffix.train
    batches = ClipBatches(
        samples,
        Inputs(
            suffix.names,
            {
                name: [[arrays[min(view or 0, len(arrays) - 1)]] for arrays in kept[name]]
                for name in kept
            },
        ),
        batch_size=3,
    )
    return np.concatenate(
        [suffix.model.predict_on_batch(batches[index][0]) for index in range(len(batches))]
    )


def cut_plain(model: keras.Model, store: Store, cache: FeatureCache, **how: Any) -> Suffix:
    """Cut for the splits as they are."""
    return cut_prefix(model, cache, training_samples(store), validation_samples(store), **how)


def cut_views(model: keras.Model, store: Store, cache: FeatureCache, views: int) -> Suffix:
    """Cut for augmented training samples."""
    train = training_samples(store, augmentation="light")
    return cut_prefix(model, cache, train, validation_samples(store), views=views)


def entries(cache: FeatureCache) -> set[str]:
    return {path.stem for path in cache.folder.glob("*.npy")}


@pytest.mark.parametrize("inputs", [EVERY, ("audio",), ("frames", "audio")])
def test_whole_and_part_agree_on_any_inputs(
    inputs: tuple[str, ...], rich: Store, cache: FeatureCache
) -> None:
    model = detector(inputs=inputs)
    for split in ("train", "val"):
        with cut_plain(model, rich, cache) as suffix:
            assert not set(suffix.names) & set(EVERY)
            whole = whole_answer(model, rich, rich.rows(split))
            agree(part_answer(suffix, clips_of(rich, rich.rows(split), split)), whole)


@pytest.mark.slow
@pytest.mark.parametrize("stages", [0, 2], ids=["frozen", "last two stages train"])
def test_whole_and_part_of_a_resnet_agree_to_the_last_bit(
    stages: int, store: Store, cache: FeatureCache
) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    network = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    network = inflate(network, name="resnet50")
    names = [layer.name for layer in network.layers]
    begins = names.index("conv4_block1_1_conv") if stages else len(names)
    for place, layer in enumerate(network.layers):
        layer.trainable = place >= begins
    frames = keras.Input((TIME, SIDE, SIDE, 4), dtype="uint8", name="frames")
    colour = layers.Conv3D(3, 1, trainable=False, name="colour")
    x = layers.GlobalAveragePooling3D()(network(colour(layers.Rescaling(1.0)(frames))))
    model = keras.Model(frames, layers.Dense(1, activation="sigmoid")(x))
    model.jit_compile = False
    with cut_plain(model, store, cache) as suffix:
        suffix.model.jit_compile = False
        (name,) = suffix.names
        shape = (TIME, 4, 4, 512) if stages else (2048,)
        assert suffix.val[name][0][0].shape[1:] == shape
        rows = store.rows("val")
        whole = model.predict(store.read(rows), batch_size=8, verbose=0)
        part = suffix.model.predict(suffix.val[name][0][0], batch_size=8, verbose=0)
        agree(part, whole)


def test_mixed_precision_features_are_kept_as_they_are(rich: Store, cache: FeatureCache) -> None:
    before = keras.config.dtype_policy()
    try:
        model = detector(precision="mixed_bfloat16")
        with cut_plain(model, rich, cache) as suffix:
            assert {array.dtype.name for ((array,),) in suffix.val.values()} == {"bfloat16"}
            whole = whole_answer(model, rich, rich.rows("val"))
            agree(part_answer(suffix, validation_samples(rich)), whole, atol=0.01)
    finally:
        keras.config.set_dtype_policy(before)


def test_another_model_with_the_same_prefix_computes_nothing(
    rich: Store, cache: FeatureCache
) -> None:
    told: list[tuple[int, int]] = []
    cut_plain(detector(), rich, cache, progress=lambda done, of: told.append((done, of))).close()
    kept = entries(cache)
    assert len(kept) == 6  # three tensors, training and validation
    assert told.count((12, 12)) == told.count((6, 6)) == 3
    assert told.count((8, 12)) == 3
    told.clear()
    cut_plain(
        detector(seed=5), rich, cache, progress=lambda done, of: told.append((done, of))
    ).close()
    assert not told
    assert entries(cache) == kept


def test_other_weights_and_another_store_are_other_entries(
    rich: Store, store: Store, cache: FeatureCache
) -> None:
    model = detector(inputs=("frames",))
    cut_plain(model, rich, cache).close()
    first = entries(cache)
    frozen = model.get_layer("frames_frozen_0")
    frozen.set_weights([weight + 0.01 for weight in frozen.get_weights()])
    cut_plain(model, rich, cache).close()
    second = entries(cache) - first
    cut_plain(model, store, cache).close()
    assert len(second) == 2
    assert len(entries(cache) - first - second) == 2


def test_equal_prefixes_of_two_streams_share_an_entry_and_an_input(
    rich: Store, cache: FeatureCache
) -> None:
    audio = keras.Input((TIME, 64, 40), dtype="float16", name="audio")
    same = keras.initializers.GlorotUniform(3)
    ways = []
    for name in ("a", "b"):
        x = layers.Flatten()(layers.Rescaling(0.5)(audio))
        x = layers.Dense(FEATURES, kernel_initializer=same, trainable=False)(x)
        ways.append(layers.Dense(2, name=f"train_{name}")(x))
    model = keras.Model([audio], layers.Dense(1)(layers.Concatenate()(ways)))
    with cut_plain(model, rich, cache) as suffix:
        assert len(suffix.names) == len(suffix.model.inputs) == 1
        whole = whole_answer(model, rich, rich.rows("val"))
        agree(part_answer(suffix, validation_samples(rich)), whole)
    assert len(entries(cache)) == 2


def test_test_clips_are_never_read(
    rich: Store, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    read = Store.read

    def watched(self: Store, rows: npt.NDArray[np.int64], name: str = "frames") -> npt.NDArray:
        seen.update(map(int, rows))
        return read(self, rows, name)

    monkeypatch.setattr(Store, "read", watched)
    cut_views(detector(), rich, cache, 2).close()
    assert seen == set(rich.rows("train")) | set(rich.rows("val"))


def test_a_stored_view_is_what_the_whole_model_answers_to_that_view(
    rich: Store, cache: FeatureCache
) -> None:
    model = detector()
    rows = rich.rows("train")
    answers = []
    with cut_views(model, rich, cache, 2) as suffix:
        assert suffix.views == 2
        # No view changes sound: its features are there once.
        assert sorted(len(arrays) for (arrays,) in suffix.train.values()) == [1, 2, 2]
        for view in range(2):
            samples = training_samples(rich, augmentation="light")
            names = [tensor.name for tensor in model.inputs]
            clips = samples.make(np.arange(len(rows)), names, np.full(len(rows), view))
            whole = model.predict(list(clips.values()), batch_size=3, verbose=0)
            agree(part_answer(suffix, training_samples(rich), view), whole)
            answers.append(whole)
        plain = whole_answer(model, rich, rich.rows("val"))
        agree(part_answer(suffix, validation_samples(rich)), plain)
    assert (answers[0] != answers[1]).any()
    assert (answers[0] != whole_answer(model, rich, rows)).any()


def test_more_views_compute_only_what_is_new(rich: Store, cache: FeatureCache) -> None:
    model = detector(inputs=("frames",))
    cut_views(model, rich, cache, 2).close()
    kept = entries(cache)
    cut_views(model, rich, cache, 3).close()
    assert len(kept) == 3
    assert entries(cache) > kept
    assert len(entries(cache)) == 4


def test_validation_alone_can_be_had(rich: Store, cache: FeatureCache) -> None:
    with cut_prefix(detector(), cache, None, validation_samples(rich)) as suffix:
        assert not any(suffix.train.values())
        assert all(len(parts) == len(parts[0]) == 1 for parts in suffix.val.values())
    assert len(entries(cache)) == 3


def test_a_model_with_nothing_worth_keeping_is_left_whole(rich: Store, cache: FeatureCache) -> None:
    frames = keras.Input((TIME, SIDE, SIDE, 4), dtype="uint8", name="frames")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(frames))
    model = keras.Model(frames, layers.Dense(1)(x))
    with cut_plain(model, rich, cache) as suffix:
        assert suffix.model is model
        assert suffix.names == ["frames"]
        assert not suffix.note
    assert not cache.folder.exists()


def test_a_prefix_without_room_is_left_in_the_model_which_says_so(
    rich: Store, tmp_path: Path
) -> None:
    model = detector()
    small = FeatureCache(tmp_path / "f", budget=3000)
    with cut_plain(model, rich, small) as suffix:
        assert len(suffix.val) == 1
        assert len(suffix.names) == 3
        assert "fit into 3 kB" in suffix.note
        whole = whole_answer(model, rich, rich.rows("val"))
        agree(part_answer(suffix, validation_samples(rich)), whole)
    with cut_plain(model, rich, FeatureCache(tmp_path / "g", budget=100)) as suffix:
        assert suffix.model is model
        assert suffix.note.startswith("frozen features not cached")
    assert not list((tmp_path / "g").glob("*.npy"))


def test_features_are_held_until_the_suffix_is_closed(rich: Store, cache: FeatureCache) -> None:
    suffix = cut_plain(detector(inputs=("frames",)), rich, cache)
    (path, _) = sorted(cache.folder.glob("*.npy"))
    assert not feature_cache._remove_unused(path)
    suffix.close()
    assert feature_cache._remove_unused(path)
    assert np.isfinite(suffix.val[suffix.names[0]][0][0]).all()


def test_pseudo_fakes_have_entries_of_their_own_in_every_view(
    rich: Store, cache: FeatureCache
) -> None:
    model = detector()
    cut_plain(model, rich, cache).close()
    plain = entries(cache)
    train = training_samples(rich, 0.5)
    val = validation_samples(rich, pseudo_fakes=True)
    with cut_prefix(model, cache, train, val, views=2) as suffix:
        assert entries(cache) > plain, "clips as they are were computed again"
        # Clips are no other in another view; their pseudo-fakes are, where frames are looked at.
        views = sorted([len(arrays) for arrays in parts] for parts in suffix.train.values())
        assert views == [[1, 1], [1, 1], [1, 2]]
        for place in (0, len(train) - 1):
            clip = train.make(np.array([place]), EVERY, np.array([1]))
            whole = model.predict_on_batch(list(clip.values()))
            part = [suffix.train[name][train.part[place]] for name in suffix.names]
            fed = [arrays[-1][train.within[place]][None] for arrays in part]
            np.testing.assert_allclose(suffix.model.predict_on_batch(fed), whole, atol=1e-6)
        answers = part_answer(suffix, val)
        clips = val.make(np.arange(len(val)), EVERY)
        whole = model.predict(list(clips.values()), batch_size=3, verbose=0)
        np.testing.assert_allclose(answers, whole, atol=1e-6)


def test_pseudo_fakes_of_validation_are_kept_for_a_model_without_a_prefix(
    store: Store, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = keras.Input((TIME, SIDE, SIDE, 4), dtype="uint8", name="frames")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(frames))
    model = keras.Model(frames, layers.Dense(1)(x))
    val = validation_samples(store, pseudo_fakes=True)
    wanted = val.make(np.arange(len(val)), ["frames"])["frames"]
    for _ in range(2):
        with cut_prefix(model, cache, training_samples(store), val) as suffix:
            assert suffix.model is model
            batches = ClipBatches(val, Inputs(suffix.names, suffix.val), batch_size=len(val))
            np.testing.assert_array_equal(batches[0][0], wanted)
            assert not suffix.train
        # What is kept is not made again.
        monkeypatch.setattr("search.samples.samples.pseudo_fake", None)
    assert len(entries(cache)) == len(val.parts) - 1


def test_pseudo_fakes_of_validation_without_room_are_made_in_every_epoch(
    store: Store, tmp_path: Path
) -> None:
    frames = keras.Input((TIME, SIDE, SIDE, 4), dtype="uint8", name="frames")
    model = keras.Model(frames, layers.Dense(1)(layers.Flatten()(frames)))
    val = validation_samples(store, pseudo_fakes=True)
    with cut_prefix(model, FeatureCache(tmp_path / "f", budget=100), None, val) as suffix:
        assert suffix.note.startswith("pseudo-fakes of validation made in every epoch")
        batches = ClipBatches(val, Inputs(suffix.names, suffix.val), batch_size=len(val))
        np.testing.assert_array_equal(
            batches[0][0], val.make(np.arange(len(val)), ["frames"])["frames"]
        )
