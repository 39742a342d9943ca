"""The detector: streams, fusion and head wired into one AutoKeras graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autokeras as ak
import keras
from autokeras.engine.head import Head
from autokeras.graph import Graph

from spaces.fusion import FusionBlock
from spaces.inputs import FramesInput
from spaces.micro_expression import MicroExpressionBlock
from spaces.noise_residual import NoiseResidualBlock
from spaces.spatial import SMALL_CNN, SpatialBlock
from spaces.temporal import TemporalBlock

STREAMS = ("spatial", "micro_expression", "noise_residual")


@keras.saving.register_keras_serializable(package="dfsearch")
class DetectorBlock(ak.Block):
    """Streams switched on and off by the search, and their fusion: clip to float (F).

    Every stream is a Boolean hyperparameter, so a leaderboard shows what each is worth. The last
    stream is on without being asked when all others are off: no trial is spent on an empty graph.
    A clip of one frame, a still, has no motion and so no micro-expression stream.

    Args:
        streams: streams the search may use, of :data:`STREAMS`.
        searched: ``False`` keeps all of them on.
        spatial, temporal, micro_expression, noise_residual, fusion: the blocks, each of which may
            come with choices pinned.
    """

    def __init__(
        self,
        streams: Sequence[str] = STREAMS,
        searched: bool = True,
        spatial: SpatialBlock | None = None,
        temporal: TemporalBlock | None = None,
        micro_expression: MicroExpressionBlock | None = None,
        noise_residual: NoiseResidualBlock | None = None,
        fusion: FusionBlock | None = None,
        name: str = "detector",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not streams or set(streams) - set(STREAMS):
            raise ValueError(f"streams must be of {STREAMS}. Received: {tuple(streams)}")
        self.streams = [stream for stream in STREAMS if stream in streams]
        self.searched = searched
        self.spatial = spatial or SpatialBlock()
        self.temporal = temporal or TemporalBlock()
        self.micro_expression = micro_expression or MicroExpressionBlock()
        self.noise_residual = noise_residual or NoiseResidualBlock()
        self.fusion = fusion or FusionBlock()

    def get_config(self) -> dict[str, Any]:
        blocks = ("spatial", "temporal", "micro_expression", "noise_residual", "fusion")
        return (
            super().get_config()
            | {"streams": self.streams, "searched": self.searched}
            | {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in blocks}
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DetectorBlock:
        """Rebuild the block with its inner blocks."""
        return cls(
            **{
                key: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for key, value in config.items()
            }
        )

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on uint8 frames (batch, T, H, W, 4); returns float (batch, F)."""
        frames = keras.tree.flatten(inputs)[0]
        embeddings: list[keras.KerasTensor] = []
        streams = self._possible(frames)
        for stream in reversed(streams):
            forced = not self.searched or (stream == streams[0] and not embeddings)
            if forced:
                embeddings.append(self._stream(stream, hp, frames))
            elif hp.Boolean(stream, default=True):
                with hp.conditional_scope(stream, [True]):
                    embeddings.append(self._stream(stream, hp, frames))
        return self.fusion.build(hp, embeddings[::-1])

    def _possible(self, frames: keras.KerasTensor) -> list[str]:
        if frames.shape[1] > 1:
            return self.streams
        return [stream for stream in self.streams if stream != "micro_expression"] or self.streams

    def _stream(self, stream: str, hp: Any, frames: keras.KerasTensor) -> keras.KerasTensor:
        if stream == "spatial":
            return self.temporal.build(hp, self.spatial.build(hp, frames))
        block = self.micro_expression if stream == "micro_expression" else self.noise_residual
        return block.build(hp, frames)


@keras.saving.register_keras_serializable(package="dfsearch")
class FakeProbabilityHead(Head):
    """One probability that the clip is fake: float (F) to float (1,), sigmoid.

    Args:
        dropout: before the last layer; ``None`` searches 0 to 0.5.
    """

    def __init__(
        self, dropout: float | None = None, name: str = "fake_probability", **kwargs: Any
    ) -> None:
        kwargs.setdefault("loss", "binary_crossentropy")
        super().__init__(name=name, **kwargs)
        self.dropout = dropout
        self.shape = (1,)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dropout": self.dropout}

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on float (batch, F); returns float (batch, 1) in 0..1."""
        x = keras.tree.flatten(inputs)[0]
        dropout = self.dropout
        if dropout is None:
            dropout = hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.2)
        x = keras.layers.Dropout(dropout, name=f"{self.name}_dropout")(x)
        return keras.layers.Dense(1, activation="sigmoid", name=self.name)(x)


class DetectorGraph(Graph):
    """An AutoKeras graph that builds the model and leaves compiling to whoever trains it.

    AutoKeras's own graph adds its optimizer and a coarse learning rate to the space; here they
    belong to the training space.
    """

    def _compile_keras_model(self, hp: Any, model: keras.Model) -> keras.Model:
        return model


def detector_space(
    clip_shape: tuple[int, int, int, int],
    streams: Sequence[str] = STREAMS,
    backbones: Sequence[str] = (SMALL_CNN,),
    weights: str = "imagenet",
    frozen: bool | None = True,
    searched: bool = True,
) -> DetectorGraph:
    """The searchable detector as a ``HyperModel``: ``build(hp)`` gives a Keras model.

    Args:
        clip_shape: (T, H, W, 4) of the store.
        streams: streams the search may use.
        backbones: networks the spatial stream may use.
        weights: of the pretrained networks; see :class:`spaces.spatial.SpatialBlock`.
        frozen: whether pretrained networks keep their weights; ``None`` lets the search decide.
        searched: whether streams may be switched off.

    Returns:
        A graph whose models take uint8 ``frames`` (T, H, W, 4) and give ``fake_probability``.
    """
    frames = FramesInput(clip_shape)
    detector = DetectorBlock(
        streams=streams,
        searched=searched,
        spatial=SpatialBlock(backbones=backbones, weights=weights, frozen=frozen),
    )
    return DetectorGraph(inputs=frames, outputs=FakeProbabilityHead()(detector(frames)))
