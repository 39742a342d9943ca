"""Smooth paths through the latent space of a kept generator, stored as pictures on disk."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replace_file
from search.gan.faces import Faces, to_pixels

# Share of the arc to another face: the person moves, but does not become another person.
_EXTENT = (0.05, 0.35)
_ANCHORS = 3
_WALKS_AT_A_TIME = 16


def generated_walks(
    generator: Path, folder: Path, *, frames: int, count: int = 256, seed: int = 0
) -> Faces:
    """Return faces along latent walks of a generator, computed once and then read from disk.

    A process that reads them needs neither the generator nor the memory of TensorFlow.

    Args:
        generator: A kept ``generator.keras``.
        folder: Folder of the file, whose name contains a digest of the generator and the other
            arguments.
        frames: T of a walk.
        count: Number of walks.
        seed: Seed of the latents.

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
    with replace_file(path) as temporary:
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
    """Return a smooth walk of normal latents: float32 (frames, latent).

    It passes through three latents that are close to each other. The second and the third lie on
    the arcs from the first to other random latents (spherical interpolation; White, Sampling
    Generative Networks, 2016).
    """
    first, *others = rng.normal(size=(_ANCHORS, latent))
    anchors = [first, *(slerp(first, other, rng.uniform(*_EXTENT)) for other in others)]
    positions = np.linspace(0, len(anchors) - 1, frames)
    legs = np.minimum(positions.astype(int), len(anchors) - 2)
    walk = [
        slerp(anchors[leg], anchors[leg + 1], position - leg)
        for leg, position in zip(legs, positions, strict=True)
    ]
    return np.stack(walk).astype(np.float32)


def slerp(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], fraction: float
) -> npt.NDArray[np.float64]:
    """Return the latent at ``fraction`` in 0..1 of the arc from one latent to another."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / (lengths[0] * lengths[1]), -1.0, 1.0))
    if angle < 1e-6:
        return (1 - fraction) * a + fraction * b
    towards = (
        np.sin((1 - fraction) * angle) * a / lengths[0] + np.sin(fraction * angle) * b / lengths[1]
    )
    return ((1 - fraction) * lengths[0] + fraction * lengths[1]) * towards / np.sin(angle)


def _mapped(path: Path) -> Faces:
    walks: Faces = np.load(path, mmap_mode="r")
    return walks
