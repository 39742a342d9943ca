"""Hostile model files are refused with their reason in one line, and nothing in them runs."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from artifacts.models import weights_copy
from artifacts.models.structure.counts import zero_initializers
from artifacts.models.trust import check_model_file, open_model
from data_prep.errors import UserError

Edit = Callable[[dict[str, Any]], None]


@keras.saving.register_keras_serializable(package="elsewhere")
class Doubling(keras.layers.Layer):
    """A layer of someone else."""

    def call(self, x: Any) -> Any:
        return 2 * x


def _head() -> keras.Model:
    x = keras.Input((4,), name="frames")
    y = keras.layers.Dense(3, activation="relu", name="inside")(x)
    return keras.Model(x, keras.layers.Dense(1, activation="sigmoid", name="fake_probability")(y))


@pytest.fixture(scope="module")
def _templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("model.h5", "model.keras"):
        _head().save(folder / name, include_optimizer=False)
    return folder


@pytest.fixture
def h5(_templates: Path, tmp_path: Path) -> Path:
    """A sound model of one's own."""
    return Path(shutil.copy(_templates / "model.h5", tmp_path))


@pytest.fixture
def archive(_templates: Path, tmp_path: Path) -> Path:
    """The same as a ``.keras`` file."""
    return Path(shutil.copy(_templates / "model.keras", tmp_path))


def _refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_model(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert [entry for entry in path.parent.iterdir() if entry != path] == []
    return message.removeprefix(str(path)).strip()


def _edit_config(path: Path, edit: Edit) -> None:
    """Describe the last layer of a saved model otherwise."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config["config"]["layers"][-1])
            file.attrs["model_config"] = json.dumps(config)
        return
    members = _members(path)
    config = json.loads(members["config.json"])
    edit(config["config"]["layers"][-1])
    _pack(path, members | {"config.json": json.dumps(config).encode()})


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def _pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)


@pytest.mark.parametrize("kind", ["h5", "archive"])
def test_a_sound_file_opens_as_keras_opens_it(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    check_model_file(path)
    ours, theirs = open_model(path), keras.models.load_model(path, compile=False)
    found, expected = (zero_initializers(one.get_config()) for one in (ours, theirs))
    assert found == expected
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_lambda_is_refused_and_never_runs(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mark, path = tmp_path / "ran", tmp_path / f"model{suffix}"
    x = keras.Input((4,))
    payload = keras.layers.Lambda(lambda value: (__import__("os").mknod("ran"), value)[1], (4,))
    keras.Model(x, payload(x)).save(path, include_optimizer=False)
    # The payload works: where nobody looks, the file runs it.
    mark.unlink(missing_ok=True)
    keras.models.load_model(path, compile=False, safe_mode=False)(np.zeros((1, 4)))
    mark.unlink()
    assert "Lambda, not a stock Keras layer; not opened" in _refusal(path)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_layer_of_someone_else_is_refused_even_where_it_is_known(
    suffix: str, tmp_path: Path
) -> None:
    x = keras.Input((4,))
    path = tmp_path / f"model{suffix}"
    keras.Model(x, Doubling()(x)).save(path, include_optimizer=False)
    assert "Doubling, not a stock Keras layer" in _refusal(path)


@pytest.mark.parametrize("kind", ["h5", "archive"])
def test_a_huge_layer_is_refused_before_it_is_made(
    kind: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    _edit_config(path, lambda layer: layer["config"].update(units=16_000_000))
    assert "it holds 19 weights, its layers need 64000015" in _refusal(path)


def _external_link(file: h5py.File) -> None:
    del file["model_weights/inside"]
    file["model_weights/inside"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft_link(file: h5py.File) -> None:
    file["model_weights/more"] = h5py.SoftLink("/model_weights/inside")


def _ring(file: h5py.File) -> None:
    file["model_weights/inside/again"] = file["model_weights"]


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "weights", (4, 3))
    del file["model_weights/inside/inside/kernel"]
    file.create_virtual_dataset("model_weights/inside/inside/kernel", layout)


def _external_storage(file: h5py.File) -> None:
    del file["model_weights/inside/inside/kernel"]
    place = [("/etc/passwd", 0, 48)]
    file.create_dataset("model_weights/inside/inside/kernel", (4, 3), "f4", external=place)


def _compressed(file: h5py.File) -> None:
    del file["model_weights/inside/inside/kernel"]
    zeros = np.zeros((1 << 20, 3), "f4")
    file.create_dataset("model_weights/inside/inside/kernel", data=zeros, compression="gzip")


def _huge(file: h5py.File) -> None:
    file.create_dataset("model_weights/inside/more", (1 << 40, 1 << 10), "f4")


def _reference(file: h5py.File) -> None:
    file["model_weights/inside/more"] = np.array([file.ref], h5py.ref_dtype)


def _not_finite(file: h5py.File) -> None:
    file["model_weights/inside/inside/kernel"][0] = np.nan


def _named_type(file: h5py.File) -> None:
    file["model_weights/type"] = np.dtype("f4")


HDF5: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "external link": (_external_link, "has a link out of its place, /model_weights/inside"),
    "soft link": (_soft_link, "has a link out of its place, /model_weights/more"),
    "ring": (_ring, "has one object in two places, /model_weights/inside/again"),
    "virtual": (_virtual, "kernel in another file"),
    "external storage": (_external_storage, "kernel in another file"),
    "compressed": (_compressed, "kernel in pieces or compressed"),
    "huge": (_huge, "has no room for /model_weights/inside/more of 1099511627776 x 1024"),
    "reference": (_reference, "more, which holds no numbers"),
    "not finite": (_not_finite, "has weights that are not finite"),
    "named type": (_named_type, "has an object that no model has"),
}


@pytest.mark.parametrize("name", HDF5)
def test_hdf5_that_leads_out_of_the_file_or_is_too_much_is_refused(name: str, h5: Path) -> None:
    damage, reason = HDF5[name]
    with h5py.File(h5, "r+") as file:
        damage(file)
    assert reason in _refusal(h5)


def test_hdf5_inside_an_archive_is_checked_alike(archive: Path) -> None:
    members = _members(archive)
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        file["layers/more"] = h5py.ExternalLink("/etc/passwd", "/")
    _pack(archive, members | {"model.weights.h5": weights.getvalue()})
    assert "has a link out of its place, /layers/more" in _refusal(archive)


@pytest.mark.parametrize("kind", ["h5", "archive"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(
    kind: str, part: float, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    os.truncate(path, int(part * path.stat().st_size))
    assert _refusal(path).endswith("; not opened")


def test_what_is_no_model_file_is_refused(h5: Path, tmp_path: Path) -> None:
    wrong = h5.rename(tmp_path / "model.keras")
    assert _refusal(wrong) == "is not a Keras archive or is cut off; not opened"
    other = wrong.rename(tmp_path / "model.pkl")
    assert _refusal(other) == "is not a model file; expected .h5 or .keras; not opened"
    other.unlink()
    text = tmp_path / "model.h5"
    text.write_text("no model")
    assert _refusal(text) == "is not an HDF5 file; not opened"
    with h5py.File(text, "w") as file:
        file.attrs["model_config"] = 3
    assert "model_config that is no text" in _refusal(text)
    with h5py.File(text, "w") as file:
        file["weights"] = np.zeros(3)
    assert _refusal(text) == "is not a Keras model file; not opened"


def test_a_folder_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.mkdir()
    assert _refusal(path) == "is not a file; not opened"
    path.rmdir()
    os.mkfifo(path)
    assert _refusal(path) == "is not a file; not opened"
    path.unlink()
    path.symlink_to("/dev/zero")
    assert _refusal(path) == "is not a file; not opened"
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert _refusal(path) == "cannot be read: No such file or directory"


def test_a_link_to_a_sound_file_is_that_file(h5: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.h5"
    link.symlink_to(h5)
    check_model_file(link)


def test_no_reader_but_the_limited_one_opens_the_file(
    h5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = h5py.File.__init__

    def spy(self: h5py.File, name: Any, *args: Any, **kwargs: Any) -> None:
        opened.append(str(name))
        real(self, name, *args, **kwargs)

    monkeypatch.setattr(h5py.File, "__init__", spy)
    open_model(h5)
    assert opened and str(h5) not in opened


def test_a_check_that_cannot_begin_is_no_damage(
    h5: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "h5py.py").write_text("raise ImportError('no HDF5 here')\n")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    assert _refusal(h5) == "cannot be checked: ImportError: no HDF5 here; not opened"


def test_the_check_finds_packages_where_this_process_does(
    h5: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path_factory.mktemp("elsewhere") / "spy.py"
    flags = "sys.flags.no_user_site, sys.flags.ignore_environment, sys.flags.safe_path"
    spy.write_text(f"import sys\nprint({flags}, end='')\nsys.exit(1)\n")
    monkeypatch.delenv("PYTHONNOUSERSITE", raising=False)
    monkeypatch.setattr(weights_copy, "__file__", str(spy))
    assert _refusal(h5) == "0 0 True; not opened"


def test_an_archive_with_anything_beside_its_members_is_refused(archive: Path) -> None:
    members = _members(archive)
    sound = archive.read_bytes()

    _pack(archive, members | {"../../escaped.txt": b"x"})
    assert "has 4 members, a Keras archive has 3" in _refusal(archive)
    _pack(
        archive,
        {("/etc/x" if name == "metadata.json" else name): members[name] for name in members},
    )
    assert "has a member '/etc/x'" in _refusal(archive)
    with zipfile.ZipFile(archive, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        for name in ("config.json", "config.json", "model.weights.h5"):
            file.writestr(name, members[name])
    assert "or has it twice" in _refusal(archive)
    _pack(archive, members | {"model.weights.h5": bytes(1 << 24)}, zipfile.ZIP_DEFLATED)
    assert "compressed, as Keras writes none" in _refusal(archive)
    archive.write_bytes(b"#!/bin/sh\n" + sound)
    assert "has bytes that belong to no member" in _refusal(archive)
    archive.write_bytes(sound + b"more")
    assert "is not a Keras archive or is cut off" in _refusal(archive)
    archive.write_bytes(sound.replace(b"config.json", b"konfig.json", 1))
    assert "has two entries that disagree about its member config.json" in _refusal(archive)
    encrypted = bytearray(sound)
    for place in (6, sound.rindex(b"PK\1\2") + 8):
        encrypted[place] |= 1
    archive.write_bytes(encrypted)
    assert "encrypted or without its size" in _refusal(archive)
    spoilt = bytearray(sound)
    spoilt[sound.index(b'"module"') + 1] ^= 1
    archive.write_bytes(spoilt)
    assert "is damaged: its archive cannot be read" in _refusal(archive)
