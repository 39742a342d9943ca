"""Latent walks are smooth, and their faces are kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.gan.faces import to_pixels
from search.gan.latent_walks import generated_walks, latent_walk, slerp
from spaces.gan.choices import GanChoices
from spaces.gan.networks import generator


def test_an_arc_goes_from_one_to_the_other_and_does_not_cut_through_the_middle() -> None:
    a, b = np.array([2.0, 0]), np.array([0.0, 4])
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-12)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-12)
    half = slerp(a, b, 0.5)
    assert np.linalg.norm(half) == pytest.approx(3)
    assert half[0] == pytest.approx(half[1])
    np.testing.assert_allclose(slerp(a, a, 0.3), a)


def test_a_walk_goes_in_small_steps_and_stays_among_likely_latents() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        walk = latent_walk(64, 16, rng)
        assert walk.shape == (16, 64)
        assert walk.dtype == np.float32
        steps = np.linalg.norm(np.diff(walk, axis=0), axis=1)
        lengths = np.linalg.norm(walk, axis=1)
        assert 0 < steps.max() < 0.15 * lengths.mean()
        assert (np.abs(lengths - 8) < 3).all()
    assert latent_walk(8, 1, rng).shape == (1, 8)


def test_faces_of_walks_are_computed_once(tmp_path: Path) -> None:
    model = generator(GanChoices(latent=8))
    model.save(tmp_path / "generator.keras")
    arguments = {"frames": 4, "count": 20, "seed": 3}
    walks = generated_walks(tmp_path / "generator.keras", tmp_path / "walks", **arguments)
    assert walks.shape == (20, 4, 32, 32, 3)
    assert walks.dtype == np.uint8
    rng = np.random.default_rng(3)
    latents = np.concatenate([latent_walk(8, 4, rng) for _ in range(20)])
    faces = to_pixels(np.asarray(model(latents))).reshape(walks.shape)
    assert np.abs(faces.astype(int) - walks).max() <= 1

    (path,) = (tmp_path / "walks").iterdir()
    marked = np.array(walks)
    marked[0] = 7
    np.save(path, marked)
    again = generated_walks(tmp_path / "generator.keras", tmp_path / "walks", **arguments)
    assert (again[0] == 7).all()
    other = generated_walks(
        tmp_path / "generator.keras", tmp_path / "walks", **{**arguments, "seed": 4}
    )
    assert (other[0] != 7).any()


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    generator(GanChoices(latent=8)).save(tmp_path / "generator.keras")
    arguments = {"frames": 2, "count": 3}
    first = np.array(generated_walks(tmp_path / "generator.keras", tmp_path, **arguments))
    (path,) = tmp_path.glob("walks-*.npy")
    path.write_bytes(path.read_bytes()[:200])
    again = generated_walks(tmp_path / "generator.keras", tmp_path, **arguments)
    np.testing.assert_array_equal(first, again)
