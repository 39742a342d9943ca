from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from data_prep.store import Store
from search import detectors
from search.config import RunConfig, resolve
from search.feature_cache import Suffix, cut
from search.fit import fit
from search.hyperparameters import fixed
from spaces.training import TrainingChoices


@pytest.fixture(scope="module")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in a file, where pretrained ones would be."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    network = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    network.save_weights(folder / "resnet50.weights.h5")
    return folder


@pytest.fixture
def config(store_path: Path, weights_folder: Path, tmp_path: Path) -> RunConfig:
    space = {"streams": ["spatial"], "backbones": ["resnet50"], "weights": str(weights_folder)}
    return resolve({"store": store_path, "run_dir": tmp_path, "space": space})


def build(config: RunConfig, store: Store, seed: int = 0) -> keras.Model:
    return detectors.build(detectors.space(config, store), fixed({}), seed)


def inputs(suffix: Suffix, store: Store, rows: list[int]) -> list[np.ndarray]:
    return [
        store.read(rows) if name == "frames" else suffix.features[name][rows]
        for name in suffix.names
    ]


def test_a_frozen_backbone_is_cut_off_and_the_rest_agrees_to_the_last_bit(
    config: RunConfig, store: Store, tmp_path: Path
) -> None:
    model = build(config, store)
    suffix = cut(model, store, tmp_path / "features")
    assert "frames" not in suffix.names
    assert suffix.model.count_params() < model.count_params() / 10
    rows = [int(row) for row in store.rows("val")]
    whole = model.predict(store.read(rows), batch_size=8, verbose=0)
    part = suffix.model.predict(inputs(suffix, store, rows), batch_size=8, verbose=0)
    np.testing.assert_array_equal(whole, part)


def test_training_the_suffix_trains_the_whole_which_still_saves(
    config: RunConfig, store: Store, tmp_path: Path
) -> None:
    model = build(config, store)
    frames = store.read([0, 1, 2])
    before = model.predict(frames, verbose=0)
    frozen = model.get_layer("resnet50").get_weights()
    trained = fit(
        model, store, TrainingChoices(epochs=2, batch_size=8), seed=0, features=tmp_path / "f"
    )
    assert trained.cached == 1
    assert (model.predict(frames, verbose=0) != before).any()
    for old, new in zip(frozen, model.get_layer("resnet50").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        loaded = keras.models.load_model(tmp_path / f"model.{ending}", compile=False)
        np.testing.assert_array_equal(
            loaded.predict(frames, verbose=0), model.predict(frames, verbose=0)
        )


def test_a_second_model_with_the_same_prefix_reads_what_the_first_computed(
    config: RunConfig, store: Store, tmp_path: Path
) -> None:
    first = cut(build(config, store), store, tmp_path / "f")
    (entry,) = (tmp_path / "f").glob("*.npy")
    written = entry.stat().st_mtime_ns
    second = cut(build(config, store, seed=9), store, tmp_path / "f")
    assert second.names == first.names
    assert entry.stat().st_mtime_ns == written


def test_other_weights_are_another_entry(config: RunConfig, store: Store, tmp_path: Path) -> None:
    model = build(config, store)
    first = cut(model, store, tmp_path / "f")
    network = model.get_layer("resnet50")
    network.set_weights([w + 0.01 for w in network.get_weights()])
    second = cut(model, store, tmp_path / "f")
    assert second.names != first.names


@pytest.mark.parametrize("damage", ["truncate", "garbage", "other shape"])
def test_a_damaged_entry_is_computed_again(
    config: RunConfig, store: Store, tmp_path: Path, damage: str
) -> None:
    model = build(config, store)
    whole = np.array(next(iter(cut(model, store, tmp_path / "f").features.values())))
    (entry,) = (tmp_path / "f").glob("*.npy")
    if damage == "truncate":
        entry.write_bytes(entry.read_bytes()[:300])
    elif damage == "garbage":
        entry.write_bytes(b"not an array")
    else:
        np.save(entry, np.zeros((3, 2), np.float32))
    again = next(iter(cut(model, store, tmp_path / "f").features.values()))
    np.testing.assert_array_equal(again, whole)


def test_test_rows_are_never_computed(config: RunConfig, store: Store, tmp_path: Path) -> None:
    suffix = cut(build(config, store), store, tmp_path / "f")
    features = next(iter(suffix.features.values()))
    assert not features[store.rows("test")].any()
    assert features[store.rows("train")].any()


def test_a_model_with_nothing_worth_keeping_is_left_whole(
    store_path: Path, store: Store, tmp_path: Path
) -> None:
    config = resolve(
        {
            "store": store_path,
            "run_dir": tmp_path,
            "space": {"streams": ["spatial"], "backbones": ["small_cnn"]},
        }
    )
    model = build(config, store)
    suffix = cut(model, store, tmp_path / "f")
    assert suffix.names == ["frames"]
    assert suffix.model is model
    assert not (tmp_path / "f").exists()
