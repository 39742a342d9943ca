"""What the formats are, where they are written, and how large they are."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.models.formats import (
    FLOAT16,
    FLOAT32,
    FORMATS,
    export_to,
    missing_packages,
    size_in_bytes,
)


def test_every_variant_of_every_format_has_a_place_of_its_own(tmp_path: Path) -> None:
    paths = {
        entry.path(tmp_path, precision)
        for entry in FORMATS.values()
        for precision in entry.precisions
    }
    assert len(paths) == sum(len(entry.precisions) for entry in FORMATS.values())
    assert FORMATS["litert"].path(tmp_path, FLOAT16).name == "deepfake_detector.float16.tflite"
    assert FORMATS["saved_model"].path(tmp_path, FLOAT32).suffix == ""


def test_packages_that_are_not_there_are_named() -> None:
    assert missing_packages(FORMATS["h5"]) == []
    absent = type(FORMATS["h5"])("new", ".new", packages=("numpy", "no_such_package"))
    assert missing_packages(absent) == ["no_such_package"]


def test_the_size_is_that_of_all_files_of_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "model_saved_model" / "variables"
    folder.mkdir(parents=True)
    (folder / "variables.data").write_bytes(b"x" * 70)
    (folder.parent / "saved_model.pb").write_bytes(b"x" * 30)
    assert size_in_bytes(folder.parent) == 100
    (tmp_path / "model.xml").write_bytes(b"x" * 10)
    (tmp_path / "model.bin").write_bytes(b"x" * 5)
    (tmp_path / "model.onnx").write_bytes(b"x" * 7)
    assert size_in_bytes(tmp_path / "model.xml") == 15
    assert size_in_bytes(tmp_path / "model.onnx") == 7


def test_erfc_is_written_to_onnx_as_what_every_runtime_has(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    given = keras.Input((5,), name="frames")
    model = keras.Model(given, keras.layers.Activation("gelu")(given))
    values = np.linspace(-3, 3, 10, dtype=np.float32).reshape(2, 5)
    expected = model(values)
    path = export_to(model, FORMATS["onnx"], FLOAT32, tmp_path)
    operations = {node.op_type for node in onnx.load(path).graph.node}
    assert "Erf" in operations
    assert "Erfc" not in operations
    (found,) = runtime.InferenceSession(path).run(None, {"frames": values})
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_smaller_openvino_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino")
    given = keras.Input((5,), name="frames")
    model = keras.Model(given, keras.layers.Dense(1)(given))
    path = export_to(model, FORMATS["openvino"], FLOAT16, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {path.name, path.with_suffix(".bin").name}
    save = openvino.save_model

    def fill_the_disk(made: object, name: str, **options: object) -> None:
        save(made, name, **options)
        Path(name).write_text("half")
        raise RuntimeError("no space left on device")

    monkeypatch.setattr(openvino, "save_model", fill_the_disk)
    with pytest.raises(RuntimeError):
        export_to(model, FORMATS["openvino"], FLOAT16, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
