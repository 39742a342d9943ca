"""The detector: streams, fusion and head wired into one AutoKeras graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import autokeras as ak
import keras

from spaces.autokeras_internals import (
    AddOneDimension,
    ClassificationAdapter,
    ClassificationAnalyser,
    DefaultHyperPreprocessor,
    Graph,
    Head,
)
from spaces.fusion import FusionBlock
from spaces.inputs import ClipInput
from spaces.keras_internals import is_used
from spaces.layers.cropping import crop_centre
from spaces.streams.audio import AudioBlock
from spaces.streams.gan import GanStreamBlock
from spaces.streams.micro_expression import MicroExpressionBlock
from spaces.streams.names import AUDIO, FLOW, FRAMES, GAN, MODALITIES, RESERVED, STREAMS, obstacle
from spaces.streams.noise_residual import NoiseResidualBlock
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import TemporalBlock

# Errors of wrong code. A lack of memory has another cause and is not among them.
_MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError),
    *(RuntimeError, TypeError, ValueError),
)
_BLOCKS = ("spatial", "temporal", "micro_expression", "noise_residual", "gan", "audio", "fusion")


@keras.saving.register_keras_serializable(package="dfsearch")
class DetectorBlock(ak.Block):
    """Streams that the search switches on and off, and their fusion: clip to float (F).

    Every stream is a Boolean hyperparameter, so a leaderboard shows the contribution of each. If
    all other streams are off, the first one is on: no trial is spent on an empty graph. A stream
    that cannot be built on the clips is left out: see
    :func:`spaces.streams.names.obstacle`.

    Args:
        streams: Streams the search may use, of :data:`spaces.streams.names.STREAMS`.
        searched: Whether streams may be switched off.
        modalities: Inputs besides the frames, of :data:`spaces.streams.names.MODALITIES`.
        crop_sizes: Sides in pixels of the crop that the streams use; several are searched, none
            leaves the frames unchanged. The GAN stream always uses whole frames.
        crop_share: Side of that crop in sides of the frame.
        spatial, temporal, micro_expression, noise_residual, audio, fusion: Blocks, which may
            have fixed choices.
        gan: Block of a kept discriminator; without it there is no such stream.
        added: Streams of plug-in packages, after the others: blocks by the names of their
            streams, each from uint8 (T, H, W, 4) to float (F).
    """

    def __init__(
        self,
        streams: Sequence[str] = STREAMS,
        searched: bool = True,
        modalities: Sequence[str] = (),
        crop_sizes: Sequence[int] = (),
        crop_share: float = 1.0,
        spatial: SpatialBlock | None = None,
        temporal: TemporalBlock | None = None,
        micro_expression: MicroExpressionBlock | None = None,
        noise_residual: NoiseResidualBlock | None = None,
        gan: GanStreamBlock | None = None,
        audio: AudioBlock | None = None,
        fusion: FusionBlock | None = None,
        added: Sequence[ak.Block] = (),
        name: str = "detector",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not (streams or added) or set(streams) - set(STREAMS):
            raise ValueError(f"streams must be of {STREAMS}. Received: {tuple(streams)}")
        if set(modalities) - set(MODALITIES):
            raise ValueError(f"modalities must be of {MODALITIES}. Received: {tuple(modalities)}")
        names = [block.name for block in added]
        if len({*names, *RESERVED}) < len([*names, *RESERVED]):
            raise ValueError(f"added needs names of their own. Received: {names}")
        self.streams = [stream for stream in STREAMS if stream in streams]
        self.searched = searched
        self.modalities = [name for name in MODALITIES if name in modalities]
        self.crop_sizes = list(crop_sizes)
        self.crop_share = crop_share
        self.spatial = spatial or SpatialBlock()
        self.temporal = temporal or TemporalBlock()
        self.micro_expression = micro_expression or MicroExpressionBlock()
        self.noise_residual = noise_residual or NoiseResidualBlock()
        self.gan = gan
        self.audio = audio or AudioBlock()
        self.fusion = fusion or FusionBlock()
        self.added = list(added)

    def get_config(self) -> dict[str, Any]:
        names = ("streams", "searched", "modalities", "crop_sizes", "crop_share")
        own = {name: getattr(self, name) for name in names}
        blocks = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _BLOCKS
        }
        added = [keras.saving.serialize_keras_object(block) for block in self.added]
        return super().get_config() | own | blocks | {"added": added}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DetectorBlock:
        """Rebuild the block with its inner blocks."""
        rebuilt = {
            key: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value
            for key, value in config.items()
        }
        rebuilt["added"] = [
            keras.saving.deserialize_keras_object(block) for block in config.get("added", ())
        ]
        return cls(**rebuilt)

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on uint8 frames (batch, T, H, W, 4), then the modalities in their order.

        Returns:
            float (batch, F).

        Raises:
            ValueError: No stream can be built on such clips, or one of them fails.
        """
        tensors = dict(zip((FRAMES, *self.modalities), keras.tree.flatten(inputs), strict=True))
        whole = tensors[FRAMES]
        tensors[FRAMES] = self._crop(hp, whole)
        embeddings: dict[str, keras.KerasTensor] = {}
        streams = self._possible(tensors[FRAMES].shape[1])
        for stream in reversed(streams):
            forced = not self.searched or (stream == streams[0] and not embeddings)
            if forced:
                embeddings[stream] = self._stream(stream, hp, tensors, whole)
            elif hp.Boolean(stream, default=True):
                # The first stream's choices are also searched where it is on by default, and
                # KerasTuner's oracles mix up values of one name under two conditions.
                always = stream == streams[0]
                with nullcontext() if always else hp.conditional_scope(stream, [True]):
                    embeddings[stream] = self._stream(stream, hp, tensors, whole)
        on = [stream for stream in streams if stream in embeddings]
        return self.fusion.build(hp, [embeddings[stream] for stream in on], names=on)

    def _crop(self, hp: Any, frames: keras.KerasTensor) -> keras.KerasTensor:
        if not self.crop_sizes:
            return frames
        size = self.crop_sizes[0]
        if len(self.crop_sizes) > 1:
            size = hp.Choice("crop_size", self.crop_sizes, default=size)
        return crop_centre(frames, share=self.crop_share, size=size, name=f"{self.name}_crop")

    def _possible(self, frames: int) -> list[str]:
        given = self.gan is not None
        obstacles = {
            stream: obstacle(stream, frames, self.modalities, discriminator=given)
            for stream in (*self.streams, *(block.name for block in self.added))
        }
        possible: list[str] = [stream for stream, reason in obstacles.items() if reason is None]
        if not possible:
            reasons = "; ".join(f"{stream}: {reason}" for stream, reason in obstacles.items())
            raise ValueError(f"no stream can be built ({reasons})")
        return possible

    def _stream(
        self,
        stream: str,
        hp: Any,
        tensors: Mapping[str, keras.KerasTensor],
        whole: keras.KerasTensor,
    ) -> keras.KerasTensor:
        frames = tensors[FRAMES]
        if stream == "spatial":
            return self.temporal.build(hp, self.spatial.build(hp, frames))
        if stream == "micro_expression":
            moving = [tensors[name] for name in (FRAMES, FLOW) if name in tensors]
            return self.micro_expression.build(hp, moving)
        if stream == "noise_residual":
            return self.noise_residual.build(hp, frames)
        if stream == GAN:
            assert self.gan is not None
            return self.gan.build(hp, whole)
        if stream == AUDIO:
            return self.audio.build(hp, tensors[AUDIO])
        (block,) = (block for block in self.added if block.name == stream)
        return _built(block, hp, frames)


def _built(block: ak.Block, hp: Any, frames: keras.KerasTensor) -> keras.KerasTensor:
    """Return the embedding of a plug-in stream.

    Raises:
        ValueError: It fails, or returns another shape.
    """
    called = f"the stream {block.name} ({type(block).__module__}.{type(block).__name__})"
    try:
        embedding = block.build(hp, frames)
    except _MISTAKES as error:
        said = str(error).splitlines() or [""]
        raise ValueError(f"{called} fails: {type(error).__name__}: {said[0]}") from error
    if not isinstance(embedding, keras.KerasTensor) or len(embedding.shape) != 2:
        shape = getattr(embedding, "shape", type(embedding).__name__)
        raise ValueError(f"{called} gives {shape}; expected one vector a clip, (None, F)")
    return embedding


@keras.saving.register_keras_serializable(package="dfsearch")
class FakeProbabilityHead(Head):
    """One probability that the clip is fake: float (F) to float (1,), sigmoid.

    Args:
        dropout: Dropout before the last layer; ``None`` searches 0 to 0.5.
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
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{self.name}_dropout")(x)
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32", name=self.name)(x)

    def get_adapter(self) -> Any:
        """Return the adapter of ``ak.AutoModel``: labels are a numpy array."""
        return ClassificationAdapter(name=self.name)

    def get_analyser(self) -> Any:
        """Return the analyser of ``ak.AutoModel``: two classes."""
        return ClassificationAnalyser(name=self.name, num_classes=2)

    def config_from_analyser(self, analyser: Any) -> None:
        """Check labels for ``ak.AutoModel``: they must be 0 for real and 1 for fake.

        Raises:
            ValueError: They are something else.
        """
        if not analyser.encoded_for_sigmoid:
            raise ValueError(
                f"labels must be 0 for real and 1 for fake, both of them. "
                f"Received: {analyser.labels}"
            )
        super().config_from_analyser(analyser)

    def get_hyper_preprocessors(self) -> list[Any]:
        """Return the preprocessor of ``ak.AutoModel``: labels (N,) become (N, 1)."""
        flat = len(self.data_shape) == 1
        return [DefaultHyperPreprocessor(AddOneDimension())] if flat else []


class DetectorGraph(Graph):
    """An AutoKeras graph that searches the model alone.

    AutoKeras's own graph adds its optimizer and a coarse learning rate to the space; here they
    belong to the training space. Models are compiled with Adam and binary cross-entropy, so that a
    plain KerasTuner tuner trains them unchanged; other trainings compile them again. A model takes
    ``frames``, even if no stream uses them, and the modalities that a stream uses.
    """

    def _compile_keras_model(self, hp: Any, model: keras.Model) -> keras.Model:
        frames, *modalities = model.inputs
        used = [frames, *filter(is_used, modalities)]
        detector = keras.Model(used if len(used) > 1 else frames, model.outputs[0], name="detector")
        # Without metrics: Keras would keep them when it is compiled anew.
        detector.compile("adam", "binary_crossentropy")
        return detector


def detector_space(
    clip_shape: Sequence[int],
    modalities: Mapping[str, Sequence[int]] | None = None,
    streams: Sequence[str] = STREAMS,
    searched: bool = True,
    **blocks: Any,
) -> DetectorGraph:
    """Return the searchable detector, a ``HyperModel``: ``build(hp)`` returns a Keras model.

    Args:
        clip_shape: (T, H, W, 4) of the frames.
        modalities: Shape of each modality besides the frames: ``flow``
            (T - 1, H / 2, W / 2, 3), ``audio`` (T, mels, steps).
        streams: Streams the search may use.
        searched: Whether streams may be switched off.
        blocks: Arguments of :class:`DetectorBlock`, blocks with fixed choices:
            ``spatial=SpatialBlock(...)``.

    Returns:
        A graph whose models take uint8 ``frames`` (T, H, W, 4), and float16 ``flow`` and
        ``audio`` where a stream uses them, and give ``fake_probability``.
    """
    shapes = {FRAMES: clip_shape} | {
        name: shape for name in MODALITIES for shape in [(modalities or {}).get(name)] if shape
    }
    inputs = [ClipInput(shape, name=name) for name, shape in shapes.items()]
    detector = DetectorBlock(
        streams=streams, searched=searched, modalities=list(shapes)[1:], **blocks
    )
    return DetectorGraph(inputs=inputs, outputs=FakeProbabilityHead()(detector(inputs)))
