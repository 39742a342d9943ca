"""Hostile model files end in seconds with one line, through the same call as sound ones."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from artifacts.models import weights_copy
from artifacts.models.trust import check_model_file, open_model
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError

# A sound check takes about one second; the machine may be busy.
MOST_SECONDS = 60


def _layer(kind: str, name: str, **config: object) -> dict[str, object]:
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": None,
        "name": name,
        "inbound_nodes": [],
    }


def _model(dense: dict[str, object] | None = None) -> str:
    first = _layer("InputLayer", "frames", batch_shape=[None, 4], dtype="float32")
    last = _layer("Dense", "fake_probability", **({"units": 1} | (dense or {})))
    history = {"shape": [None, 4], "dtype": "float32", "keras_history": ["frames", 0, 0]}
    tensor = {"class_name": "__keras_tensor__", "config": history}
    last["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]
    config = {"name": "model", "trainable": True, "layers": [first, last]}
    config |= {"input_layers": [["frames", 0, 0]]}
    config |= {"output_layers": [["fake_probability", 0, 0]]}
    return json.dumps({"class_name": "Functional", "config": config})


def _weights(file: h5py.File, kernel: np.ndarray) -> None:
    group = file.create_group("model_weights/fake_probability/fake_probability")
    file["model_weights"].attrs["layer_names"] = ["frames", "fake_probability"]
    names = ["fake_probability/kernel", "fake_probability/bias"]
    file["model_weights/fake_probability"].attrs["weight_names"] = names
    file["model_weights"].create_group("frames").attrs["weight_names"] = np.zeros(0, "f8")
    group["kernel"] = kernel
    group["bias"] = np.zeros(1, "f4")


def _sound(file: h5py.File) -> None:
    file.attrs["model_config"] = _model()
    _weights(file, np.ones((4, 1), "f4"))


def _attributes(file: h5py.File) -> None:
    _sound(file)
    for number in range(weights_copy.MOST_ATTRIBUTES):
        file["model_weights"].attrs.create(f"layer_names{number}", "x", dtype="S1")


def _deep(file: h5py.File) -> None:
    file.attrs["model_config"] = '{"class_name":' * 20_000


def _deep_lists(file: h5py.File) -> None:
    file.attrs["model_config"] = _model({"kernel_regularizer": json.loads("[" * 90 + "]" * 90)})


def _long_name(file: h5py.File) -> None:
    file.attrs["model_config"] = _model({"activation": "relu" * 1_000_000})


def _many_texts(file: h5py.File) -> None:
    file.attrs.create("model_config", ["x" * 60] * 900, dtype=h5py.string_dtype())


def _escape(file: h5py.File) -> None:
    file.attrs["model_config"] = _model()
    file["model_weights/\x1b]0;title\x07"] = h5py.SoftLink("/nowhere")


def _no_weights(file: h5py.File) -> None:
    file.attrs["model_config"] = _model({"units": 1 << 24})


def _other_rank(file: h5py.File) -> None:
    file.attrs["model_config"] = _model()
    _weights(file, np.ones((1, 1, 2, 2), "f4"))


def _bomb(file: h5py.File) -> None:
    _sound(file)
    file.create_dataset(
        "model_weights/more", (1 << 14, 1 << 14), "f4", chunks=(1 << 12, 1 << 12), compression=9
    )


FILES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "deep": (_deep, "is not a Keras model file"),
    "deep lists": (_deep_lists, "with lists inside its|nested too deeply"),
    "long name": (_long_name, "has a string of 4000000 characters"),
    "many texts": (_many_texts, "is not a Keras model file"),
    "escape": (_escape, r"\\x1b\]0;title\\x07"),
    "units without weights": (_no_weights, "it holds 0 weights, its layers need 83886080"),
    "weights of another rank": (_other_rank, "it holds 5 weights, its layers need 5"),
    "compressed": (_bomb, "in pieces or compressed"),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    write, reason = FILES[name]
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        write(file)
    started = time.monotonic()
    with pytest.raises(UserError, match=reason) as caught:
        check_model_file(path)
    assert time.monotonic() - started < MOST_SECONDS
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_many_attributes_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver="latest") as file:
        _attributes(file)
    with pytest.raises(UserError, match="has more attributes than any model"):
        check_model_file(path)


def test_an_orthogonal_initialiser_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = _model({"kernel_initializer": "orthogonal"})
        _weights(file, np.full((4, 1), 7, "f4"))

    def run(*_: object, **__: object) -> None:
        raise AssertionError("an initialiser of a file was run")

    monkeypatch.setattr(keras.initializers.Orthogonal, "__call__", run)
    kernel, _bias = open_model(path).get_weights()
    np.testing.assert_array_equal(kernel, np.full((4, 1), 7, "f4"))


@pytest.mark.slow
def test_a_command_ends_with_one_line_and_code_2(
    finished_run: RunDirectory, certify: Callable[[RunDirectory], None], tmp_path: Path
) -> None:
    with h5py.File(finished_run.h5, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["inbound_nodes"] *= 60_000
        file.attrs["model_config"] = json.dumps(config)
    certify(finished_run)
    video = tmp_path / "video.mp4"
    video.touch()
    command = [sys.executable, "-m", "search.cli", "predict", str(finished_run.root), str(video)]
    shown = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert shown.returncode == 2
    assert shown.stdout == ""
    (line,) = shown.stderr.splitlines()
    assert line.startswith(f"error: {finished_run.h5} calls its layers ")
