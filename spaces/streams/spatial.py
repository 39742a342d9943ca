"""Spatial stream: the appearance of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import autokeras as ak
import keras

from spaces.backbones.names import BACKBONES, NO_WEIGHTS, TEMPORAL_EXTENT
from spaces.backbones.pretrained import APPLICATIONS, backbone
from spaces.backbones.resolution_levels import ALL_LEVELS, train_last_levels
from spaces.backbones.small_networks import SMALL_NETWORKS, pool_frames
from spaces.backbones.small_networks import strided_conv as strided_conv
from spaces.layers.conditional_scope import active_for, strides_for
from spaces.layers.fixed_kernels import rgb
from spaces.layers.preprocessing import preprocess

_CHOICES = {
    "small_cnn": ("filters", "stages"),
    "small_resnet": ("resnet_filters", "resnet_blocks"),
    "meso": ("meso_filters", "meso_units", "meso_dropout"),
    "small_xception": ("xception_filters", "xception_blocks"),
}
_ARGUMENTS = (
    "backbones",
    "weights",
    "trainable_stages",
    "inflated_stages",
    *(choice for choices in _CHOICES.values() for choice in choices),
    "frame_stride",
)


@keras.saving.register_keras_serializable(package="dfsearch")
class SpatialBlock(ak.Block):
    """Frame by frame features of colour: uint8 (T, H, W, 4) to float (T', F).

    Args:
        backbones: networks to choose from, of :data:`spaces.backbones.names.BACKBONES`.
        weights: weights of ``keras.applications`` networks: ``imagenet``, ``hed``, ``none``, a file
            or a folder; see :func:`spaces.backbones.pretrained.backbone`.
        trainable_stages: number of last resolution levels of a pretrained network that train:
            0 keeps it unchanged, ``"all"`` trains the whole; ``None`` searches 0, 1, 2 and all.
            Networks without pretrained weights always train.
        inflated_stages: number of last levels of a ``keras.applications`` network that use
            neighbouring frames (Carreira and Zisserman, Quo Vadis, 2017); ``None`` searches 0 to 2
            if a network has such levels. Clips of fewer than three frames have none.
        filters, stages: see :func:`spaces.backbones.small_networks.small_cnn`.
        resnet_filters, resnet_blocks: see :func:`spaces.backbones.small_networks.small_resnet`.
        meso_filters, meso_units, meso_dropout: see :func:`spaces.backbones.small_networks.meso`.
        xception_filters, xception_blocks: see
        :func:`spaces.backbones.small_networks.small_xception`.
        frame_stride: take every n-th frame; ``None`` searches 1, 2, 4.
    """

    def __init__(
        self,
        backbones: Sequence[str] = ("small_cnn",),
        weights: str = "imagenet",
        trainable_stages: int | str | None = 0,
        inflated_stages: int | None = 0,
        filters: int | None = None,
        stages: int | None = None,
        resnet_filters: int | None = None,
        resnet_blocks: int | None = None,
        meso_filters: int | None = None,
        meso_units: int | None = None,
        meso_dropout: float | None = None,
        xception_filters: int | None = None,
        xception_blocks: int | None = None,
        frame_stride: int | None = None,
        name: str = "spatial",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        unknown = set(backbones) - set(BACKBONES)
        if unknown or not backbones:
            raise ValueError(f"backbones must be of {BACKBONES}. Received: {tuple(backbones)}")
        if isinstance(trainable_stages, str) and trainable_stages != ALL_LEVELS:
            raise ValueError(
                f"trainable_stages must be a number or {ALL_LEVELS!r}. "
                f"Received: {trainable_stages!r}"
            )
        self.backbones = list(backbones)
        self.weights = weights
        self.trainable_stages = trainable_stages
        self.inflated_stages = inflated_stages
        self.filters = filters
        self.stages = stages
        self.resnet_filters = resnet_filters
        self.resnet_blocks = resnet_blocks
        self.meso_filters = meso_filters
        self.meso_units = meso_units
        self.meso_dropout = meso_dropout
        self.xception_filters = xception_filters
        self.xception_blocks = xception_blocks
        self.frame_stride = frame_stride

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {name: getattr(self, name) for name in _ARGUMENTS}

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build the stream on uint8 frames (batch, T, H, W, 4); returns float (batch, T', F)."""
        frames = keras.tree.flatten(inputs)[0]
        stride = self._stride(hp, frames.shape[1])
        chosen = self.backbones[0]
        if len(self.backbones) > 1:
            chosen = hp.Choice("backbone", self.backbones, default=chosen)
        if chosen in APPLICATIONS:
            return self._application(hp, chosen, frames, stride)
        with self._active_for(hp, [chosen]):
            return self._small(hp, chosen, rgb(frames, frame_stride=stride, name=self.name))

    def _active_for(self, hp: Any, backbones: Sequence[str]) -> AbstractContextManager[None]:
        return active_for(hp, "backbone", self.backbones, backbones)

    def _stride(self, hp: Any, frames: int) -> int:
        if self.frame_stride is not None:
            return self.frame_stride
        strides = strides_for(frames, (1, 2, 4))
        if len(strides) == 1:
            return strides[0]
        return int(hp.Choice("frame_stride", strides, default=strides[-1] // 2))

    def _small(self, hp: Any, chosen: str, x: keras.KerasTensor) -> keras.KerasTensor:
        pinned = {choice: getattr(self, choice) for choice in _CHOICES[chosen]}
        return SMALL_NETWORKS[chosen](hp, x, name=self.name, **pinned)

    def _application(
        self, hp: Any, chosen: str, frames: keras.KerasTensor, stride: int
    ) -> keras.KerasTensor:
        application = APPLICATIONS[chosen]
        x = preprocess(frames, application.preprocessing, frame_stride=stride, name=self.name)
        _, time, *frame_shape = x.shape
        trained = self._trained(hp)
        inflated = self._inflated(hp, chosen, time)
        network = backbone(
            chosen, tuple(frame_shape), self.weights, frames=time, inflated_stages=inflated
        )
        train_last_levels(network, trained)
        return pool_frames(network(x), name=self.name)

    def _trained(self, hp: Any) -> int | str:
        if self.weights == NO_WEIGHTS:
            return ALL_LEVELS
        if self.trainable_stages is not None:
            return self.trainable_stages
        with self._active_for(hp, [one for one in self.backbones if one in APPLICATIONS]):
            return str(hp.Choice("trainable_stages", ["0", "1", "2", ALL_LEVELS], default="0"))

    def _inflated(self, hp: Any, chosen: str, frames: int) -> int:
        if frames < TEMPORAL_EXTENT:
            return 0
        if self.inflated_stages is not None:
            return self.inflated_stages
        known = [one for one in self.backbones if one in APPLICATIONS]
        possible = [one for one in known if APPLICATIONS[one].inflatable]
        if chosen not in possible:
            return 0
        with self._active_for(hp, possible):
            return int(hp.Int("inflated_stages", 0, 2, default=0))
