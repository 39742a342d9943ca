"""The formats a detector is exported to, each through Keras's own exporter."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from artifacts.models.portable import portable_copy, unrolled_copy
from artifacts.models.saved import write_model
from artifacts.run_directory import replace_file
from data_prep.errors import UserError
from data_prep.quiet import silent_stderr

NAME = "deepfake_detector"
FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"


@dataclasses.dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: name on the command line.
        suffix: ending of the file; empty for a folder.
        precisions: precisions of the weights that its exporter offers.
        packages: packages that writing and running it import, besides Keras and TensorFlow.
    """

    name: str
    suffix: str
    precisions: tuple[str, ...] = (FLOAT32,)
    packages: tuple[str, ...] = ()

    def path(self, folder: Path, precision: str) -> Path:
        """Return the path of a variant."""
        variant = "" if precision == FLOAT32 else f".{precision}"
        return folder / f"{NAME}{variant}{self.suffix or '_saved_model'}"


FORMATS = {
    entry.name: entry
    for entry in (
        Format("h5", ".h5"),
        Format("keras", ".keras"),
        Format("saved_model", ""),
        Format("onnx", ".onnx", packages=("onnx", "tf2onnx", "onnxruntime")),
        Format("litert", ".tflite", (FLOAT32, FLOAT16, INT8), ("ai_edge_litert",)),
        Format("openvino", ".xml", (FLOAT32, FLOAT16), ("openvino",)),
    )
}


def select_formats(names: tuple[str, ...]) -> list[Format]:
    """Return the formats of these names in their own order; ``all`` is every one.

    Raises:
        UserError: there is no such format.
    """
    for name in names:
        if name not in FORMATS and name != "all":
            raise UserError(f"--format must be all or of {', '.join(FORMATS)}; received {name}")
    if not names:
        raise UserError("--format names no format")
    return [entry for entry in FORMATS.values() if entry.name in names or "all" in names]


def missing_packages(wanted: Format) -> list[str]:
    """Return the packages that the format needs and that are not installed."""
    return [name for name in wanted.packages if importlib.util.find_spec(name) is None]


def export_to(model: keras.Model, wanted: Format, precision: str, folder: Path) -> Path:
    """Write the model in one format, whole or not at all.

    Args:
        model: a detector in float32.
        wanted: the format.
        precision: one of its precisions.
        folder: folder of the file; made if missing.

    Returns:
        The file, or the folder of a SavedModel. An OpenVINO ``.xml`` has its ``.bin`` beside it.
    """
    # Keras reads a relative path that begins with ~ as the home of a user.
    folder = folder.absolute()
    path = wanted.path(folder, precision)
    folder.mkdir(parents=True, exist_ok=True)
    write = _WRITERS[wanted.name]
    with _silent():
        if wanted.name == "saved_model":
            _replace_folder(path, lambda made: write(model, made, precision))
        elif wanted.name == "openvino":
            write(model, path, precision)
        else:
            with replace_file(path) as temporary:
                write(model, temporary, precision)
    return path


def size_in_bytes(path: Path) -> int:
    """Return the size of an exported model with all its files."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    beside = path.with_suffix(".bin") if path.suffix == ".xml" else None
    return path.stat().st_size + (beside.stat().st_size if beside else 0)


def _write_keras(model: keras.Model, path: Path, precision: str) -> None:
    write_model(model, path)


def _write_saved_model(model: keras.Model, path: Path, precision: str) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _write_onnx(model: keras.Model, path: Path, precision: str) -> None:
    import onnx

    model.export(path, format="onnx", verbose=False)
    made = onnx.load(path)
    nodes = [part for node in made.graph.node for part in _without_erfc(node)]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    onnx.save(made, path)


def _without_erfc(node: Any) -> list[Any]:
    """Return a node, or its replacement by 1 - erf(x): ONNX has no erfc, a part of GELU."""
    from onnx import helper

    if node.op_type != "Erfc":
        return [node]
    (result,) = node.output
    one = helper.make_node("Constant", [], [f"{result}_one"], value_float=1.0)
    erf = helper.make_node("Erf", list(node.input), [f"{result}_erf"])
    return [one, erf, helper.make_node("Sub", [f"{result}_one", f"{result}_erf"], [result])]


def _write_litert(model: keras.Model, path: Path, precision: str) -> None:
    import tensorflow as tf

    options: dict[str, Any] = {
        # Operations of the runtime itself, without a part of TensorFlow.
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    }
    if precision != FLOAT32:
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if precision == FLOAT16:
        options["target_spec"]["supported_types"] = [tf.float16]
    portable_copy(model).export(path, format="litert", verbose=False, **options)


def _write_openvino(model: keras.Model, path: Path, precision: str) -> None:
    import openvino

    whole, smaller = (path.with_name(f".{path.stem}.{name}.tmp.xml") for name in ("1", "2"))
    try:
        unrolled_copy(model).export(str(whole), format="openvino", verbose=False)
        made = whole
        if precision == FLOAT16:
            # The runtime keeps the file mapped, so the smaller one is another.
            made = smaller
            read = openvino.Core().read_model(str(whole))
            openvino.save_model(read, str(made), compress_to_fp16=True)
        for suffix in (".bin", ".xml"):
            made.with_suffix(suffix).replace(path.with_suffix(suffix))
    finally:
        for file in (whole, smaller):
            for suffix in (".bin", ".xml"):
                file.with_suffix(suffix).unlink(missing_ok=True)


_WRITERS: dict[str, Callable[[keras.Model, Path, str], None]] = {
    "h5": _write_keras,
    "keras": _write_keras,
    "saved_model": _write_saved_model,
    "onnx": _write_onnx,
    "litert": _write_litert,
    "openvino": _write_openvino,
}


def _replace_folder(path: Path, write: Callable[[Path], None]) -> None:
    made = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    try:
        write(made)
        shutil.rmtree(path, ignore_errors=True)
        made.rename(path)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Silence converters, which log every step and every skipped optimisation."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    logging.getLogger("tf2onnx.optimizer").setLevel(logging.CRITICAL)
    with silent_stderr(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
