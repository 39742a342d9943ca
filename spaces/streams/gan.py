"""GAN stream: features of a discriminator of real and generated faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import autokeras as ak
import cv2
import keras
import numpy as np

from spaces.layers.conditional_scope import strides_for
from spaces.layers.fixed_kernels import EXACT
from spaces.layers.preprocessing import preprocess

STRIDES = (1, 2, 4)


@keras.saving.register_keras_serializable(package="dfsearch")
class GanStreamBlock(ak.Block):
    """GAN stream: frozen features of a kept discriminator, uint8 (T, H, W, 4) to float (F).

    A discriminator has learned properties of real faces that generated ones lack. Its features
    transfer to other tasks (Radford et al., Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks, 2015). It reads stills, so features are averaged
    over frames.

    Args:
        discriminator: path of a ``discriminator.keras`` that the GAN stage kept.
        frame_stride: take every n-th frame; ``None`` searches 1, 2, 4.
    """

    def __init__(
        self,
        discriminator: str,
        frame_stride: int | None = None,
        name: str = "gan",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.discriminator = str(discriminator)
        self.frame_stride = frame_stride

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "discriminator": self.discriminator,
            "frame_stride": self.frame_stride,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on uint8 frames (batch, T, H, W, 4); returns float (batch, F).

        Raises:
            ValueError: the file is missing or holds no discriminator.
        """
        frames = keras.tree.flatten(inputs)[0]
        stride = self._stride(hp, frames.shape[1])
        judge = load_discriminator(self.discriminator)
        x = preprocess(frames, "tf", frame_stride=stride, name=self.name)
        x = resized(x, judge.input_shape[1], name=self.name)
        x = discriminator_features(judge, x, name=self.name)
        x = keras.layers.GlobalAveragePooling1D(name=f"{self.name}_mean")(x)
        return keras.layers.BatchNormalization(momentum=0.9, name=f"{self.name}_norm")(x)

    def _stride(self, hp: Any, frames: int) -> int:
        if self.frame_stride is not None:
            return self.frame_stride
        strides = strides_for(frames, STRIDES)
        if len(strides) == 1:
            return strides[0]
        return int(hp.Choice("frame_stride", strides, default=strides[-1] // 2))


def load_discriminator(path: str | Path) -> keras.Model:
    """Load a discriminator of the GAN stage.

    Raises:
        ValueError: the file is missing or holds no discriminator.
    """
    try:
        judge = keras.models.load_model(path, compile=False)
        _, height, width, channels = judge.input_shape
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"no discriminator at {path} ({reason}); run the GAN stage, or leave the stream out"
        ) from None
    if height != width or channels != 3 or judge.output_shape != (None, 1):
        raise ValueError(f"{path} is no discriminator: it takes {judge.input_shape}")
    return judge


def resized(x: keras.KerasTensor, side: int, *, name: str) -> keras.KerasTensor:
    """Scale the frames of float (batch, T, H, W, C) to (batch, T, side, side, C).

    By area, as OpenCV does it to the faces that a GAN learns from: a matrix for the rows and one
    for the columns.
    """
    _, time, height, width, channels = x.shape
    if height != side:
        x = _scaled(x, "bthwc,hi->btiwc", height, (time, side, width, channels), f"{name}_rows")
    if width != side:
        x = _scaled(x, "bthwc,wi->bthic", width, (time, side, side, channels), f"{name}_columns")
    return x


def discriminator_features(
    judge: keras.Model, x: keras.KerasTensor, *, name: str
) -> keras.KerasTensor:
    """Return features of a discriminator without its head, frame by frame.

    They are float (batch, T, F): the mean over each frame of every convolution's output. For a
    dense discriminator they are the outputs themselves. The layers are rebuilt to keep time and do
    not train.

    Args:
        judge: discriminator of :mod:`spaces.gan.networks` from faces (side, side, 3) to a logit,
            without spectral norm.
        x: faces in -1..1, float (batch, T, side, side, 3).
        name: prefix of the layers.

    Raises:
        ValueError: the discriminator has a layer of another kind.
    """
    levels = []
    for layer in judge.layers[1:-1]:
        called = f"{name}_{layer.name}"
        if isinstance(layer, keras.layers.Flatten):
            x = keras.layers.Reshape((x.shape[1], int(np.prod(x.shape[2:]))), name=called)(x)
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            x = _frozen(layer, called)(x)
        elif isinstance(layer, keras.layers.LeakyReLU):
            x = keras.layers.LeakyReLU(layer.negative_slope, name=called)(x)
            levels.append(_mean_of_frames(x, called) if len(x.shape) == 5 else x)
        else:
            kind = type(layer).__name__
            raise ValueError(f"a discriminator has no layer like {layer.name} of type {kind}")
    return keras.layers.Concatenate(name=f"{name}_features")(levels)


def _scaled(
    x: keras.KerasTensor, equation: str, size: int, shape: tuple[int, ...], name: str
) -> keras.KerasTensor:
    side = shape[1] if equation.endswith("btiwc") else shape[2]
    layer = keras.layers.EinsumDense(
        equation, output_shape=shape, trainable=False, dtype=EXACT, name=name
    )
    y = layer(x)
    identity = np.eye(size, dtype=np.float32)
    layer.set_weights([cv2.resize(identity, (size, side), interpolation=cv2.INTER_AREA).T])
    return y


def _frozen(layer: keras.Layer, name: str) -> Any:
    """Apply a convolution or a dense layer to every frame, with its weights."""

    def apply(x: keras.KerasTensor) -> keras.KerasTensor:
        config = layer.get_config() | {"name": name, "trainable": False}
        weights = layer.get_weights()
        if isinstance(layer, keras.layers.Conv2D):
            config["kernel_size"] = (1, *config["kernel_size"])
            for key in ("strides", "dilation_rate"):
                config[key] = (1, *config[key])
            new: keras.Layer = keras.layers.Conv3D.from_config(config)
            weights[0] = weights[0][None]
        else:
            new = keras.layers.Dense.from_config(config)
        y = new(x)
        new.set_weights(weights)
        return y

    return apply


def _mean_of_frames(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    _, time, height, width, features = x.shape
    x = keras.layers.AveragePooling3D((1, height, width), name=f"{name}_pool")(x)
    return keras.layers.Reshape((time, features), name=f"{name}_level")(x)
