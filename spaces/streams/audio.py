"""Audio stream: the sound around each frame."""

from __future__ import annotations

from typing import Any

import autokeras as ak
import keras

from spaces.backbones.small_networks import strided_conv
from spaces.layers.pooling import attention_pool

LOG_MEL_MEAN = -4.27
LOG_MEL_DEVIATION = 4.57
POOLINGS = ("mean_max", "attention")

_QUERY_UNITS = 32


@keras.saving.register_keras_serializable(package="dfsearch")
class AudioBlock(ak.Block):
    """Audio stream: a small network on log-mel energies, float16 (T, mels, steps) to float (F).

    Energies are scaled inside the model by mean and twice the standard deviation of AudioSet (Gong
    et al., AST: Audio Spectrogram Transformer, 2021, on the same natural logarithm of Kaldi's mel
    bands). Silence, -15.94, becomes -1.28; a video without a sound track has only silence. The
    loudest tone, about 9.4, becomes 1.5.

    The window of each frame is a picture of mels x steps for the small network of frames. At its
    end, steps are averaged and mels are kept, since an octave higher is another sound. The distance
    between windows usually exceeds their length, so their order is not used.

    Args:
        filters: width of the first level, doubled by each level up to fourfold; ``None`` searches
            8, 16, 32.
        stages: number of halvings of mels and steps; ``None`` searches 2 to 4.
        units: size of the embedding a frame; ``None`` searches 16, 32, 64.
        pooling: pooling over the frames, one of :data:`POOLINGS`; ``None`` searches.
    """

    def __init__(
        self,
        filters: int | None = None,
        stages: int | None = None,
        units: int | None = None,
        pooling: str | None = None,
        name: str = "audio",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if pooling is not None and pooling not in POOLINGS:
            raise ValueError(f"pooling must be of {POOLINGS}. Received: {pooling!r}")
        self.filters = filters
        self.stages = stages
        self.units = units
        self.pooling = pooling

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "stages": self.stages,
            "units": self.units,
            "pooling": self.pooling,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on log-mel energies (batch, T, mels, steps); returns float (batch, F).

        A single frame is its own mean and maximum, so its pooling is not asked for.
        """
        x = keras.tree.flatten(inputs)[0]
        filters, stages, units = self.filters, self.stages, self.units
        if filters is None:
            filters = hp.Choice("filters", [8, 16, 32], default=16)
        if stages is None:
            stages = hp.Int("stages", 2, 4, default=3)
        if units is None:
            units = hp.Choice("units", [16, 32, 64], default=32)

        x = scaled_log_mel(x, name=self.name)
        for stage in range(stages):
            x = strided_conv(x, filters * min(2**stage, 4), name=f"{self.name}_stage{stage + 1}")
        _, time, mels, steps, features = x.shape
        x = keras.layers.AveragePooling3D((1, 1, steps), name=f"{self.name}_over_steps")(x)
        x = keras.layers.Reshape((time, mels * features), name=f"{self.name}_sequence")(x)
        x = keras.layers.Dense(units, activation="relu", name=f"{self.name}_embed")(x)
        return self._over_frames(hp, x)

    def _over_frames(self, hp: Any, x: keras.KerasTensor) -> keras.KerasTensor:
        if x.shape[1] == 1:
            return keras.layers.Flatten(name=f"{self.name}_embedding")(x)
        pooling = self.pooling
        if pooling is None:
            pooling = hp.Choice("pooling", list(POOLINGS), default="mean_max")
        if pooling == "attention":
            return attention_pool(x, units=_QUERY_UNITS, name=self.name)
        mean = keras.layers.GlobalAveragePooling1D(name=f"{self.name}_over_time_mean")(x)
        peak = keras.layers.GlobalMaxPooling1D(name=f"{self.name}_over_time_max")(x)
        return keras.layers.Concatenate(name=f"{self.name}_embedding")([mean, peak])


def scaled_log_mel(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Scale log-mel energies (batch, T, mels, steps) to pictures.

    They are float32 (batch, T, mels, steps, 1).
    """
    scale = 1 / (2 * LOG_MEL_DEVIATION)
    x = keras.layers.Rescaling(
        scale, offset=-LOG_MEL_MEAN * scale, dtype="float32", name=f"{name}_scaled"
    )(x)
    return keras.layers.Reshape((*x.shape[1:], 1), dtype="float32", name=f"{name}_pictures")(x)
