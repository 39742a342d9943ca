"""Pictures of every kind become one RGB frame, and damaged ones are refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from data_prep.errors import VideoError
from data_prep.video.stills import is_picture, read_picture

_SHOWN = skimage.data.astronaut()[:96, 96:224]
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "tiff": "TIFF"}


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Save a picture in a file with no telling name: ``save(image, "PNG", **options)``."""

    def write(image: Image.Image, form: str, **options: object) -> Path:
        path = tmp_path / "file"
        image.save(path, form, **options)
        return path

    return write


def _reason(path: Path) -> str:
    with pytest.raises(VideoError) as raised:
        read_picture(path)
    assert raised.value.step == "decode"
    assert "\n" not in raised.value.reason
    return raised.value.reason


@pytest.mark.parametrize("name", _FORMATS)
def test_every_format_is_known_by_its_content(name: str, save: Callable[..., Path]) -> None:
    path = save(Image.fromarray(_SHOWN), _FORMATS[name], quality=95)
    assert is_picture(path.read_bytes()[:12])
    frame, form = read_picture(path)
    assert form == name
    assert (frame.dtype, frame.shape) == (np.uint8, (96, 128, 3))
    assert np.abs(frame.astype(int) - _SHOWN).mean() < 5


def test_videos_and_other_files_are_no_pictures(face_video: bytes) -> None:
    for beginning in (face_video[:12], b"RIFF\0\0\0\0AVI ", b"%PDF-1.7\n", b"PK\3\4", b"", b"\xff"):
        assert not is_picture(beginning)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA"])
def test_every_colour_mode_becomes_rgb(mode: str, save: Callable[..., Path]) -> None:
    image = Image.fromarray(_SHOWN).convert(mode)
    frame, _ = read_picture(save(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert (frame.dtype, frame.shape) == (np.uint8, (96, 128, 3))
    grey = np.asarray(Image.fromarray(_SHOWN).convert("L")).astype(int)
    # What is left of a picture of black and white dots is its mean.
    error = np.abs(frame.mean(axis=2) - grey) if mode != "1" else frame.mean() - grey.mean()
    assert np.abs(np.mean(error)) < 12


def test_sixteen_bits_are_cut_to_eight(save: Callable[..., Path], tmp_path: Path) -> None:
    deep = np.arange(96 * 128, dtype=np.uint16).reshape(96, 128) * 5
    for form in ("PNG", "TIFF"):
        frame, _ = read_picture(save(Image.fromarray(deep), form))
        np.testing.assert_array_equal(frame, np.repeat((deep >> 8)[..., None], 3, axis=2))
    colours = tmp_path / "deep.png"
    _write_deep_png(colours, _SHOWN.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_picture(colours)[0], _SHOWN)


def _write_deep_png(path: Path, colours: np.ndarray) -> None:
    """RGB of 16 bits, which Pillow reads and cannot write (ISO/IEC 15948:2004, 11.2)."""
    height, width = colours.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in chunks.items():
            checksum = struct.pack(">I", zlib.crc32(name + content))
            file.write(struct.pack(">I", len(content)) + name + content + checksum)


def test_what_is_transparent_is_white(save: Callable[..., Path]) -> None:
    image = Image.fromarray(_SHOWN).convert("RGBA")
    image.putalpha(0)
    assert (read_picture(save(image, "PNG"))[0] == 255).all()
    image.putalpha(255)
    np.testing.assert_array_equal(read_picture(save(image, "PNG"))[0], _SHOWN)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_eight_exif_orientations_are_applied(form: str, save: Callable[..., Path]) -> None:
    shown = {
        1: _SHOWN,
        2: _SHOWN[:, ::-1],
        3: np.rot90(_SHOWN, 2),
        4: _SHOWN[::-1],
        5: _SHOWN.swapaxes(0, 1),
        6: np.rot90(_SHOWN, -1),
        7: _SHOWN[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(_SHOWN),
    }
    for orientation, expected in shown.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = (
            {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
        )
        frame, _ = read_picture(save(Image.fromarray(_SHOWN), form, exif=exif, **options))
        assert frame.shape == expected.shape
        assert np.abs(frame.astype(int) - expected).mean() < (5 if form == "JPEG" else 0.01)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "MPO"])
def test_of_several_pictures_the_first_is_taken(form: str, save: Callable[..., Path]) -> None:
    more = [Image.new("RGB", (128, 96), "red")]
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "MPO" else {}
    path = save(Image.fromarray(_SHOWN), form, save_all=True, append_images=more, **options)
    frame, name = read_picture(path)
    assert name == {"MPO": "jpeg"}.get(form, form.lower())
    assert np.abs(frame.astype(int) - _SHOWN).mean() < 5


@pytest.mark.parametrize("name", _FORMATS)
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_picture_that_is_cut_short_is_refused(
    name: str, kept: float, save: Callable[..., Path]
) -> None:
    path = save(Image.fromarray(_SHOWN), _FORMATS[name])
    content = path.read_bytes()
    path.write_bytes(content[: max(12, int(len(content) * kept))])
    assert "damaged" in _reason(path)


@pytest.mark.parametrize("side", [8193, 30_000])
def test_a_header_of_too_many_pixels_is_refused(side: int, tmp_path: Path) -> None:
    path = tmp_path / "huge.bmp"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "BMP")
    content = bytearray(buffer.getvalue())
    struct.pack_into("<ii", content, 18, side, side)
    path.write_bytes(content)
    assert "pixels" in _reason(path)


def test_fractional_values_are_refused(save: Callable[..., Path]) -> None:
    image = Image.fromarray(np.zeros((8, 8), np.float32))
    assert "save it with 8 or 16 bits" in _reason(save(image, "TIFF"))


def test_broken_exif_data_are_no_noise(
    save: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(Image.fromarray(_SHOWN), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    assert read_picture(path)[0].shape == (96, 128, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("folder", ["real", "fake"])
def test_real_pictures_are_read(folder: str, real_data: Path) -> None:
    paths = sorted((real_data / "faces_hardfake" / folder).iterdir())[:20]
    for path in paths:
        assert is_picture(path.read_bytes()[:12])
        assert read_picture(path)[0].shape == (300, 300, 3)
