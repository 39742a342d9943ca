"""Two-dimensional image networks rebuilt to run on whole clips, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

APPLICATIONS: dict[str, Callable[..., keras.Model]] = {
    "resnet50": keras.applications.ResNet50,
    "vgg16": keras.applications.VGG16,
}


SMALLEST_SIDE = 32


class BackboneError(Exception):
    """A backbone cannot be had; the message says what to do instead."""


def inflate(model: keras.Model, *, name: str) -> keras.Model:
    """Rebuild a 2-D functional model with 3-D layers of temporal extent 1, weights included.

    ``TimeDistributed`` would unroll one copy a frame and ``Reshape`` cannot fold time into the
    batch; this runs as fast as the 2-D model and gives equal outputs. Kernels gain a leading axis
    of 1 (inflation as in Carreira and Zisserman, Quo Vadis, 2017, with temporal extent 1).

    Args:
        model: (H, W, C) to (h, w, F).
        name: of the new model.

    Returns:
        A model (T, H, W, C) to (T, h, w, F), any T.

    Raises:
        ValueError: a layer has no time-preserving counterpart.
    """
    clip = keras.Input((None, *model.input_shape[1:]))
    clone = keras.models.clone_model(model, input_tensors=clip, clone_function=_inflate_layer)
    for new, old in zip(clone.weights, model.weights, strict=True):
        value = np.asarray(old)
        new.assign(value.reshape(new.shape))
    return keras.Model(clone.inputs[0], clone.outputs[0], name=name)


def _inflate_layer(layer: keras.Layer) -> keras.Layer:
    config = layer.get_config()
    if isinstance(layer, keras.layers.Conv2D) and type(layer) is keras.layers.Conv2D:
        for key in ("kernel_size", "strides", "dilation_rate"):
            config[key] = (1, *config[key])
        return keras.layers.Conv3D.from_config(config)
    if isinstance(layer, keras.layers.MaxPooling2D | keras.layers.AveragePooling2D):
        counterpart = (
            keras.layers.MaxPooling3D
            if isinstance(layer, keras.layers.MaxPooling2D)
            else keras.layers.AveragePooling3D
        )
        for key in ("pool_size", "strides"):
            config[key] = (1, *config[key])
        return counterpart.from_config(config)
    if isinstance(layer, keras.layers.ZeroPadding2D):
        config["padding"] = ((0, 0), *config["padding"])
        return keras.layers.ZeroPadding3D.from_config(config)
    if isinstance(layer, keras.layers.BatchNormalization):
        # keras.applications counts the channel axis from the front, and time comes before it.
        if config["axis"] > 0:
            config["axis"] += 1
        return keras.layers.BatchNormalization.from_config(config)
    if isinstance(
        layer,
        keras.layers.InputLayer
        | keras.layers.Activation
        | keras.layers.ReLU
        | keras.layers.Add
        | keras.layers.Dropout,
    ):
        return type(layer).from_config(config)
    raise ValueError(
        f"layer {layer.name} of type {type(layer).__name__} has no time-preserving counterpart"
    )


def backbone(name: str, frame_shape: tuple[int, int, int], weights: str) -> keras.Model:
    """A ``keras.applications`` network for clips, without its classifier.

    Args:
        name: a key of :data:`APPLICATIONS`.
        frame_shape: (H, W, 3).
        weights: ``imagenet``, ``none``, a weights file, or a folder with ``<name>.weights.h5`` or
            what Keras downloads, as in ``~/.keras/models``.

    Returns:
        A model (T, H, W, 3) to (T, h, w, F).

    Raises:
        BackboneError: the weights cannot be downloaded, found or fitted, or the frames are
            smaller than the network takes.
    """
    build = APPLICATIONS[name]
    if min(frame_shape[:2]) < SMALLEST_SIDE:
        raise BackboneError(
            f"{name} takes frames of at least {SMALLEST_SIDE} px, the clips have "
            f"{frame_shape[0]} x {frame_shape[1]}; prepare larger crops with --size"
        )
    if weights == "imagenet":
        try:
            model = build(include_top=False, weights="imagenet", input_shape=frame_shape)
        except Exception as error:
            raise BackboneError(
                f"ImageNet weights of {name} cannot be downloaded ({_first_line(error)}); "
                "copy the folder ~/.keras/models of a machine that has them and set "
                'weights = "FOLDER", or set weights = "none" (on the command line: --weights)'
            ) from error
        return inflate(model, name=name)
    model = build(include_top=False, weights=None, input_shape=frame_shape)
    if weights != "none":
        file = _weights_file(name, Path(weights).expanduser())
        try:
            model.load_weights(file)
        except Exception as error:
            raise BackboneError(
                f"weights of {name}: {file} does not fit the network ({_first_line(error)})"
            ) from error
    return inflate(model, name=name)


def _weights_file(name: str, path: Path) -> Path:
    """The file of a network's weights: the path itself, or what a folder calls it."""
    if not path.is_dir():
        if not path.is_file():
            raise BackboneError(f"weights of {name}: no file {path}")
        return path
    own, downloaded = f"{name}.weights.h5", f"{name}_weights_*_notop.h5"
    found = [path / own] if (path / own).is_file() else sorted(path.glob(downloaded))
    if not found:
        raise BackboneError(f"weights of {name}: no file {own} or {downloaded} in {path}")
    return found[0]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
