"""Crops of a fake by the face track of its original, if the frames correspond.

A detector finds slightly different boxes in a fake and in its original, and a network can learn
that instead of the manipulation. The same track gives both the same framing.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.faces.tracks import FaceTrack
from data_prep.video.video import SampledFrames

THUMBNAIL = 32

# Two frames of one moment differ inside the face and by compression: over FaceForensics++ c23 and
# c40 and Celeb-DF their thumbnails correlate at 0.985 and more.
_LEAST_CORRELATION = 0.9
# A frame's own moment must be the nearest of all sampled moments, within this noise in grey
# levels: in a still picture every moment looks the same.
_NOISE = 0.5
# That must hold of this share of the frames.
_LEAST_SHARE = 0.9
# The place of the face must look the same, too: a small face hardly shows in a thumbnail of the
# whole. Its surroundings are so many widths and heights of its box, without the inner part that a
# manipulation changes. Over FaceForensics++ and Celeb-DF they correlate at 0.98 and more; where the
# face has left its place, at 0.3 and less.
_AROUND = 2.0
_INNER = slice(7, 25)


@dataclasses.dataclass(frozen=True)
class Guide:
    """Data of the sampled frames of an original, for cropping its fakes.

    Attributes:
        tracks: faces in it, the main one first; empty if the original cannot be used.
        thumbnails: uint8 (T, 32, 32), its sampled frames in grey.
        surroundings: uint8 (T, 32, 32), the main face and the area around it in grey.
        indices: int64 (T,), positions of its sampled frames.
        width, height: size of these frames in pixels.
    """

    tracks: tuple[FaceTrack, ...]
    thumbnails: npt.NDArray[np.uint8]
    surroundings: npt.NDArray[np.uint8]
    indices: npt.NDArray[np.int64]
    width: int
    height: int


_NO_PICTURE = np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8)
NO_GUIDE = Guide((), _NO_PICTURE, _NO_PICTURE, np.zeros(0, np.int64), 0, 0)


@dataclasses.dataclass(frozen=True)
class Original:
    """The original of a fake.

    Attributes:
        whole: the guide that its evenly spaced frames give.
        at: makes the guide that its frames at given positions, int64 (T,), give.
    """

    whole: Guide
    at: Callable[[npt.NDArray[np.int64]], Guide]

    def guide(self, indices: npt.NDArray[np.int64]) -> Guide:
        """Return the guide of its frames at ``indices``, int64 (T,)."""
        return self.whole if np.array_equal(indices, self.whole.indices) else self.at(indices)


def build_guide(sampled: SampledFrames, tracks: Sequence[FaceTrack]) -> Guide:
    """Build the guide from an original's sampled frames and their tracks."""
    height, width = sampled.frames[0].shape[:2]
    around = _surroundings(sampled, tracks[0])
    return Guide(tuple(tracks), _thumbnails(sampled), around, sampled.indices, width, height)


def transfer_tracks(sampled: SampledFrames, guide: Guide) -> tuple[FaceTrack, ...]:
    """Return the original's tracks in pixels of the fake, none if the frames do not correspond.

    They correspond if the same positions were sampled and each frame shows the same moment. Its
    thumbnail then correlates with its counterpart's and is not closer to another moment's. The same
    holds for the surroundings of the face.

    Args:
        sampled: frames of the fake.
        guide: guide of the original.
    """
    if not guide.tracks or not np.array_equal(sampled.indices, guide.indices):
        return ()
    if not _same_moments(_thumbnails(sampled), guide.thumbnails):
        return ()
    height, width = sampled.frames[0].shape[:2]
    x, y = width / guide.width, height / guide.height
    tracks = tuple(track.scaled(x, y) for track in guide.tracks)
    same = _same_place(_surroundings(sampled, tracks[0]), guide.surroundings)
    return tracks if same else ()


def _thumbnails(sampled: SampledFrames) -> npt.NDArray[np.uint8]:
    return np.stack([_thumbnail(frame) for frame in sampled.frames])


def _thumbnail(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    small = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    # The mean of two by two pixels takes a fraction of the time of any other.
    while min(small.shape) >= 4 * THUMBNAIL:
        height, width = (side // 2 for side in small.shape)
        even = small[: 2 * height, : 2 * width]
        small = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _same_moments(fake: npt.NDArray[np.uint8], original: npt.NDArray[np.uint8]) -> bool:
    ours = fake.reshape(len(fake), -1).astype(np.float64)
    theirs = original.reshape(len(original), -1).astype(np.float64)
    distances = np.stack([np.abs(frame - theirs).mean(axis=1) for frame in ours])
    nearest = np.diag(distances) <= distances.min(axis=1) + _NOISE
    alike = _correlation(ours, theirs) >= _LEAST_CORRELATION
    return bool((nearest & alike).mean() >= _LEAST_SHARE)


def _surroundings(sampled: SampledFrames, track: FaceTrack) -> npt.NDArray[np.uint8]:
    """Return the area around the face of a track in every frame, mirrored beyond the edges."""
    parts = [_around(frame, box) for frame, box in zip(sampled.frames, track.boxes, strict=True)]
    return np.stack([_thumbnail(part) for part in parts])


def _around(frame: npt.NDArray[np.uint8], box: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the area of some box widths and heights around a box.

    It follows the shape of the box, so a stretched frame gives the same area.
    """
    size = np.array(frame.shape[1::-1])
    centre = np.clip((box[:2].astype(np.float64) + box[2:]) / 2, 0, size - 1)
    reach = np.clip(_AROUND / 2 * (box[2:] - box[:2]), 1, size)
    left, top = np.floor(centre - reach).astype(int)
    right, bottom = np.ceil(centre + reach).astype(int)
    width, height = size.tolist()
    inside = frame[max(top, 0) : bottom, max(left, 0) : right]
    outside = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    return np.asarray(cv2.copyMakeBorder(inside, *outside, cv2.BORDER_REFLECT_101), np.uint8)


def _same_place(fake: npt.NDArray[np.uint8], original: npt.NDArray[np.uint8]) -> bool:
    around = np.ones((THUMBNAIL, THUMBNAIL), bool)
    around[_INNER, _INNER] = False
    ours, theirs = fake[:, around].astype(np.float64), original[:, around].astype(np.float64)
    return bool((_correlation(ours, theirs) >= _LEAST_CORRELATION).mean() >= _LEAST_SHARE)


def _correlation(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Compute Pearson's correlation row by row; 0 for a flat row."""
    ours = ours - ours.mean(axis=1, keepdims=True)
    theirs = theirs - theirs.mean(axis=1, keepdims=True)
    scale = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    product = (ours * theirs).sum(axis=1)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)


def write_guide(path: Path, guide: Guide) -> None:
    """Keep a guide in a file, whole or not at all."""
    # Workers on other machines can have the same process id.
    temporary = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(
                file,
                boxes=np.array([track.boxes for track in guide.tracks]),
                landmarks=np.array([track.landmarks for track in guide.tracks]),
                scores=np.array([track.scores for track in guide.tracks]),
                coverage=np.array([track.coverage for track in guide.tracks]),
                thumbnails=guide.thumbnails,
                surroundings=guide.surroundings,
                indices=guide.indices,
                size=np.array([guide.width, guide.height]),
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_guide(path: Path) -> Guide | None:
    """Read the guide of a file, None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as values:
            rows = zip(values["boxes"], values["landmarks"], values["scores"], strict=True)
            coverage = values["coverage"].tolist()
            return Guide(
                tuple(FaceTrack(*row, share) for row, share in zip(rows, coverage, strict=True)),
                values["thumbnails"],
                values["surroundings"],
                values["indices"],
                *values["size"].tolist(),
            )
    # Damaged files raise many kinds of exceptions in the libraries.
    except Exception:
        return None
