"""Program that runs an exported model like its users: with the format's runtime alone.

It reads a request and clips, and writes the answers of the model and their time. Nothing of this
project can be imported in it, and TensorFlow only for the formats of TensorFlow::

    python runtimes.py REQUEST.json

The request names ``format``, ``model`` (a file or folder), ``clips`` (``.npy`` files by the name of
their input) and ``answers``, the folder to write to. The output is ``answers.npy``, float32 (n,),
and ``answers.json`` with the declared inputs, ``seconds_to_load`` and ``seconds`` of each clip.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = ("artifacts", "data_prep", "search", "spaces")
TENSORFLOW = ("keras", "tensorflow")

# Result of a loader: names of the inputs, and a function of one clip's arrays by name.
Loaded = tuple[list[str], Callable[[dict[str, Any]], Any]]


def load_keras(path: str) -> Loaded:
    """Load a ``.h5`` or ``.keras`` file in stock Keras."""
    import keras

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    names = [tensor.name for tensor in model.inputs]

    def run(arrays: dict[str, Any]) -> Any:
        clip = [arrays[name] for name in names]
        return model.predict_on_batch(clip if len(clip) > 1 else clip[0])

    return names, run


def load_saved_model(path: str) -> Loaded:
    """Load a SavedModel in TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    names = list(signature.structured_input_signature[1])

    def run(arrays: dict[str, Any]) -> Any:
        answers = signature(**{name: tf.constant(arrays[name]) for name in names})
        return next(iter(answers.values())).numpy()

    return names, run


def load_onnx(path: str) -> Loaded:
    """Load an ONNX file in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]
    return names, lambda arrays: session.run(None, {name: arrays[name] for name in names})[0]


def load_litert(path: str) -> Loaded:
    """Load a ``.tflite`` file in the LiteRT interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path, num_threads=os.cpu_count()).get_signature_runner()
    names = list(runner.get_input_details())

    def run(arrays: dict[str, Any]) -> Any:
        return next(iter(runner(**{name: arrays[name] for name in names}).values()))

    return names, run


def load_openvino(path: str) -> Loaded:
    """Load an ``.xml`` file with its ``.bin`` in the OpenVINO runtime."""
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [tensor.any_name for tensor in compiled.inputs]

    def run(arrays: dict[str, Any]) -> Any:
        return compiled({name: arrays[name] for name in names})[compiled.output(0)]

    return names, run


LOADERS: dict[str, Callable[[str], Loaded]] = {
    "h5": load_keras,
    "keras": load_keras,
    "saved_model": load_saved_model,
    "onnx": load_onnx,
    "litert": load_litert,
    "openvino": load_openvino,
}


def main(request: dict[str, Any]) -> None:
    """Load the model, and give it the clips one at a time."""
    kind = request["format"]
    banned = OURS if kind in ("h5", "keras", "saved_model") else OURS + TENSORFLOW
    for name in banned:
        sys.modules[name] = None  # type: ignore[assignment]
    import numpy as np

    clips = {name: np.load(path, mmap_mode="r") for name, path in request["clips"].items()}
    started = time.perf_counter()
    names, run = LOADERS[kind](request["model"])
    to_load = time.perf_counter() - started
    answers, seconds = [], []
    for place in range(len(next(iter(clips.values())))):
        clip = {name: np.array(array[place : place + 1]) for name, array in clips.items()}
        started = time.perf_counter()
        answers.append(float(np.ravel(run(clip))[0]))
        seconds.append(time.perf_counter() - started)
    folder = Path(request["answers"])
    np.save(folder / "answers.npy", np.array(answers, np.float32))
    facts = {"inputs": names, "seconds_to_load": to_load, "seconds": seconds}
    (folder / "answers.json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
