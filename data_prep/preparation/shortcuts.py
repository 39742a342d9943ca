"""Quantities that could separate real from fake without looking at the manipulation.

None of them needs training, and each has separated a published data set: fakes are blurrier, a
pixel narrower, smaller as files. An audit measures each of them; compare a score with these
baselines.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video.video import Media

QUANTITIES = (
    "sharpness",
    "noise",
    "brightness",
    "contrast",
    "red_green",
    "blue_green",
    "crop_size",
    "crop_aspect",
    "eye_distance",
    "mouth_width",
    "face_height",
    "nose_height",
    "asymmetry",
    "width",
    "height",
    "aspect",
    "fps",
    "frames",
    "duration",
    "file_size",
    "bitrate",
)

# Immerkaer (1996): the difference of two Laplacians is blind to flat, sloping and curved areas.
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def measure(
    frames: npt.NDArray[np.uint8],
    boxes: npt.NDArray[np.floating],
    landmarks: npt.NDArray[np.floating],
    media: Media,
) -> dict[str, float]:
    """Measure :data:`QUANTITIES` of one clip, all finite; an undefined one is 0.

    ==============  ==========================================================================
    of the crops    means over the frames; grey levels run from 0 to 255
    ==============  ==========================================================================
    sharpness       variance of the Laplacian (four neighbours) of the grey inner face
    noise           standard deviation of the noise, in grey levels, in the flatter half of the
                    inner face: the one with the smaller gradients (Immerkaer, "Fast Noise
                    Variance Estimation", 1996)
    brightness      mean of grey
    contrast        standard deviation of grey
    red_green       mean of red minus green
    blue_green      mean of blue minus green
    ==============  ==========================================================================

    ==============  ==========================================================================
    of the face     medians over the frames; without unit, except crop_size
    ==============  ==========================================================================
    crop_size       larger side of the face box in source pixels
    crop_aspect     width of the face box over its height
    eye_distance    between the eyes, in larger sides of the box
    mouth_width     between the corners of the mouth, in larger sides of the box
    face_height     from the middle of the eyes to that of the mouth, in larger sides of the box
    nose_height     where the nose lies on that way: 0 at the eyes, 1 at the mouth
    asymmetry       how far the nose lies off that way, in eye distances
    ==============  ==========================================================================

    ==============  ==========================================================================
    of the file
    ==============  ==========================================================================
    width, height   pixels
    aspect          width over height
    fps             frames a second, 0 for a still
    frames          in the file
    duration        seconds, 0 for a still
    file_size       bytes
    bitrate         bits a second; for a file without duration, bytes a pixel
    ==============  ==========================================================================

    The inner face is the central half of the crop, a quarter of its area. The codec is no number
    and is not among them.

    Args:
        frames: uint8 (T, S, S, 4): red, green, blue and grey.
        boxes: (T, 4), x0, y0, x1, y1 of the face in source pixels.
        landmarks: (T, 5, 2), eyes, nose and mouth corners in source pixels.
        media: media data of the source file.
    """
    values = _of_crops(frames) | _of_face(boxes, landmarks) | _of_file(media)
    return {name: _finite(values[name]) for name in QUANTITIES}


def sharpness(frames: npt.NDArray[np.uint8]) -> float:
    """Compute the variance of the Laplacian of the grey inner face, mean over the frames.

    Args:
        frames: uint8 (T, S, S, 4): red, green, blue and grey.
    """
    size = frames.shape[1]
    inner = slice(size // 4, size - size // 4)
    return float(np.mean([_sharpness(frame[inner, inner, 3]) for frame in frames]))


def _of_crops(frames: npt.NDArray[np.uint8]) -> dict[str, float]:
    size = frames.shape[1]
    inner = slice(size // 4, size - size // 4)
    levels = np.array([cv2.meanStdDev(frame) for frame in frames])[..., 0]
    red, green, blue, grey = levels[:, 0].mean(axis=0)
    return {
        "sharpness": sharpness(frames),
        "noise": np.mean([_noise(frame[inner, inner, 3]) for frame in frames]),
        "brightness": grey,
        "contrast": levels[:, 1, 3].mean(),
        "red_green": red - green,
        "blue_green": blue - green,
    }


def _sharpness(inner: npt.NDArray[np.uint8]) -> float:
    return float(cv2.Laplacian(inner.astype(np.float32), cv2.CV_32F).var())


def _noise(inner: npt.NDArray[np.uint8]) -> float:
    grey = inner.astype(np.float32)
    steepness = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    flat = steepness <= np.median(steepness)
    residual = np.abs(cv2.filter2D(grey, cv2.CV_32F, _NOISE_KERNEL))
    # The kernel multiplies the deviation of noise by 6; the mean magnitude of a normal deviate
    # is that deviation times sqrt(2 / pi).
    return float(math.sqrt(math.pi / 2) / 6 * residual[flat].mean())


def _of_face(
    boxes: npt.NDArray[np.floating], landmarks: npt.NDArray[np.floating]
) -> dict[str, float]:
    width, height = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).T
    side = np.maximum(width, height)
    points = landmarks.astype(np.float64)
    left_eye, right_eye, nose, left_mouth, right_mouth = points.transpose(1, 0, 2)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    eye_distance = _length(right_eye - left_eye)
    down, to_nose = mouth - eyes, nose - eyes
    face_height = _length(down)
    off = np.abs(down[:, 0] * to_nose[:, 1] - down[:, 1] * to_nose[:, 0])
    return {
        "crop_size": _median(side),
        "crop_aspect": _median(_ratio(width, height)),
        "eye_distance": _median(_ratio(eye_distance, side)),
        "mouth_width": _median(_ratio(_length(right_mouth - left_mouth), side)),
        "face_height": _median(_ratio(face_height, side)),
        "nose_height": _median(_ratio((down * to_nose).sum(axis=1), face_height**2)),
        "asymmetry": _median(_ratio(off, face_height * eye_distance)),
    }


def _of_file(media: Media) -> dict[str, float]:
    pixels = media.width * media.height
    if media.duration > 0:
        bitrate = media.bytes * 8 / media.duration
    else:
        bitrate = media.bytes / pixels if pixels else 0.0
    return {
        "width": media.width,
        "height": media.height,
        "aspect": media.width / media.height if media.height else 0.0,
        "fps": media.fps,
        "frames": media.frames,
        "duration": media.duration,
        "file_size": media.bytes,
        "bitrate": bitrate,
    }


def _length(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.hypot(vectors[:, 0], vectors[:, 1])


def _ratio(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the quotient, NaN if it is undefined."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _median(values: npt.NDArray[np.float64]) -> float:
    """Return the median of the finite values; 0 without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0
