"""Streams that other installed packages add: AutoKeras blocks from clip to embedding."""

from __future__ import annotations

from collections.abc import Iterable

import autokeras as ak
import keras

from artifacts.models.config import LAYERS
from data_prep import plugins
from data_prep.errors import UserError
from spaces.keras_internals import nested_layers
from spaces.streams.names import RESERVED, STREAMS


def blocks(streams: Iterable[str]) -> list[ak.Block]:
    """Return the blocks of the streams that other packages add, each with the name of its stream.

    Args:
        streams: Streams of a configuration.

    Raises:
        UserError: A package cannot be imported, or its stream is no AutoKeras block.
    """
    return [_block(stream) for stream in streams if stream not in STREAMS]


def _block(stream: str) -> ak.Block:
    plugin = plugins.find_plugin(plugins.STREAMS, stream, RESERVED)
    if not stream.isidentifier():
        raise plugin.refusal("needs a name of letters, digits and _")
    kind = plugin.load()
    if not (isinstance(kind, type) and issubclass(kind, ak.Block)):
        raise plugin.refusal(f"is {kind!r}, expected a class made of autokeras.Block")
    with plugin.running():
        return kind(name=stream)


def check_stock(model: keras.Model, streams: Iterable[str]) -> None:
    """Refuse a detector whose file needs the package of a stream to be opened.

    Args:
        model: Detector as it is searched.
        streams: Streams of the configuration.

    Raises:
        UserError: The first part that is no stock layer.
    """
    others = [stream for stream in streams if stream not in STREAMS]
    if not others:
        return
    for part in (*model.operations, *nested_layers(model, include_self=False)):
        kind = type(part)
        stock = isinstance(part, keras.Model) or (
            kind.__name__ in LAYERS and getattr(keras.layers, kind.__name__, None) is kind
        )
        if not stock:
            raise UserError(
                f"the stream {' or '.join(others)} puts {kind.__name__} ({part.name}) into the "
                "model, which is no stock Keras layer: no model file could be opened elsewhere; "
                "build it of layers of keras.layers alone, without Lambda and keras.ops"
            )
