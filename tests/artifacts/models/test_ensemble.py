from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.metrics.metrics import Calibration
from artifacts.models.ensemble import merge_models
from artifacts.models.picture import draw_model
from artifacts.models.saved import fold_calibration, save_model
from artifacts.models.trust import check_model_file
from artifacts.run_directory import RunDirectory
from spaces.detector import detector_space

CLIP_SHAPE = (4, 32, 32, 4)
AUDIO_SHAPE = (4, 64, 40)
WEIGHTS = (0.6, 0.3, 0.1)

Clips = dict[str, npt.NDArray[np.generic]]


def detector(seed: int, streams: tuple[str, ...], kind: str = "mean") -> keras.Model:
    """An untrained detector of some streams; the same layer names whatever the seed."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    hp = keras_tuner.HyperParameters()
    hp.values.update({"detector/temporal/kind": kind, "detector/spatial/backbone": "small_cnn"})
    modalities = {"audio": AUDIO_SHAPE} if "audio" in streams else {}
    return detector_space(CLIP_SHAPE, modalities, streams=streams, searched=False).build(hp)


@pytest.fixture(scope="module")
def members() -> dict[str, keras.Model]:
    """Two that differ in their weights alone, and one that listens."""
    return {
        "architecture_0": detector(0, ("spatial",)),
        "architecture_3": detector(1, ("spatial",)),
        "training_1": detector(2, ("noise_residual", "audio")),
    }


@pytest.fixture(scope="module")
def clips() -> Clips:
    rng = np.random.default_rng(0)
    return {
        "frames": rng.integers(0, 256, (6, *CLIP_SHAPE), np.uint8),
        "audio": rng.normal(size=(6, *AUDIO_SHAPE)).astype(np.float16),
    }


def answers(model: keras.Model, clips: Clips) -> npt.NDArray[np.float64]:
    given = [clips[tensor.name] for tensor in model.inputs]
    return np.asarray(model(given if len(given) > 1 else given[0]), np.float64)[:, 0]


def with_bias(model: keras.Model, bias: float) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel, _ = copy.get_layer("fake_probability").get_weights()
    copy.get_layer("fake_probability").set_weights([kernel, np.float32([bias])])
    return copy


def test_the_answer_is_the_weighted_mean_of_the_members(
    members: dict[str, keras.Model], clips: Clips
) -> None:
    both = merge_models(members, WEIGHTS)
    expected = np.average([answers(m, clips) for m in members.values()], axis=0, weights=WEIGHTS)
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(answers(both, clips), expected, atol=1e-6)
    assert [tensor.name for tensor in both.inputs] == ["frames", "audio"]
    assert both.count_params() == sum(m.count_params() for m in members.values()) + 4


@pytest.mark.parametrize("bias", [90.0, -90.0])
def test_sure_members_keep_their_say(
    members: dict[str, keras.Model], clips: Clips, bias: float
) -> None:
    first, second, _ = members.values()
    both = merge_models({"sure": with_bias(first, bias), "unsure": second}, (0.5, 0.5))
    expected = (float(bias > 0) + answers(second, clips)) / 2
    np.testing.assert_allclose(answers(both, clips), expected, atol=1e-6)


def test_the_members_stay_as_they_are(members: dict[str, keras.Model], clips: Clips) -> None:
    before = [answers(model, clips) for model in members.values()]
    both = merge_models(members, WEIGHTS)
    both.set_weights([np.zeros_like(weight) for weight in both.get_weights()])
    for model, expected in zip(members.values(), before, strict=True):
        np.testing.assert_array_equal(answers(model, clips), expected)


def test_calibration_scales_the_logit_of_the_mean(
    members: dict[str, keras.Model], clips: Clips
) -> None:
    both = merge_models(members, WEIGHTS)
    before = answers(both, clips)
    fold_calibration(both, Calibration(slope=2.0, intercept=-0.5))
    logit = np.log(before / (1 - before))
    np.testing.assert_allclose(answers(both, clips), 1 / (1 + np.exp(0.5 - 2 * logit)), atol=1e-5)


def test_the_files_open_where_nothing_but_keras_is(
    members: dict[str, keras.Model], clips: Clips, tmp_path: Path
) -> None:
    both = merge_models(members, WEIGHTS)
    run = RunDirectory(tmp_path)
    save_model(both, run)
    check_model_file(run.h5)
    np.savez(tmp_path / "clips.npz", **clips)
    code = (
        "import sys, keras, numpy as np\n"
        "clips = np.load('clips.npz')\n"
        "for name in ('best_model.h5', 'best_model.keras'):\n"
        "    model = keras.models.load_model(name, compile=False)\n"
        "    found = model.predict([clips[t.name] for t in model.inputs], verbose=0)[:, 0]\n"
        "    np.save(name + '.npy', found)\n"
        "assert not {'spaces', 'artifacts', 'search', 'autokeras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={"PATH": ""})
    for path in (run.h5, run.keras):
        found = np.load(f"{path}.npy")
        np.testing.assert_allclose(found, answers(both, clips), atol=1e-6)


def test_it_can_be_drawn(members: dict[str, keras.Model], tmp_path: Path) -> None:
    draw_model(merge_models(members, WEIGHTS), tmp_path / "ensemble.png")
    assert (tmp_path / "ensemble.png").stat().st_size > 0


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_weights_that_do_not_fit_are_refused(
    members: dict[str, keras.Model], weights: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="weight"):
        merge_models(members, weights)


def test_members_take_clips_of_one_shape(members: dict[str, keras.Model]) -> None:
    keras.utils.set_random_seed(0)
    other = detector_space((8, 32, 32, 4), streams=("noise_residual",), searched=False).build(
        keras_tuner.HyperParameters()
    )
    with pytest.raises(ValueError, match=r"other takes frames of \(8, 32, 32, 4\)"):
        merge_models({**members, "other": other}, (0.25,) * 4)
