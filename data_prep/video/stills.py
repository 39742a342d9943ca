"""Pictures read as clips of one frame."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, features

from data_prep.errors import VideoError
from data_prep.text import one_line
from data_prep.video import heif
from data_prep.video.decoding import check_size

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "HEIF")
# How files of these formats begin.
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)
# Pictures of several kept in one JPEG file, as some cameras make, are called by another name.
_NAMES = {"MPO": "jpeg", "HEIF": "heic"}


def is_picture(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is a picture; twelve are enough."""
    webp = beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP"
    return webp or heif.is_heif(beginning) or beginning.startswith(_BEGINNINGS)


def read_picture(file: Path | BinaryIO) -> tuple[npt.NDArray[np.uint8], str]:
    """Read the picture of a file, of several the first, and the name of its format.

    It is turned and mirrored by its EXIF data or boxes. More than 8 bits a colour are cut to 8.
    Transparent pixels become white. A truncated picture is refused.

    Returns:
        uint8 (H, W, 3), RGB, and ``jpeg``, ``png``, ``webp``, ``bmp``, ``tiff``, ``avif`` or
        ``heic``.

    Raises:
        VideoError: step ``decode``; it is damaged or too large, or its format needs a package.
    """
    if isinstance(file, Path):
        try:
            with file.open("rb") as opened:
                return read_picture(opened)
        except OSError as error:
            raise VideoError("decode", f"the file cannot be read: {error.strerror}") from None
    try:
        _check_support(heif.read_format(file))
        file.seek(0)
        with warnings.catch_warnings():
            # The size is checked below, and faults of EXIF data do not matter.
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as image:
                check_size(*image.size)
                form = str(image.format)
                image.load()
                if form == "AVIF":
                    frame = heif.upright(file, np.array(_in_colour(image)))
                else:
                    frame = np.array(_in_colour(ImageOps.exif_transpose(image)))
    except (VideoError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise VideoError("decode", "the header has more pixels than the limit") from None
    except UnidentifiedImageError:
        raise VideoError("decode", "the picture is damaged: its header cannot be read") from None
    # A damaged file makes Pillow raise errors of a dozen classes.
    except Exception as error:
        text = one_line(str(error) or type(error).__name__)[:200]
        raise VideoError("decode", f"the picture is damaged: {text}") from None
    return frame, _NAMES.get(form, form.lower())


def _check_support(form: str) -> None:
    """Register the decoder of HEIC with Pillow, or report the missing one of HEIC or AVIF."""
    if form == heif.HEIC:
        try:
            import pillow_heif
        except ImportError:
            raise VideoError(
                "decode",
                "a HEIC picture, which needs the extra heic: "
                'pip install "deepfake-model-search[heic]"',
            ) from None
        pillow_heif.register_heif_opener()
    elif form == heif.AVIF and not features.check("avif"):
        raise VideoError(
            "decode", "an AVIF picture, and this Pillow is built without AVIF; reinstall pillow"
        )


def _in_colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey; converting it would cut off at 255 instead of scaling.
        values = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("it has fractional values; save it with 8 or 16 bits a colour")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
