"""Real faces for training and measuring a GAN, and pictures of generated ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replace_file
from data_prep.errors import DfsearchError
from data_prep.store.store import REAL, Store

Faces = npt.NDArray[np.uint8]

MAX_FACES = 4096
# Fewer faces allow neither a measurement nor training.
LEAST = {"train": 32, "val": 8}

_TILE, _SIDE_BY_SIDE = 64, 8
_GAP, _CAPTION = 16, 28
_PAPER, _INK = 255, (60, 60, 60)


class TooFewFacesError(DfsearchError):
    """A split has too few real faces for a GAN."""


def real_faces(store: Store, split: str, side: int, most: int = MAX_FACES) -> Faces:
    """Return real faces of a split, evenly over clips and frames: uint8 (n, side, side, 3).

    Frames of one clip are neighbours.

    Args:
        store: An open store.
        split: Name of the split.
        side: Size that crops are scaled to.
        most: Largest number of faces, so that memory does not grow with the store.

    Raises:
        TooFewFacesError: There are fewer than :data:`LEAST`.
    """
    rows, length = store.rows(split, label=REAL), store.clip_shape[0]
    least = LEAST.get(split, min(LEAST.values()))
    if len(rows) * length < least:
        raise TooFewFacesError(
            f"the GAN needs {least} real faces in the {split} split, found {len(rows) * length} "
            f"({len(rows)} clips of {length} frames); prepare more real videos, or set gan.trials "
            "to 0"
        )
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]
    per_clip = max(1, min(length, most // len(rows)))
    frames = np.linspace(0, length - 1, per_clip).astype(int)
    faces = [resize_faces(store.read([row])[0][frames], side) for row in rows]
    return np.concatenate(faces)


def resize_faces(frames: npt.NDArray[np.uint8], side: int) -> Faces:
    """Return colours of frames uint8 (T, H, W, 3 or 4), resized: uint8 (T, side, side, 3)."""
    colour = np.ascontiguousarray(frames[..., :3])
    resized = [cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA) for f in colour]
    return np.stack(resized).astype(np.uint8)


def to_unit(faces: Faces) -> npt.NDArray[np.float32]:
    """Return faces in the range of the networks: float32 in -1..1."""
    return faces.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_pixels(faces: npt.NDArray[np.float32]) -> Faces:
    """Return faces in -1..1 as uint8."""
    return np.clip(np.rint((faces + 1) * 127.5), 0, 255).astype(np.uint8)


def write_grid(path: Path, generated: Faces, real: Faces) -> None:
    """Write up to 64 generated faces beside the same number of real ones, as a PNG.

    Args:
        path: Path of the picture.
        generated: uint8 (n, side, side, 3).
        real: uint8 (m, side, side, 3); 64 of them are shown, evenly spaced.
    """
    few = np.linspace(0, len(real) - 1, min(len(real), _SIDE_BY_SIDE**2)).astype(int)
    halves = [
        _captioned(_tiled(faces), caption)
        for faces, caption in ((generated, "generated"), (real[few], "real, for comparison"))
    ]
    gap = np.full((len(halves[0]), _GAP, 3), _PAPER, np.uint8)
    picture = np.concatenate([halves[0], gap, halves[1]], axis=1)
    with replace_file(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _tiled(faces: Faces) -> Faces:
    """Return eight rows of eight tiles of 64 px; empty tiles if there are fewer faces."""
    tiles = np.full((_SIDE_BY_SIDE**2, _TILE, _TILE, 3), _PAPER, np.uint8)
    for tile, face in zip(tiles, faces, strict=False):
        tile[:] = cv2.resize(face, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
    rows = tiles.reshape(_SIDE_BY_SIDE, _SIDE_BY_SIDE, _TILE, _TILE, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(_SIDE_BY_SIDE * _TILE, _SIDE_BY_SIDE * _TILE, 3)


def _captioned(picture: Faces, caption: str) -> Faces:
    strip = np.full((_CAPTION, picture.shape[1], 3), _PAPER, np.uint8)
    corner = (4, _CAPTION - 9)
    cv2.putText(strip, caption, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.concatenate([strip, picture])
