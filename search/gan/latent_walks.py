"""Smooth walks through the latent space of a kept generator, as pictures on disk."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replacing
from search.gan.faces import Faces, to_pixels

# How far on its arc to another face a walk goes: a person who moves, not one who becomes another.
_EXTENT = (0.05, 0.35)
_ANCHORS = 3
_WALKS_AT_A_TIME = 16


def generated_walks(
    generator: Path, folder: Path, *, frames: int, count: int = 256, seed: int = 0
) -> Faces:
    """Faces along latent walks of a generator, computed once and then read from disk.

    A process that reads them needs neither the generator nor TensorFlow's memory.

    Args:
        generator: a kept ``generator.keras``.
        folder: for the file, which is named after the generator's content and the other arguments.
        frames: T of a walk.
        count: of walks.
        seed: of the latents.

    Returns:
        uint8 (count, T, side, side, 3), mapped from the file.
    """
    digest = hashlib.sha256(generator.read_bytes()).hexdigest()
    path = folder / f"walks-{digest[:16]}-{count}x{frames}-{seed}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        return _mapped(path)
    folder.mkdir(parents=True, exist_ok=True)
    model = keras.models.load_model(generator, compile=False)
    rng = np.random.default_rng(seed)
    latent, side = model.input_shape[1], model.output_shape[1]
    with replacing(path) as temporary:
        shape = (count, frames, side, side, 3)
        whole = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        for start in range(0, count, _WALKS_AT_A_TIME):
            part = whole[start : start + _WALKS_AT_A_TIME]
            latents = np.concatenate([latent_walk(latent, frames, rng) for _ in part])
            faces = model.predict(latents, batch_size=256, verbose=0)
            part[:] = to_pixels(faces).reshape(part.shape)
        whole.flush()
    return _mapped(path)


def latent_walk(latent: int, frames: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A smooth walk of normal latents: float32 (frames, latent).

    Through three of them that lie near each other, each a part of the arc away from the first
    (spherical interpolation; White, Sampling Generative Networks, 2016).
    """
    first, *others = rng.normal(size=(_ANCHORS, latent))
    anchors = [first, *(slerp(first, other, rng.uniform(*_EXTENT)) for other in others)]
    places = np.linspace(0, len(anchors) - 1, frames)
    legs = np.minimum(places.astype(int), len(anchors) - 2)
    walk = [
        slerp(anchors[leg], anchors[leg + 1], place - leg)
        for leg, place in zip(legs, places, strict=True)
    ]
    return np.stack(walk).astype(np.float32)


def slerp(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], place: float
) -> npt.NDArray[np.float64]:
    """The latent at ``place`` in 0..1 on the arc from one to another."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / (lengths[0] * lengths[1]), -1.0, 1.0))
    if angle < 1e-6:
        return (1 - place) * a + place * b
    towards = np.sin((1 - place) * angle) * a / lengths[0] + np.sin(place * angle) * b / lengths[1]
    return ((1 - place) * lengths[0] + place * lengths[1]) * towards / np.sin(angle)


def _mapped(path: Path) -> Faces:
    walks: Faces = np.load(path, mmap_mode="r")
    return walks
