"""What of a detector can be trained on the clips of a store. Free of TensorFlow."""

from __future__ import annotations

from data_prep.store import Store
from search.config import RunConfig
from spaces.streams import Stream, obstacle


def shown_frames(config: RunConfig, store: Store) -> int:
    """How many frames of a clip a training sample shows."""
    whole = store.clip_shape[0]
    return min(config.training.frames or whole, whole)


def obstacle_to(stream: Stream, config: RunConfig, store: Store) -> str | None:
    """Why a stream is left out of a run on this store, ``None`` where it is not."""
    shown = shown_frames(config, store)
    reason = obstacle(stream, shown, store.modalities)
    if reason and not obstacle(stream, store.clip_shape[0], store.modalities):
        return f"training.frames is {shown}, and {reason}"
    return reason


def possible_streams(config: RunConfig, store: Store) -> list[Stream]:
    """The streams of the configuration that nothing is in the way of."""
    return [stream for stream in config.space.streams if not obstacle_to(stream, config, store)]
