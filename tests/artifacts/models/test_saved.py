"""A run's model is opened only when it is the certified one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from artifacts.certificate import ModelFile
from artifacts.metrics.metrics import Calibration
from artifacts.models.saved import (
    fold_calibration,
    inference_copy,
    load_detector,
    plain_copy,
    save_model,
    versions,
)
from artifacts.models.trust import check_model_file
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError


def _head(units: int = 1) -> keras.Model:
    x = keras.Input((4,), name="frames")
    y = keras.layers.Dense(units, activation="sigmoid", name="fake_probability")(x)
    return keras.Model(x, y)


def test_folding_a_calibration_scales_and_shifts_the_logit() -> None:
    model = _head()
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    before = np.asarray(model(x), np.float64)
    fold_calibration(model, Calibration(slope=0.4, intercept=-1.5))
    logit = 0.4 * np.log(before / (1 - before)) - 1.5
    np.testing.assert_allclose(np.asarray(model(x)), 1 / (1 + np.exp(-logit)), atol=1e-6)


@keras.saving.register_keras_serializable(package="elsewhere")
class NotNegative(keras.constraints.Constraint):
    """A constraint of someone else."""

    def __call__(self, w: Any) -> Any:
        return keras.ops.maximum(w, 0.0)


def test_a_plain_copy_is_float32_keeps_what_is_frozen_and_drops_constraints(
    tmp_path: Path,
) -> None:
    keras.utils.set_random_seed(1)  # weights drawn by chance may make much of a rounding
    sequence = keras.Input((5, 6))
    frozen = keras.layers.Dense(3, trainable=False, name="frozen")
    inside = keras.Model(sequence, frozen(sequence))
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        frames = keras.Input((5, 6), dtype="uint8", name="frames")
        x = keras.layers.Rescaling(1 / 255)(frames)
        x = keras.layers.TimeDistributed(
            keras.layers.Dense(4, kernel_constraint=NotNegative(), name="held")
        )(x)
        x = keras.layers.Bidirectional(keras.layers.LSTM(3), name="both_ways")(x)
        y = keras.layers.GlobalAveragePooling1D()(inside(frames))
        x = keras.layers.Concatenate()([x, y])
        x = keras.layers.Dense(1, activation="sigmoid", name="fake_probability")(x)
    finally:
        keras.config.set_dtype_policy(policy)
    model = keras.Model(frames, x)
    copy = plain_copy(model)
    assert {layer.compute_dtype for layer in copy._flatten_layers() if layer.weights} == {"float32"}
    assert copy.inputs[0].dtype == "uint8"
    assert len(copy.trainable_weights) == len(model.trainable_weights)
    copy.save(tmp_path / "copy.h5", include_optimizer=False)
    check_model_file(tmp_path / "copy.h5")
    clips = np.random.default_rng(0).integers(0, 256, (4, 5, 6), np.uint8)
    again = keras.models.load_model(tmp_path / "copy.h5", compile=False)
    np.testing.assert_array_equal(again(clips), copy(clips))
    np.testing.assert_allclose(copy(clips), keras.ops.cast(model(clips), "float32"), atol=0.02)
    for ours, theirs in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_model_is_copied_only_where_something_of_it_is_for_training() -> None:
    frames = keras.Input((5,), name="frames")
    plain = keras.Model(frames, keras.layers.Dense(1)(frames))
    assert inference_copy(plain) is plain
    held = keras.layers.Dense(1, kernel_constraint="non_neg")(frames)
    assert inference_copy(keras.Model(frames, held)).layers[-1].kernel_constraint is None
    half = keras.layers.Dense(1, dtype="mixed_bfloat16")(frames)
    assert inference_copy(keras.Model(frames, half)).layers[-1].compute_dtype == "float32"
    plain.compile("adam", "binary_crossentropy")
    assert not inference_copy(plain).compiled


def test_both_files_hold_the_whole_model_and_no_optimizer(
    tmp_path: Path, detector: keras.Model
) -> None:
    run = RunDirectory(tmp_path)
    detector.compile("adam", "binary_crossentropy")
    save_model(detector, run)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best_model.h5",
        "best_model.keras",
    ]
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 4), np.uint8)
    for path in (run.h5, run.keras):
        again = keras.models.load_model(path)
        assert not again.compiled
        np.testing.assert_allclose(again(clips), detector.predict_on_batch(clips), atol=1e-5)
    with h5py.File(run.h5) as file:
        assert "optimizer_weights" not in file


def test_facts_of_a_file_are_its_size_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert ModelFile.from_path(path).model_dump() == {"file": "a.bin", "bytes": 3, "sha256": digest}


def test_versions_name_what_a_result_depends_on() -> None:
    found = versions()
    assert found["keras"] == keras.version()
    assert {"python", "tensorflow", "autokeras", "optuna"} <= set(found)


def test_a_finished_run_opens_with_its_certificate(
    finished_run: RunDirectory, detector: keras.Model
) -> None:
    model, certificate = load_detector(finished_run)
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 4), np.uint8)
    np.testing.assert_allclose(model(clips), detector.predict_on_batch(clips), atol=1e-5)
    assert certificate.input.shape == (4, 32, 32, 4)


def test_a_changed_file_is_refused(finished_run: RunDirectory) -> None:
    with h5py.File(finished_run.h5, "r+") as file:
        file["model_weights"].attrs["note"] = "changed"
    with pytest.raises(UserError, match=r"best_model.h5 is not the file its certificate describes"):
        load_detector(finished_run)


def test_a_truncated_file_is_refused_even_when_certified(
    finished_run: RunDirectory, certify: Callable[[RunDirectory], None]
) -> None:
    os.truncate(finished_run.h5, finished_run.h5.stat().st_size // 2)
    with pytest.raises(UserError, match="not the file its certificate describes"):
        load_detector(finished_run)
    certify(finished_run)
    with pytest.raises(UserError, match="is damaged"):
        load_detector(finished_run)


def test_a_file_of_any_size_is_refused_before_its_hash_is_computed(
    finished_run: RunDirectory,
) -> None:
    os.truncate(finished_run.h5, 1 << 42)
    with pytest.raises(UserError, match=f"has {1 << 42} bytes, more than 2147483647; not opened"):
        load_detector(finished_run)


def test_missing_weights_are_refused_in_one_line(
    finished_run: RunDirectory, certify: Callable[[RunDirectory], None]
) -> None:
    with h5py.File(finished_run.h5, "r+") as file:
        del file["model_weights"]
    certify(finished_run)
    with pytest.raises(UserError, match=r"best_model.h5 cannot be loaded: .") as caught:
        load_detector(finished_run)
    assert "\n" not in str(caught.value)


def test_a_missing_file_certificate_or_run_is_named(finished_run: RunDirectory) -> None:
    finished_run.h5.unlink()
    with pytest.raises(UserError, match=r"best_model.h5 is missing; run again to export it"):
        load_detector(finished_run)
    finished_run.certificate.unlink()
    with pytest.raises(UserError, match=r"best_model.json is missing; has the run finished\?"):
        load_detector(finished_run)
    finished_run.config.unlink()
    with pytest.raises(UserError, match="no run at"):
        load_detector(finished_run)


@pytest.mark.parametrize("content", ["[]", "{}", '{"files": null}', '{"files": {"h5": []}}'])
def test_another_certificate_is_refused(finished_run: RunDirectory, content: str) -> None:
    finished_run.certificate.write_text(content)
    with pytest.raises(UserError, match="is not a certificate of this version"):
        load_detector(finished_run)


def test_a_changed_file_is_opened_on_demand_when_its_structure_is_sound(
    finished_run: RunDirectory, detector: keras.Model
) -> None:
    with h5py.File(finished_run.h5, "r+") as file:
        file["model_weights"].attrs["note"] = "changed"
    model, _ = load_detector(finished_run, untrusted=True)
    for ours, theirs in zip(model.get_weights(), detector.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    os.truncate(finished_run.h5, finished_run.h5.stat().st_size // 2)
    with pytest.raises(UserError, match=r"best_model.h5 is damaged; not opened"):
        load_detector(finished_run, untrusted=True)


def test_a_sound_model_of_something_else_is_refused(finished_run: RunDirectory) -> None:
    _head().save(finished_run.h5, include_optimizer=False)
    with pytest.raises(UserError, match=r"takes .*float32.*, its certificate has .*uint8"):
        load_detector(finished_run, untrusted=True)


WITHOUT_LOCKS = """
import sys
from pathlib import Path
import dfsearch
from artifacts.models.saved import load_detector, write_model
from artifacts.run_directory import RunDirectory

run = RunDirectory(Path(sys.argv[1]))
model, _ = load_detector(run)
write_model(model, run.h5)
(row,) = dfsearch.Run(run.root).export("h5", untrusted=True).rows
assert not row.error, row
try:
    with run.locked():
        pass
except dfsearch.DfsearchError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_model_file_is_used_without_locks_where_there_are_none(
    own_run: RunDirectory, refusing: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, own_run.root],
        env={**os.environ, "LD_PRELOAD": str(refusing), "FLOCK_ERRNO": str(errno.ENOLCK)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == (
        f"{own_run.root} cannot be locked against a second run: No locks available; use a "
        "folder on another file system\n"
    )
