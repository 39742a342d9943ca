"""What a discriminator sees of a face is changed, and gradients come back through it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spaces.gan.augmentation import _coloured, _cut_out, _shifted, augment_faces, flip_faces


@pytest.fixture
def faces() -> tf.Tensor:
    tf.random.set_seed(3)
    return tf.random.uniform((16, 32, 32, 3), -1, 1)


def test_every_face_is_changed_and_keeps_its_shape(faces: tf.Tensor) -> None:
    changed = augment_faces(faces)
    assert changed.shape == faces.shape
    assert np.isfinite(changed).all()
    assert (np.abs(changed - faces).reshape(16, -1).mean(axis=1) > 0.1).all()


def test_a_gradient_passes_through(faces: tf.Tensor) -> None:
    with tf.GradientTape() as tape:
        tape.watch(faces)
        loss = tf.reduce_sum(augment_faces(faces))
    gradient = tape.gradient(loss, faces)
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).reshape(16, -1).sum(axis=1) > 0).all()


def test_a_shift_moves_at_most_an_eighth_and_fills_with_the_middle(faces: tf.Tensor) -> None:
    shifted, before = np.asarray(_shifted(faces)), np.pad(faces, ((0, 0), (4, 4), (4, 4), (0, 0)))
    moves = set()
    for one, whole in zip(shifted, before, strict=True):
        found = [
            (down, right)
            for down in range(9)
            for right in range(9)
            if np.array_equal(one, whole[down : down + 32, right : right + 32])
        ]
        assert len(found) == 1
        moves |= set(found)
    assert len(moves) > 4


def test_a_square_of_at_most_half_the_side_is_cut_out(faces: tf.Tensor) -> None:
    cut = np.asarray(_cut_out(faces))
    gone = (cut == 0).all(axis=3)
    assert np.array_equal(cut[~gone], np.asarray(faces)[~gone])
    areas = gone.sum(axis=(1, 2))
    assert (areas >= 64).all()
    assert (areas <= 256).all()


def test_colour_changes_leave_structure(faces: tf.Tensor) -> None:
    coloured = np.asarray(_coloured(faces))
    for before, after in zip(np.asarray(faces), coloured, strict=True):
        grey = np.corrcoef(before.mean(axis=2).ravel(), after.mean(axis=2).ravel())[0, 1]
        assert grey > 0.999


def test_half_of_the_faces_are_mirrored(faces: tf.Tensor) -> None:
    seen = np.asarray(flip_faces(tf.tile(faces, (8, 1, 1, 1))))
    whole = np.tile(np.asarray(faces), (8, 1, 1, 1))
    same = np.array([np.array_equal(a, b) for a, b in zip(seen, whole, strict=True)])
    mirrored = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(seen, whole, strict=True)])
    assert (same ^ mirrored).all()
    assert 40 < mirrored.sum() < 88
