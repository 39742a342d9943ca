"""Format of a store: the clip, the quarantine entry and the fingerprint of the content.

Layout (``schema_version`` 2), N clips of T frames of H x W pixels:

=====================  =============================================================
``/frames``            uint8 (N, T, H, W, 4): R, G, B and grey; one chunk a clip
``/label``             uint8 (N,), 1 is fake
``/flow``, ``/audio``  the optional modalities, where they were asked for; one chunk a clip
``/mask``              the third: uint8 (N, T, H, W), 1 where pixels are manipulated, 0 where
                       not, 255 where this is unknown
``/clips/<field>``     one dataset a field of :class:`Clip`, first axis N
``/clips/media/``      codec, size, rate and length of the source, one dataset each
``/clips/shortcuts/``  quantities that need no training, float64 (N,) each
``/clips/attributes/`` further columns of the data set, text (N,) each; may be missing
``/clips/source``, ``role``, ``identities``, ``weight``, ``still``: origins; may be missing
``/clips/hashes``      perceptual hashes of frames, uint64 (N, 3, 4); may be missing
``/clips/spans``       manipulated seconds as JSON, text (N,); missing if no clip has them
``/quarantine``        ``path``, ``step`` and ``reason`` of every video left out
attributes             ``schema_version``, ``fingerprint``, ``preparation`` (JSON)
=====================  =============================================================

A store of several shards is a folder of such files and ``index.json``. The index names the files in
their order and has the fingerprint of the whole. Other files in the folder are no part of the
store.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SCHEMA_VERSION = 2
SPLITS = ("train", "val", "test")
REAL, FAKE = 0, 1
LABEL_NAMES = {REAL: "real", FAKE: "fake"}
CHANNELS = 4

# Real-only clips are material for pseudo-fakes, never reals beside the fakes of a data set.
LABELLED, REAL_ONLY = "labelled", "real-only"
ROLES = (LABELLED, REAL_ONLY)

# Datasets of one value a clip beside frames, each with its own shape and type.
MODALITIES = ("flow", "audio", "mask", "landmarks468")
TEXT_FIELDS = ("key", "method", "quality", "group", "split", "path", "sha256", "crop_source")
FRAME_FIELDS = ("frame_indices", "frame_times", "boxes", "landmarks", "scores")

LARGEST_QUANTITY = 1e30
"""Largest shortcut quantity: the squares of greater ones, in a variance, are not finite."""

SHARD_INDEX = "index.json"


@dataclasses.dataclass(frozen=True)
class Clip:
    """One prepared clip: a face track of T sampled frames and all its metadata.

    Attributes:
        key: unique name, ``data set/method/quality/name``.
        label: 0 real, 1 fake.
        method: manipulation method, ``real`` for reals.
        quality: compression level as the data set names it (``c23``), or ``unknown``.
        group: identity group; clips that share a person share it.
        split: ``train``, ``val`` or ``test``.
        path: the source video.
        sha256: SHA-256 of the source file, hexadecimal.
        frame_indices: int64 (T,), positions in the source video.
        frame_times: float64 (T,), seconds.
        boxes: float32 (T, 4), x0, y0, x1, y1 of the face in source pixels.
        landmarks: float32 (T, 5, 2), eyes, nose, mouth corners in source pixels.
        scores: float32 (T,), detection confidence; 0 if the face was not found, NaN if it was not
            searched and the box is interpolated.
        coverage: fraction of the examined frames in which the face was found; like the scores, it
            belongs to the original if the track does.
        frames: uint8 (T, H, W, 4), the face crop as R, G, B and grey.
        crop_source: key of the original's clip whose face track the crops follow, empty for its
            own.
        media: codec (text), width, height, frames, bytes (whole numbers), fps, duration
            (seconds) of the source file.
        shortcuts: quantities of the clip that need no training, by name.
        modalities: arrays of the optional modalities, by name of :data:`MODALITIES`.
        sound: whether the source has sound; None if it was not requested.
        attributes: further facts of the data set by name, such as sex or language.
        spans: start and end in seconds of each manipulated part; None if unknown.
        source: name of its source; empty for the data set in its key.
        role: ``labelled`` or ``real-only``.
        weight: frequency of its people in training, relative to people of other sources.
        still: whether it is one picture, repeated.
        identities: people in it by unique names, the target first; empty if unknown.
        hashes: uint64 (at most 3, 4), perceptual hashes of some frames; None if not computed.
    """

    key: str
    label: int
    method: str
    quality: str
    group: str
    split: str
    path: str
    sha256: str
    frame_indices: npt.NDArray[np.int64]
    frame_times: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    coverage: float
    frames: npt.NDArray[np.uint8]
    crop_source: str = ""
    media: Mapping[str, str | int | float] = dataclasses.field(default_factory=dict)
    shortcuts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    modalities: Mapping[str, npt.NDArray[Any]] = dataclasses.field(default_factory=dict)
    sound: bool | None = None
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    spans: Sequence[tuple[float, float]] | None = None
    source: str = ""
    role: str = LABELLED
    weight: float = 1.0
    still: bool = False
    identities: tuple[str, ...] = ()
    hashes: npt.NDArray[np.uint64] | None = None


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """A video left out, the step that refused it and why."""

    path: str
    step: str
    reason: str


def clip_digest(
    key: str, label: int, group: str, split: str, arrays: Iterable[npt.NDArray[Any]]
) -> bytes:
    """Return the SHA-256 of everything that a model receives of a clip.

    Args:
        key: key of the clip.
        label: 0 or 1.
        group: identity group.
        split: name.
        arrays: frames, then the modalities in the order of :data:`MODALITIES`.
    """
    digest = hashlib.sha256(f"{key}\0{label}\0{group}\0{split}\0".encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def compute_fingerprint(digests: Iterable[bytes]) -> str:
    """Compute the fingerprint of clips in their order, hexadecimal; shards do not change it."""
    digest = hashlib.sha256()
    for clip in digests:
        digest.update(clip)
    return digest.hexdigest()
