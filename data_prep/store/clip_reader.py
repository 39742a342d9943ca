"""Whole clips read from a store, in the form in which a store is written."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.store.format import FRAME_FIELDS, Clip
from data_prep.store.store import Store


class ClipReader:
    """Reader of whole clips of a store, as they were written.

    Args:
        store: Open store; metadata is read at once, arrays clip by clip.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of_frames = {name: store.clip_field(name) for name in FRAME_FIELDS}
        try:
            self._sound: npt.NDArray[Any] | None = store.clip_field("sound")
        except UserError:
            self._sound = None

    def __call__(self, row: int) -> Clip:
        """Return the clip of a row."""
        store, origins = self._store, self._store.origins
        spans = store.spans[row]
        return Clip(
            key=str(store.keys[row]),
            label=int(store.labels[row]),
            method=str(store.methods[row]),
            quality=str(store.qualities[row]),
            group=str(store.groups[row]),
            split=str(store.splits[row]),
            path=str(store.paths[row]),
            sha256=str(store.sha256[row]),
            coverage=float(store.coverage[row]),
            frames=store.read([row])[0],
            crop_source=str(store.crop_sources[row]),
            media={name: values[row].item() for name, values in store.media.items()},
            shortcuts={name: float(values[row]) for name, values in store.shortcuts.items()},
            modalities={name: store.read([row], name)[0] for name in store.modalities},
            sound=None if self._sound is None else bool(self._sound[row]),
            attributes={name: str(values[row]) for name, values in store.attributes.items()},
            spans=None if spans is None else [(start, end) for start, end in spans.tolist()],
            source=str(origins.sources[row]),
            role=str(origins.roles[row]),
            weight=float(origins.weights[row]),
            still=bool(origins.stills[row]),
            identities=origins.identities[row],
            hashes=None if store.hashes is None else store.hashes[row],
            **{name: values[row] for name, values in self._of_frames.items()},
        )
