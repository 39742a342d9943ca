"""The streams of a detector, and the needs of each.

Free of TensorFlow, so that a configuration can be checked without it.
"""

from __future__ import annotations

import typing
from collections.abc import Collection
from typing import Literal, TypeAlias

Stream: TypeAlias = Literal["spatial", "micro_expression", "noise_residual", "gan", "audio"]
STREAMS: tuple[Stream, ...] = typing.get_args(Stream)

GAN: Stream = "gan"

FRAMES, FLOW, AUDIO = "frames", "flow", "audio"
MODALITIES = (FLOW, AUDIO)

RESERVED = (*STREAMS, "temporal", "fusion", FRAMES, FLOW, "fake_probability")
"""Names of blocks and tensors of a detector, which no stream of another package may have."""


def obstacle(
    stream: str, frames: int, modalities: Collection[str], *, discriminator: bool
) -> str | None:
    """Return the reason why a stream cannot be built on clips, or ``None``.

    Args:
        stream: one of :data:`STREAMS`.
        frames: T of the clips.
        modalities: modalities of the clips: ``flow``, ``audio``.
        discriminator: whether a discriminator is available for the ``gan`` stream.
    """
    if stream == "micro_expression" and frames < 2:
        return "clips of one frame have no motion"
    if stream == "audio" and AUDIO not in modalities:
        return "the clips carry no sound; prepare them with --modalities audio"
    if stream == GAN and not discriminator:
        return "there is no discriminator of a GAN"
    return None
