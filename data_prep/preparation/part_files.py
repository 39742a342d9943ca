"""The part file of a video: its prepared clips, whole or not there."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.faces.tracks import FaceTrack
from data_prep.layouts.files import quote
from data_prep.preparation.clip import PreparedClip
from data_prep.store.format import MODALITIES
from data_prep.text import one_line
from data_prep.video.video import Media


def write_part(part: Path, clips: Sequence[PreparedClip]) -> None:
    """Write the clips of one video, at least one, the main face first."""
    # Workers on other machines can have the same process id.
    temporary = part.with_suffix(f".{secrets.token_hex(4)}.tmp")
    first = clips[0]
    try:
        with temporary.open("wb") as file:
            np.savez(
                file,
                clips=len(clips),
                indices=first.indices,
                times=first.times,
                sha256=first.sha256,
                guided=first.guided,
                media=json.dumps(dataclasses.asdict(first.media)),
                sound=-1 if first.sound is None else int(first.sound),
                **{
                    f"{name}_{number}": array
                    for number, clip in enumerate(clips)
                    for name, array in _arrays(clip).items()
                },
            )
        temporary.replace(part)
    finally:
        temporary.unlink(missing_ok=True)


def _arrays(clip: PreparedClip) -> dict[str, Any]:
    """Return the arrays that belong to one clip only."""
    return {
        "frames": clip.frames,
        "boxes": clip.track.boxes,
        "landmarks": clip.track.landmarks,
        "scores": clip.track.scores,
        "coverage": clip.track.coverage,
        "shortcuts": json.dumps(clip.shortcuts),
        "hashes": clip.hashes,
        **clip.modalities,
    }


def read_part(part: Path) -> tuple[PreparedClip, ...]:
    """Read the clips of a part file, the main face first.

    Raises:
        UserError: it was damaged since it was written or last read.
    """
    try:
        return _read_part(part)
    # Damaged files raise many kinds of exceptions in the libraries.
    except Exception as error:
        raise _damaged(part, error) from None


def _damaged(part: Path, error: Exception) -> UserError:
    return UserError(
        f"{quote(part)} is damaged ({one_line(repr(error))[:200]}); repeat the command, which "
        "prepares its video again"
    )


def _read_part(part: Path) -> tuple[PreparedClip, ...]:
    with np.load(part, allow_pickle=False) as values:
        sound = int(values["sound"])
        return tuple(
            PreparedClip(
                frames=values[f"frames_{number}"],
                indices=values["indices"],
                times=values["times"],
                track=FaceTrack(
                    values[f"boxes_{number}"],
                    values[f"landmarks_{number}"],
                    values[f"scores_{number}"],
                    float(values[f"coverage_{number}"]),
                ),
                sha256=str(values["sha256"]),
                media=Media(**json.loads(str(values["media"]))),
                guided=bool(values["guided"]),
                shortcuts=json.loads(str(values[f"shortcuts_{number}"])),
                modalities={
                    name: values[f"{name}_{number}"]
                    for name in MODALITIES
                    if f"{name}_{number}" in values
                },
                sound=None if sound < 0 else bool(sound),
                hashes=values[f"hashes_{number}"],
            )
            for number in range(int(values["clips"]))
        )


def read_hashes(part: Path) -> npt.NDArray[np.uint64]:
    """Read the perceptual hashes of the main face, uint64 (at most 3, 4), and nothing else.

    Raises:
        UserError: it was damaged since it was written.
    """
    try:
        with np.load(part, allow_pickle=False) as values:
            return np.asarray(values["hashes_0"], np.uint64)
    except Exception as error:
        raise _damaged(part, error) from None


def is_whole(part: Path) -> bool:
    """Return whether a part of an earlier run can be used; remove a damaged one."""
    if not part.exists():
        return False
    try:
        read_part(part)
    except UserError:
        part.unlink()
        return False
    return True
