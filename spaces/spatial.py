"""Spatial stream: what each frame looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autokeras as ak
import keras

from spaces.backbones import APPLICATIONS, backbone
from spaces.fixed_kernels import caffe, rgb

SMALL_CNN = "small_cnn"
BACKBONES = (SMALL_CNN, *APPLICATIONS)


@keras.saving.register_keras_serializable(package="dfsearch")
class SpatialBlock(ak.Block):
    """Frame by frame features of colour: uint8 (T, H, W, 4) to float (T', F).

    Args:
        backbones: networks to choose from, of :data:`BACKBONES`.
        weights: for the ``keras.applications`` networks: ``imagenet``, ``none``, a file or folder.
        frozen: keep pretrained weights as they are; ``None`` lets the search decide. Networks
            without pretrained weights always train.
        filters: first-stage width of the small network; ``None`` searches 8, 16, 24.
        stages: halvings of resolution in the small network; ``None`` searches 3 to 5.
        frame_stride: take every n-th frame; ``None`` searches 1, 2, 4.
    """

    def __init__(
        self,
        backbones: Sequence[str] = (SMALL_CNN,),
        weights: str = "imagenet",
        frozen: bool | None = True,
        filters: int | None = None,
        stages: int | None = None,
        frame_stride: int | None = None,
        name: str = "spatial",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        unknown = set(backbones) - set(BACKBONES)
        if unknown or not backbones:
            raise ValueError(f"backbones must be of {BACKBONES}. Received: {tuple(backbones)}")
        self.backbones = list(backbones)
        self.weights = weights
        self.frozen = frozen
        self.filters = filters
        self.stages = stages
        self.frame_stride = frame_stride

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "backbones": self.backbones,
            "weights": self.weights,
            "frozen": self.frozen,
            "filters": self.filters,
            "stages": self.stages,
            "frame_stride": self.frame_stride,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build the stream on uint8 frames (batch, T, H, W, 4); returns float (batch, T', F)."""
        frames = keras.tree.flatten(inputs)[0]
        strides = [stride for stride in (1, 2, 4) if stride < max(2, frames.shape[1])]
        stride = self.frame_stride or hp.Choice(
            "frame_stride", strides, default=max(1, strides[-1] // 2)
        )
        chosen = hp.Choice("backbone", self.backbones, default=self.backbones[0])
        if chosen == SMALL_CNN:
            with hp.conditional_scope("backbone", [SMALL_CNN]):
                return self._small_cnn(hp, rgb(frames, frame_stride=stride, name=self.name))
        with hp.conditional_scope("backbone", list(APPLICATIONS)):
            return self._application(hp, chosen, frames, stride)

    def _small_cnn(self, hp: Any, x: keras.KerasTensor) -> keras.KerasTensor:
        filters = self.filters or hp.Choice("filters", [8, 16, 24], default=16)
        stages = self.stages or hp.Int("stages", 3, 5, default=4)
        for stage in range(stages):
            x = conv_stage(x, filters * min(2**stage, 4), name=f"{self.name}_stage{stage + 1}")
        return pool_frames(x, name=self.name)

    def _application(
        self, hp: Any, chosen: str, frames: keras.KerasTensor, stride: int
    ) -> keras.KerasTensor:
        x = caffe(frames, frame_stride=stride, name=self.name)
        network = backbone(chosen, tuple(x.shape[2:]), self.weights)
        if self.weights != "none":
            frozen = self.frozen
            if frozen is None:
                frozen = hp.Boolean("frozen", default=True)
            network.trainable = not frozen
        return pool_frames(network(x), name=self.name)


def conv_stage(x: keras.KerasTensor, filters: int, *, name: str) -> keras.KerasTensor:
    """Halve the resolution of every frame: 3x3 convolution, batch norm, ReLU.

    The statistics of the batch norm follow within tens of steps: trials are short.
    """
    x = keras.layers.Conv3D(
        filters, (1, 3, 3), strides=(1, 2, 2), padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def pool_frames(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Mean over the pixels of each frame: (batch, T, h, w, F) to (batch, T, F)."""
    _, time, height, width, features = x.shape
    x = keras.layers.AveragePooling3D((1, height, width), name=f"{name}_pool")(x)
    return keras.layers.Reshape((time, features), name=f"{name}_sequence")(x)
