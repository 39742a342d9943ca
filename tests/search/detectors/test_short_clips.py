"""A detector for fewer frames is trained in the place of the whole one, which gets its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from data_prep.store.store import Clip, Store, write_store
from search.config.feasible import obstacle_to, possible_streams, shown_frames
from search.config.run_config import RunConfig, resolve
from search.detectors.short_clips import build_short_detector
from search.detectors.space import build_detector, build_space
from search.features.cache import FeatureCache
from search.samples.samples import training_samples
from search.studies.hyperparameters import fixed_hyperparameters
from search.training.copy_weights import copy_weights
from search.training.fit import TrainingTask, fit
from spaces.training.space import TrainingChoices

CHOICES = TrainingChoices(samples=48, epoch_samples=16, batch_size=8, learning_rate=3e-3, views=2)


def config_of(store: Store, frames: int, **space: object) -> RunConfig:
    return resolve(
        {
            "store": store.path,
            "run_dir": store.path.parent / "run",
            "space": {"backbones": ["small_cnn"], **space},
            "training": {"frames": frames},
        }
    )


@pytest.mark.parametrize("frames", [1, 2])
def test_samples_show_so_many_consecutive_frames_others_in_every_view(
    store: Store, frames: int
) -> None:
    samples = training_samples(store, frames=frames)
    shown = set()
    for view in range(8):
        (clip,) = samples.make(np.array([0]), ["frames"], np.array([view]))["frames"]
        whole = store.read(samples.rows[:1])[0]
        starts = [
            start
            for start in range(len(whole) - frames + 1)
            if np.array_equal(whole[start : start + frames], clip)
        ]
        assert len(starts) == 1
        shown.add(starts[0])
    assert len(shown) > 1
    again = samples.make(np.array([0]), ["frames"], np.array([7]))["frames"][0]
    np.testing.assert_array_equal(again, clip)


def test_a_pseudo_fake_shows_the_frames_of_its_clip(store: Store) -> None:
    samples = training_samples(store, 1.0, frames=1)
    reals = len(samples) // 2
    views = np.array([3])
    clip, fake = (
        samples.make(np.array([place]), ["frames"], views)["frames"][0] for place in (0, reals)
    )
    whole = store.read(samples.rows[:1])[0].astype(int)
    nearest = [np.abs(frame - fake[0]).mean() for frame in whole]
    assert np.array_equal(whole[int(np.argmin(nearest))], clip[0])
    assert not np.array_equal(clip, fake)


@pytest.mark.parametrize("choices", [CHOICES, dataclasses.replace(CHOICES, views=0)])
@pytest.mark.parametrize("weight_averaging", [False, True])
def test_the_whole_detector_is_left_with_what_the_shorter_one_learned(
    store: Store, tmp_path: Path, choices: TrainingChoices, weight_averaging: bool
) -> None:
    config = config_of(store, 1)
    choices = dataclasses.replace(choices, weight_averaging=weight_averaging)
    hp = fixed_hyperparameters({})
    whole = build_detector(build_space(config, store), hp, 0)
    before = whole.get_weights()
    short = build_short_detector(config, store, hp, 0)
    assert short is not None
    assert short.inputs[0].shape[1] == 1
    trained = fit(whole, TrainingTask(store, FeatureCache(tmp_path), 0), choices, shorter=short)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(before, whole.get_weights(), strict=True))
    rows = store.rows("val")
    answers = whole.predict_on_batch(store.read(rows))[:, 0]
    positives = answers[store.labels[rows] == 1][:, None] > answers[store.labels[rows] == 0]
    assert trained.best.auc == pytest.approx(positives.mean(), abs=1e-6)
    # A clip of one frame repeated is to the whole what the frame is to the shorter.
    frame = store.read(rows[:1])[:, :1]
    still = np.repeat(frame, store.clip_shape[0], axis=1)
    np.testing.assert_allclose(
        short.predict_on_batch(frame), whole.predict_on_batch(still), atol=1e-5
    )


@pytest.mark.slow
def test_a_frozen_network_is_computed_for_the_frames_that_are_shown(
    store: Store, tmp_path: Path
) -> None:
    config = config_of(store, 1, backbones=["efficientnet_lite0"], streams=["spatial"])
    hp = fixed_hyperparameters({})
    whole = build_detector(build_space(config, store), hp, 0)
    short = build_short_detector(config, store, hp, 0)
    choices = dataclasses.replace(CHOICES, samples=16, pseudo_fakes=0.5, augmentation="strong")
    trained = fit(whole, TrainingTask(store, FeatureCache(tmp_path), 0), choices, shorter=short)
    assert trained.cached == 1


def test_all_frames_need_no_other_detector(store: Store) -> None:
    for frames in (0, store.clip_shape[0], 99):
        assert (
            build_short_detector(config_of(store, frames), store, fixed_hyperparameters({}), 0)
            is None
        )


def test_what_needs_more_frames_than_are_shown_is_left_out(store: Store) -> None:
    one, three, whole = (config_of(store, frames) for frames in (1, 3, 0))
    assert shown_frames(one, store) == 1
    reason = obstacle_to("micro_expression", one, store)
    assert reason == "training.frames is 1, and clips of one frame have no motion"
    assert possible_streams(one, store) == ["spatial", "noise_residual"]
    assert "micro_expression" in possible_streams(three, store)
    kinds = {}
    for name, config in (("one", one), ("three", three), ("whole", whole)):
        graph = build_space(config, store)
        (block,) = [block for block in graph.blocks if hasattr(block, "temporal")]
        kinds[name] = block.temporal.kinds
    assert kinds["one"] == ["mean"]
    assert set(kinds["whole"]) - set(kinds["three"]) == {"transformer"}


@pytest.mark.slow
def test_every_part_for_three_frames_has_the_weights_for_whole_clips(store: Store) -> None:
    config = config_of(store, 3)
    for kind in ("bilstm", "bigru", "convolution", "attention", "mean"):
        hp = fixed_hyperparameters({"detector/temporal/kind": kind})
        whole = build_detector(build_space(config, store), hp, 0)
        short = build_short_detector(config, store, hp, 0)
        assert short is not None
        copy_weights(short, whole)


@pytest.fixture
def long_store(make_clips: Callable[..., list[Clip]], tmp_path: Path) -> Iterator[Store]:
    """Clips of 16 frames."""
    times = np.arange(16)
    clips = [
        dataclasses.replace(
            clip,
            frame_indices=times,
            frame_times=times / 25.0,
            **{
                name: np.repeat(getattr(clip, name), 4, axis=0)
                for name in ("frames", "boxes", "landmarks", "scores")
            },
        )
        for clip in make_clips(4)
    ]
    write_store(tmp_path / "long.h5", clips, [], {"clip": {}, "synthetic": True})
    with Store(tmp_path / "long.h5") as opened:
        yield opened


@pytest.mark.parametrize(("frames", "strides"), [(3, [1]), (8, [1]), (9, [1, 2, 4])])
def test_strides_leave_enough_frames_to_know_order(
    long_store: Store, frames: int, strides: list[int]
) -> None:
    config = config_of(long_store, frames, streams=["spatial"])
    graph = build_space(config, long_store)
    for stride in (1, 2, 4):
        answers = {"detector/temporal/kind": "attention", "detector/spatial/frame_stride": stride}
        hp = fixed_hyperparameters(answers)
        whole = build_detector(graph, hp, 0)
        short = build_short_detector(config, long_store, hp, 0)
        assert short is not None
        copy_weights(short, whole)
        (weights,) = [one for one in whole.layers if one.name.endswith("attention_weights")]
        assert weights.output.shape[1] == -(-16 // (stride if stride in strides else 1))


def test_inflated_kernels_are_those_of_whole_clips(long_store: Store) -> None:
    config = config_of(
        long_store, 3, streams=["spatial"], backbones=["resnet50"], weights="none", inflate=1
    )
    hp = fixed_hyperparameters({"detector/temporal/kind": "mean"})
    whole = build_detector(build_space(config, long_store), hp, 0)
    short = build_short_detector(config, long_store, hp, 0)
    assert short is not None
    copy_weights(short, whole)


def test_weights_of_another_detector_are_refused() -> None:
    def model(name: str, units: int) -> keras.Model:
        x = keras.Input((2,))
        return keras.Model(x, keras.layers.Dense(units, name=name)(x))

    with pytest.raises(ValueError, match="other layers: a, b"):
        copy_weights(model("a", 1), model("b", 1))
    with pytest.raises(ValueError, match="shape"):
        copy_weights(model("a", 1), model("a", 2))
