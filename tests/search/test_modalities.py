"""Motion and sound beside the frames, from videos to a verdict; stores without them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from artifacts.certificate import Certificate
from artifacts.run_directory import RunDirectory
from data_prep.store.store import Store
from data_prep.synthetic.synthesize import synthesize

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]

CONFIG = """\
store = "store.h5"
run_dir = "run"
preset = "quick"
[space]
streams = ["micro_expression", "audio"]
[architecture]
trials = 1
samples = 32
batch_size = 8
learning_rate = 0.001
[gan]
trials = 0
[training]
trials = 0
epoch_samples = 16
frames = 0
"""


def _add_sound(video: Path, pitch: int) -> None:
    """Give a silent video a tone in noise."""
    sound = f"sine=frequency={pitch}:duration=2"
    spoken = video.with_name(f"spoken-{video.name}")
    command = [get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(video), "-f", "lavfi", "-i", sound]
    subprocess.run([*command, "-shortest", "-c:v", "copy", str(spoken)], check=True)
    spoken.replace(video)


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory, in_process: Dfsearch) -> Path:
    """A folder with a searched run on SYNTHETIC people whose fakes have another voice."""
    folder = tmp_path_factory.mktemp("speaking")
    synthesize(folder / "videos", identities=12, frames=12, size=128)
    for video in sorted((folder / "videos").rglob("*.mp4")):
        _add_sound(video, 3000 if "manipulated" in str(video) else 400)
    done = in_process(
        *("prepare", folder / "videos", folder / "store.h5", "--frames", 6, "--size", 64),
        *("--modalities", "flow,audio", "--jobs", 2),
    )
    assert done.returncode == 0, done.stderr
    (folder / "config.toml").write_text(CONFIG)
    done = in_process("run", folder / "config.toml")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_a_run_uses_sound_and_its_model_loads_with_keras(speaking: Path) -> None:
    run = RunDirectory(speaking / "run")
    certificate = Certificate.read(run)
    assert "audio" in certificate.modalities
    model = keras.models.load_model(run.h5, compile=False)
    assert [tensor.name for tensor in model.inputs] == ["frames", *certificate.modalities]
    with Store(speaking / "store.h5") as store:
        for contract in certificate.other_inputs:
            assert contract.shape == store.modality_shapes[contract.name]
        rows = store.rows("test")
        answers = model.predict_on_batch([store.read(rows, t.name) for t in model.inputs])
        assert certificate.test is not None
        assert certificate.test.videos == len(answers)


@pytest.mark.slow
def test_a_verdict_hears_the_video(speaking: Path, in_process: Dfsearch, tmp_path: Path) -> None:
    """The same picture with another sound is another clip; a silent one is judged as well."""
    video = next((speaking / "videos").glob("original_sequences/*/*/videos/*.mp4"))
    other, silent = tmp_path / "other.mp4", tmp_path / "silent.mp4"
    shutil.copy(video, other)
    _add_sound_again(other, silent)
    done = in_process("predict", speaking / "run", video, other, silent, "--json")
    assert done.returncode == 0, done.stderr
    same, changed, quiet = (
        answer["fake_probability"] for answer in map(json.loads, done.stdout.splitlines())
    )
    assert same != changed
    assert same != quiet
    assert all(0 <= value <= 1 for value in (same, changed, quiet))


def _add_sound_again(other: Path, silent: Path) -> None:
    command = [get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(other), "-an", "-c:v", "copy"]
    subprocess.run([*command, str(silent)], check=True)
    shutil.copy(silent, other)
    _add_sound(other, 3000)


@pytest.mark.slow
def test_another_store_must_have_what_the_model_needs(
    speaking: Path, in_process: Dfsearch, make_store: Callable[..., Path], tmp_path: Path
) -> None:
    bare = tmp_path / "bare.h5"
    options = ("--frames", 6, "--size", 64)
    assert in_process("prepare", speaking / "videos", bare, *options).returncode == 0
    done = in_process("evaluate", speaking / "run", bare, "--split", "all")
    assert done.returncode == 2
    assert "has no" in done.stderr
    assert "--modalities" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stream_without_its_modality_is_left_out_and_said_so(
    store_path: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(
        CONFIG.replace('"store.h5"', json.dumps(str(store_path))).replace(
            '"micro_expression"', '"noise_residual"'
        )
    )
    done = in_process("run", tmp_path / "config.toml")
    assert done.returncode == 0, done.stderr
    assert "without the audio stream: the clips carry no sound" in done.stderr
    certificate = Certificate.read(RunDirectory(tmp_path / "run"))
    assert certificate.modalities == ()
    assert not any("audio" in name for name in certificate.architecture)


def test_no_stream_left_is_an_error_before_any_trial(
    store_path: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    done = in_process("run", store_path, tmp_path / "run", "--streams", "audio")
    assert done.returncode == 2
    assert "no stream is left to search" in done.stderr
    assert "--modalities audio" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_inputs_are_read_by_the_names_of_the_model(store: Store) -> None:
    from artifacts.models.inference import read_inputs

    frames = keras.Input(store.clip_shape, dtype="uint8", name="frames")
    model = keras.Model(frames, keras.layers.Flatten()(frames))
    found = read_inputs(model, store, np.array([2, 0]))
    assert list(found) == ["frames"]
    np.testing.assert_array_equal(found["frames"], store.read([2, 0]))
