"""Videos come upright and unmirrored in all eight orientations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.video.video import read_frames

Encoder = Callable[..., Path]
Program = Callable[..., None]
Frames = Callable[..., object]

# Options of ffmpeg, and the picture shown for a stored one. Rotations are counter-clockwise, and
# the mirror comes after the rotation.
_EIGHT = {
    "as stored": ([], lambda stored: stored),
    "mirrored": (["-display_hflip"], lambda stored: stored[:, ::-1]),
    "upside down": (["-display_rotation", 180], lambda stored: np.rot90(stored, 2)),
    "top to bottom": (["-display_vflip"], lambda stored: stored[::-1]),
    "left": (["-display_rotation", 90], lambda stored: np.rot90(stored)),
    "right": (["-display_rotation", 270], lambda stored: np.rot90(stored, -1)),
    "transposed": (
        ["-display_rotation", 90, "-display_vflip"],
        lambda stored: stored.swapaxes(0, 1),
    ),
    "transversed": (
        ["-display_rotation", 90, "-display_hflip"],
        lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    ),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, encode: Encoder, face_frames: Frames) -> Path:
    path = tmp_path_factory.mktemp("stored") / "stored.mp4"
    return encode(path, face_frames(10), "-c:v", "libx264", "-qp", "10", "-g", "250")


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("name", _EIGHT)
def test_the_matrix_of_a_container_is_applied(
    name: str, ending: str, stored: Path, tmp_path: Path, ffmpeg: Program
) -> None:
    options, shown = _EIGHT[name]
    path = tmp_path / f"a.{ending}"
    ffmpeg(*options, "-i", stored, "-c", "copy", path)
    plain, turned = read_frames(stored, 4), read_frames(path, 4)
    for frame, expected in zip(turned.frames, map(shown, plain.frames), strict=True):
        np.testing.assert_array_equal(frame, expected)
        assert frame.flags.c_contiguous
    height, width = turned.frames[0].shape[:2]
    assert (turned.media.width, turned.media.height) == (width, height)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirror", [None, "horizontal", "vertical"])
@pytest.mark.parametrize("ending", ["ts", "h264"])
def test_the_orientation_in_an_h264_stream_is_applied(
    ending: str, mirror: str | None, turns: int, stored: Path, tmp_path: Path, ffmpeg: Program
) -> None:
    """It lies beside the key frame alone, which is none of the frames sampled.

    The picture is mirrored, then turned counter-clockwise (ITU-T H.264, D.2.27).
    """
    values = f"display_orientation=insert:rotate={90 * turns}"
    values += f":flip={mirror}" if mirror else ""
    path = tmp_path / f"a.{ending}"
    filters = f"h264_mp4toannexb,h264_metadata={values}"
    ffmpeg("-i", stored, "-c", "copy", "-bsf:v", filters, path)
    plain, turned = read_frames(stored, 4), read_frames(path, 4)
    assert turned.indices.tolist() == plain.indices.tolist()
    mirrored = {None: slice(None), "horizontal": np.s_[:, ::-1], "vertical": np.s_[::-1]}[mirror]
    for frame, before in zip(turned.frames, plain.frames, strict=True):
        np.testing.assert_array_equal(frame, np.rot90(before[mirrored], turns))


def test_pixels_are_made_square_before_the_axes_are_exchanged(
    tmp_path: Path, encode: Encoder, face_frames: Frames, ffmpeg: Program
) -> None:
    wide = encode(tmp_path / "wide.mp4", face_frames(6), "-vf", "setsar=2/1")
    path = tmp_path / "a.mp4"
    ffmpeg("-display_rotation", 90, "-display_vflip", "-i", wide, "-c", "copy", path)
    assert read_frames(wide, 4).frames[0].shape == (240, 640, 3)
    assert read_frames(path, 4).frames[0].shape == (640, 240, 3)
