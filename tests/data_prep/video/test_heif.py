"""AVIF and HEIC pictures come whole and upright, or with the extra that reads them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from data_prep.errors import VideoError
from data_prep.video.stills import read_picture
from data_prep.video.video import read_frames

Writer = Callable[..., Path]

_SHOWN = np.ascontiguousarray(skimage.data.astronaut()[:256, 64:448])
# The properties of a picture in their order, and what they make of it.
_STEPS = {
    None: lambda frame: frame,
    (b"irot", 0): lambda frame: frame,
    (b"irot", 1): lambda frame: np.rot90(frame),
    (b"irot", 2): lambda frame: np.rot90(frame, 2),
    (b"irot", 3): lambda frame: np.rot90(frame, 3),
    (b"imir", 0): lambda frame: frame[::-1],
    (b"imir", 1): lambda frame: frame[:, ::-1],
}
_TURNS = [None, *((b"irot", turns) for turns in range(4))]
_MIRRORS = [None, (b"imir", 0), (b"imir", 1)]


def _is_like(frame: np.ndarray, expected: np.ndarray) -> bool:
    return frame.shape == expected.shape and np.abs(frame.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("name", ["a.avif", "a.jpg", "a"])
def test_all_tiles_of_a_picture_are_read(name: str, tmp_path: Path, write_tiles: Writer) -> None:
    path = write_tiles(tmp_path / name, _SHOWN, 2)
    sampled = read_frames(path, 1)
    assert _is_like(sampled.frames[0], _SHOWN)
    assert (sampled.media.codec, sampled.media.width, sampled.media.height) == ("avif", 384, 256)
    with pytest.raises(VideoError, match="a picture, not a video"):
        read_frames(path, 8)


@pytest.mark.parametrize("tiles", [1, 2])
def test_turns_and_mirrors_are_applied_in_both_orders(
    tiles: int, tmp_path: Path, write_tiles: Writer
) -> None:
    for turn, mirror in itertools.product(_TURNS, _MIRRORS):
        for steps in ((turn, mirror), (mirror, turn)):
            boxes = [step for step in steps if step]
            path = write_tiles(tmp_path / "a.avif", _SHOWN, tiles, boxes)
            expected = _SHOWN
            for step in steps:
                expected = _STEPS[step](expected)
            frame, form = read_picture(path)
            assert form == "avif"
            assert frame.flags.c_contiguous
            assert _is_like(frame, expected), steps


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_boxes_that_pillow_writes_are_read(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(_SHOWN)
    image.save(tmp_path / "a.png", exif=exif)
    image.save(tmp_path / "a.avif", quality=95, exif=exif)
    expected = read_picture(tmp_path / "a.png")[0]
    assert _is_like(read_picture(tmp_path / "a.avif")[0], expected)


@pytest.mark.parametrize("kept", [0.02, 0.05, 0.3, 0.6, 0.99])
def test_a_picture_that_is_cut_short_is_refused(
    kept: float, tmp_path: Path, write_tiles: Writer
) -> None:
    path = write_tiles(tmp_path / "a.avif", _SHOWN, 2, [(b"irot", 1)])
    os.truncate(path, max(16, int(path.stat().st_size * kept)))
    with pytest.raises(VideoError, match="damaged") as raised:
        read_picture(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("tiles", [1, 2])
def test_heic_is_read_with_its_extra(tiles: int, tmp_path: Path, write_tiles: Writer) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    boxes = [(b"irot", 1), (b"imir", 1)]
    path = write_tiles(tmp_path / "a.jpg", _SHOWN, tiles, boxes, form="HEIF")
    sampled = read_frames(path, 1)
    assert sampled.media.codec == "heic"
    assert _is_like(sampled.frames[0], np.rot90(_SHOWN)[:, ::-1])


def test_heic_without_its_extra_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(1000))
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from pathlib import Path\n"
        "from data_prep.errors import VideoError\n"
        "from data_prep.video.video import read_frames\n"
        "try: read_frames(Path(sys.argv[1]), 1)\n"
        "except VideoError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "decode: a HEIC picture, which needs the extra heic: "
        'pip install "deepfake-model-search[heic]"\n'
    )
