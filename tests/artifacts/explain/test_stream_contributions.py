from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from artifacts.explain import stream_contributions
from artifacts.explain.stream_contributions import (
    FILE,
    StreamContributions,
    measure,
    read_or_measure_contributions,
)
from artifacts.models.ensemble import merge_models
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from spaces.detector import detector_space

STREAMS = ("spatial", "noise_residual")
PEOPLE = 12


def detector(*streams: str, seed: int = 0) -> Any:
    """Untrained, joined side by side, with steps of both streams in its head."""
    keras.utils.set_random_seed(seed)
    hp = keras_tuner.HyperParameters()
    hp.values |= {
        "detector/temporal/kind": "mean",
        "detector/spatial/backbone": "small_cnn",
        "detector/spatial/filters": 8,
        "detector/fusion/kind": "concatenation",
    }
    return detector_space((2, 32, 32, 4), {}, streams, searched=False).build(hp)


def deaf_to(stream: int, model: Any) -> Any:
    """The same detector, its head blind to one of two streams and glad of the other."""
    head = model.get_layer("fake_probability")
    kernel, bias = head.get_weights()
    rows = np.repeat([0.0, 1.0] if stream == 0 else [1.0, 0.0], len(kernel) // 2)
    head.set_weights([rows[:, None].astype(np.float32), bias])
    return model


@pytest.fixture(scope="module")
def store(
    tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Clip]
) -> Iterator[Store]:
    """Twelve people, each real and as a fake, which is brighter and noisier."""
    rng = np.random.default_rng(0)
    clips = []
    for person in range(PEOPLE):
        for label in (0, 1):
            base = rng.integers(60, 120, (1, 1, 1, 4)) + 60 * label
            noise = rng.normal(0, 2 + 20 * label, (2, 32, 32, 4))
            frames = np.clip(base + noise, 0, 255).astype(np.uint8)
            kind = "fake" if label else "real"
            clips.append(make_clip(f"p{person}", kind, count=2, split="val", frames=frames))
    path = tmp_path_factory.mktemp("store") / "store.h5"
    write_store(path, clips, [], {})
    with Store(path) as opened:
        yield opened


def test_what_the_head_does_not_look_at_is_worth_nothing(store: Store) -> None:
    found = measure(deaf_to(1, detector(*STREAMS)), store)
    looked_at, deaf = found.streams
    assert (looked_at.stream, deaf.stream) == STREAMS
    assert found.fusion == "concatenation"
    assert found.clips == 2 * PEOPLE
    assert deaf.loss == 0 and deaf.auc_without == found.auc
    assert deaf.loss_interval is None  # every draw of people gives 0
    assert looked_at.auc_without == 0.5
    assert looked_at.loss == pytest.approx(found.auc - 0.5)
    assert abs(looked_at.loss) > 0.1
    assert looked_at.weight_real == looked_at.weight_fake == 1
    assert deaf.weight_real == deaf.weight_fake == 0


def test_in_an_ensemble_a_stream_is_taken_from_all_members(store: Store) -> None:
    first, second = deaf_to(1, detector(*STREAMS)), detector("spatial", seed=1)
    found = measure(merge_models({"a": first, "b": second}, [0.6, 0.4]), store)
    spatial, noise = found.streams
    assert found.fusion == "several"
    assert spatial.auc_without == 0.5
    assert noise.loss == 0
    assert spatial.weight_fake == pytest.approx(1)


def test_of_a_single_stream_nothing_is_left(store: Store) -> None:
    (only,) = measure(detector("spatial"), store).streams
    assert only.auc_without == 0.5
    assert only.weight_real == 1


def test_figures_are_kept_until_the_model_changes(
    store: Store, finished_run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = detector("spatial")
    found = read_or_measure_contributions(finished_run, model, store)
    kept = json.loads((finished_run.root / FILE).read_text())
    assert StreamContributions.from_json(kept) == found
    with monkeypatch.context() as patched:
        patched.delattr(stream_contributions, "measure")
        assert read_or_measure_contributions(finished_run, model, store) == found
    finished_run.h5.write_bytes(b"another")
    assert read_or_measure_contributions(finished_run, model, store).model != found.model


@pytest.mark.parametrize("text", ["", "[]", '{"streams": 3}', '{"streams": [{"stream": "x"}]}'])
def test_a_damaged_file_is_measured_anew(
    text: str, store: Store, finished_run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished_run.root / FILE).write_text(text)
    expected = StreamContributions("", store.fingerprint, "val", 24, "single", 0.5, ())
    monkeypatch.setattr(stream_contributions, "measure", lambda *_, **__: expected)
    assert read_or_measure_contributions(finished_run, detector("spatial"), store) == expected
    assert json.loads((finished_run.root / FILE).read_text())["clips"] == 24


def test_figures_that_cannot_be_kept_are_given(store: Store, finished_run: RunDirectory) -> None:
    (finished_run.root / FILE).mkdir()
    assert (
        read_or_measure_contributions(finished_run, detector("spatial"), store).clips == 2 * PEOPLE
    )
    assert [path.name for path in finished_run.root.iterdir() if path.suffix == ".tmp"] == []


def test_other_clips_are_refused(store: Store, detector: keras.Model) -> None:
    with pytest.raises(UserError, match=r"has frames of \(2, 32, 32, 4\), the model takes \(4"):
        measure(detector, store)


def test_a_split_without_clips_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the test split needs real and fake clips"):
        measure(detector("spatial"), store, "test")


def test_a_model_without_streams_is_refused(store: Store) -> None:
    frames = keras.Input((2, 32, 32, 4), name="frames")
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(frames))
    with pytest.raises(UserError, match="has no streams"):
        measure(keras.Model(frames, x), store)
