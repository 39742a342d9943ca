"""The streams of a detector, and what each needs of a clip.

Free of TensorFlow, so that a configuration can be checked without it.
"""

from __future__ import annotations

import typing
from collections.abc import Collection
from typing import Literal, TypeAlias

Stream: TypeAlias = Literal["spatial", "micro_expression", "noise_residual", "audio"]
STREAMS: tuple[Stream, ...] = typing.get_args(Stream)

FRAMES, FLOW, AUDIO = "frames", "flow", "audio"
MODALITIES = (FLOW, AUDIO)


def obstacle(stream: str, frames: int, modalities: Collection[str]) -> str | None:
    """Why a stream cannot be built on clips, or ``None`` where it can.

    Args:
        stream: of :data:`STREAMS`.
        frames: T of the clips.
        modalities: what lies beside the frames of a clip: ``flow``, ``audio``.
    """
    if stream == "micro_expression" and frames < 2:
        return "clips of one frame have no motion"
    if stream == "audio" and AUDIO not in modalities:
        return "the clips carry no sound; prepare them with --modalities audio"
    return None
