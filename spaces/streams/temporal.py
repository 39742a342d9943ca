"""Temporal stage: a sequence of frame embeddings to one embedding of the clip."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any

import autokeras as ak
import keras

from spaces.layers.conditional_scope import active_for
from spaces.layers.pooling import attention_pool

KINDS = ("bilstm", "bigru", "transformer", "convolution", "attention", "mean")
WITHOUT_LENGTH = tuple(kind for kind in KINDS if kind != "transformer")
"""Kinds whose weights are the same for clips of any number of frames above two."""
WITHOUT_ORDER = ("mean",)
"""Kinds that clips of one or two frames train, which have no order of changes."""
RECURRENT_KINDS = ("bilstm", "bigru")
RECURRENT_OUTPUTS = ("attention", "last")

# Values of the search, and the value it tries first.
_CHOICES: dict[str, tuple[list[Any], Any]] = {
    "recurrent_units": ([16, 32, 64, 128, 256], 256),
    "recurrent_layers": ([1, 2], 1),
    "recurrent_output": (list(RECURRENT_OUTPUTS), "attention"),
    "transformer_width": ([64, 128, 256], 128),
    "transformer_depth": ([1, 2, 3], 1),
    "transformer_heads": ([4, 8, 16], 16),
    "transformer_mlp": ([256, 512, 1024, 2048], 2048),
    "transformer_dropout": ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.1),
    "convolution_layers": ([1, 2, 3, 4], 3),
    "convolution_filters": ([32, 64, 128], 64),
    "convolution_kernel": ([3, 5], 3),
    "convolution_dropout": ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.2),
    "change_dropout": ([0.0, 0.25, 0.5], 0.5),
}
_CONTROLS = ("attention", "mean")
_QUERY_UNITS = 64

# Least variance of a feature from frame to frame that is scaled up to unit variance.
_LEAST_VARIANCE = 1e-6


@keras.saving.register_keras_serializable(package="dfsearch")
class TemporalBlock(ak.Block):
    """Temporal model of the frames of a stream: float (T, F) to float (F').

    Bidirectional recurrence reads a clip both ways (Gueera and Delp, Deepfake Video Detection Using
    Recurrent Neural Networks, 2018); 256 units under attention are common. The transformer is that
    of FTCN (Zheng et al., Exploring Temporal Coherence for More General Video Face Forgery
    Detection, 2021): learned positions, layer norm first, depth 1, 16 heads, 2048 hidden units,
    dropout 0.1. Its class token is an attention pooling here, and its width is smaller because
    there is less data. The convolution is the temporal network of Bai et al. (An Empirical
    Evaluation of Generic Convolutional and Recurrent Networks for Sequence Modeling, 2018). Each
    residual layer doubles the dilation. It uses both past and future, batch norm instead of weight
    norm, and dropout of whole features. Attention alone and the mean are controls without order.

    Kinds that use order receive the changes from each frame to the next, scaled to unit variance.
    The frames of a clip are much more alike than the clips of two people, so a recurrence on the
    features themselves would learn identity long before changes. The mean of the frames and the
    unsteadiness of each feature bypass them; both train in few steps. The output of a kind is
    dropped as a whole for some clips of training. Otherwise it would fit a few people so well that
    the other two train no further.

    A clip of one frame is its own embedding: nothing is asked.

    Args:
        kind: one of :data:`KINDS`; ``None`` searches those of ``kinds``.
        kinds: searched kinds.
        recurrent_units: units of each direction; wider features are first projected to this number.
            ``None`` searches 16 to 256.
        recurrent_layers: number of stacked layers; ``None`` searches 1 and 2.
        recurrent_output: used states, one of :data:`RECURRENT_OUTPUTS`; ``None`` searches.
        transformer_width: width of the model; a head has its share of it. ``None`` searches 64 to
            256.
        transformer_depth: number of layers; ``None`` searches 1 to 3.
        transformer_heads: ``None`` searches 4, 8, 16.
        transformer_mlp: hidden units of each layer; ``None`` searches 256 to 2048.
        transformer_dropout: ``None`` searches 0 to 0.5.
        convolution_layers: number of residual layers of two convolutions; ``None`` searches 1 to 4.
        convolution_filters: ``None`` searches 32, 64, 128.
        convolution_kernel: frames; ``None`` searches 3 and 5.
        convolution_dropout: ``None`` searches 0 to 0.5.
        change_dropout: share of clips without the output of a kind that uses order; ``None``
            searches 0, 0.25, 0.5.
    """

    def __init__(
        self,
        kind: str | None = None,
        kinds: Sequence[str] = KINDS,
        recurrent_units: int | None = None,
        recurrent_layers: int | None = None,
        recurrent_output: str | None = None,
        transformer_width: int | None = None,
        transformer_depth: int | None = None,
        transformer_heads: int | None = None,
        transformer_mlp: int | None = None,
        transformer_dropout: float | None = None,
        convolution_layers: int | None = None,
        convolution_filters: int | None = None,
        convolution_kernel: int | None = None,
        convolution_dropout: float | None = None,
        change_dropout: float | None = None,
        name: str = "temporal",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind must be of {KINDS}. Received: {kind!r}")
        if not kinds or set(kinds) - set(KINDS):
            raise ValueError(f"kinds must be of {KINDS}. Received: {tuple(kinds)}")
        if recurrent_output is not None and recurrent_output not in RECURRENT_OUTPUTS:
            raise ValueError(
                f"recurrent_output must be of {RECURRENT_OUTPUTS}. Received: {recurrent_output!r}"
            )
        self.kind = kind
        self.kinds = [known for known in KINDS if known in kinds]
        self.recurrent_units = recurrent_units
        self.recurrent_layers = recurrent_layers
        self.recurrent_output = recurrent_output
        self.transformer_width = transformer_width
        self.transformer_depth = transformer_depth
        self.transformer_heads = transformer_heads
        self.transformer_mlp = transformer_mlp
        self.transformer_dropout = transformer_dropout
        self.convolution_layers = convolution_layers
        self.convolution_filters = convolution_filters
        self.convolution_kernel = convolution_kernel
        self.convolution_dropout = convolution_dropout
        self.change_dropout = change_dropout

    def get_config(self) -> dict[str, Any]:
        choices = {choice: getattr(self, choice) for choice in _CHOICES}
        return super().get_config() | {"kind": self.kind, "kinds": self.kinds} | choices

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on float (batch, T, F); returns float (batch, F')."""
        x = keras.tree.flatten(inputs)[0]
        if x.shape[1] == 1:
            return self._mean(x)
        candidates = self.kinds if self.kind is None else [self.kind]
        if len(candidates) == 1:
            return self._of_kind(candidates[0], hp, x)
        return self._of_kind(hp.Choice("kind", candidates, default=candidates[0]), hp, x)

    def _active_for(self, hp: Any, kinds: Collection[str]) -> AbstractContextManager[None]:
        return active_for(hp, "kind", self.kinds if self.kind is None else [self.kind], kinds)

    def _of_kind(self, kind: str, hp: Any, x: keras.KerasTensor) -> keras.KerasTensor:
        if kind == "mean":
            return self._mean(x)
        if kind == "attention":
            return self._attention(x)
        change = self._change(x)
        with self._active_for(hp, RECURRENT_KINDS if kind in RECURRENT_KINDS else [kind]):
            if kind == "transformer":
                summary = self._transformer(hp, change)
            elif kind == "convolution":
                summary = self._convolution(hp, change)
            else:
                cell = keras.layers.LSTM if kind == "bilstm" else keras.layers.GRU
                summary = self._recurrent(hp, change, cell)
        with self._active_for(hp, [one for one in self.kinds if one not in _CONTROLS]):
            dropout = self._choose(hp, "change_dropout")
        if dropout:
            summary = keras.layers.Dropout(
                dropout, noise_shape=(None, 1), name=f"{self.name}_change_dropout"
            )(summary)
        mean = _norm(self._mean(x), name=f"{self.name}_mean_norm")
        return keras.layers.Concatenate(name=f"{self.name}_embedding")(
            [mean, self._unsteadiness(change), summary]
        )

    def _choose(self, hp: Any, choice: str) -> Any:
        """Return the argument's value, or else the answer of the search."""
        pinned = getattr(self, choice)
        if pinned is not None:
            return pinned
        values, default = _CHOICES[choice]
        return hp.Choice(choice, values, default=default)

    def _mean(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.GlobalAveragePooling1D(name=f"{self.name}_mean")(x)

    def _change(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Return the change of each frame from the one before, at unit scale: (batch, T - 1, F).

        The difference is computed in float32, since half precision would round it.
        """
        after = keras.layers.Cropping1D((1, 0), name=f"{self.name}_after")(x)
        before = keras.layers.Cropping1D((0, 1), name=f"{self.name}_before")(x)
        x = keras.layers.Subtract(dtype="float32", name=f"{self.name}_change")([after, before])
        return _norm(x, epsilon=_LEAST_VARIANCE, name=f"{self.name}_change_norm")

    def _unsteadiness(self, change: keras.KerasTensor) -> keras.KerasTensor:
        """Return the strength of the changes of each feature: (batch, T - 1, F) to (batch, F).

        It is the mean square E through softsign, E / (1 + E), which a single jump does not
        dominate.
        """
        x = keras.layers.Multiply(dtype="float32", name=f"{self.name}_squared")([change, change])
        x = keras.layers.GlobalAveragePooling1D(dtype="float32", name=f"{self.name}_energy")(x)
        x = keras.layers.Activation("softsign", dtype="float32", name=f"{self.name}_unsteadiness")(
            x
        )
        return _norm(x, name=f"{self.name}_unsteadiness_norm")

    def _attention(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if x.shape[1] == 1:
            return keras.layers.Flatten(name=f"{self.name}_only")(x)
        return attention_pool(x, units=_QUERY_UNITS, name=f"{self.name}_attention")

    def _recurrent(
        self, hp: Any, x: keras.KerasTensor, cell: type[keras.layers.RNN]
    ) -> keras.KerasTensor:
        units = self._choose(hp, "recurrent_units")
        layers = self._choose(hp, "recurrent_layers")
        attends = self._choose(hp, "recurrent_output") == "attention"
        # Else most of the weights, and of the time of a step, would be in reading wide features.
        if x.shape[-1] > units:
            x = keras.layers.Dense(units, name=f"{self.name}_project")(x)
        for layer in range(layers):
            states = attends or layer < layers - 1
            x = keras.layers.Bidirectional(
                cell(units, return_sequences=states), name=f"{self.name}_recurrent{layer + 1}"
            )(x)
        return self._attention(x) if attends else x

    def _transformer(self, hp: Any, x: keras.KerasTensor) -> keras.KerasTensor:
        width = self._choose(hp, "transformer_width")
        depth = self._choose(hp, "transformer_depth")
        heads = self._choose(hp, "transformer_heads")
        hidden = self._choose(hp, "transformer_mlp")
        dropout = self._choose(hp, "transformer_dropout")
        x = keras.layers.EinsumDense(
            "btf,fg->btg",
            (x.shape[1], width),
            bias_axes="tg",
            bias_initializer=keras.initializers.RandomNormal(stddev=0.02),
            name=f"{self.name}_positions",
        )(x)
        for layer in range(depth):
            name = f"{self.name}_layer{layer + 1}"
            y = keras.layers.LayerNormalization(name=f"{name}_attention_norm")(x)
            # Its softmax is inside, and half precision would round it.
            y = keras.layers.MultiHeadAttention(
                heads, max(1, width // heads), dtype="float32", name=f"{name}_attention"
            )(y, y)
            y = _dropped(y, dropout, name=f"{name}_attention_dropout")
            x = keras.layers.Add(name=f"{name}_attention_add")([x, y])
            y = keras.layers.LayerNormalization(name=f"{name}_mlp_norm")(x)
            y = keras.layers.Dense(hidden, activation="gelu", name=f"{name}_mlp_hidden")(y)
            y = keras.layers.Dense(width, name=f"{name}_mlp")(y)
            y = _dropped(y, dropout, name=f"{name}_mlp_dropout")
            x = keras.layers.Add(name=f"{name}_mlp_add")([x, y])
        return self._attention(keras.layers.LayerNormalization(name=f"{self.name}_norm")(x))

    def _convolution(self, hp: Any, x: keras.KerasTensor) -> keras.KerasTensor:
        layers = self._choose(hp, "convolution_layers")
        filters = self._choose(hp, "convolution_filters")
        kernel = self._choose(hp, "convolution_kernel")
        dropout = self._choose(hp, "convolution_dropout")
        for layer in range(layers):
            name = f"{self.name}_layer{layer + 1}"
            y = x
            for part in ("first", "second"):
                y = keras.layers.Conv1D(
                    filters,
                    kernel,
                    padding="same",
                    dilation_rate=2**layer,
                    use_bias=False,
                    name=f"{name}_{part}_conv",
                )(y)
                y = _norm(y, name=f"{name}_{part}_norm")
                y = keras.layers.ReLU(name=f"{name}_{part}_relu")(y)
                if dropout:
                    y = keras.layers.SpatialDropout1D(dropout, name=f"{name}_{part}_dropout")(y)
            if x.shape[-1] != filters:
                x = keras.layers.Conv1D(filters, 1, name=f"{name}_shortcut")(x)
            x = keras.layers.Add(name=f"{name}_add")([x, y])
            x = keras.layers.ReLU(name=f"{name}_relu")(x)
        return self._attention(x)


def _dropped(x: keras.KerasTensor, rate: float, *, name: str) -> keras.KerasTensor:
    return keras.layers.Dropout(rate, name=name)(x) if rate else x


def _norm(x: keras.KerasTensor, *, epsilon: float = 1e-3, name: str) -> keras.KerasTensor:
    """Batch norm whose statistics follow within tens of steps: trials are short."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=name)(x)
