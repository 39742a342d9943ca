"""Changes of faces that a gradient passes through, for a discriminator with few of them."""

from __future__ import annotations

import tensorflow as tf

_SHIFT = 1 / 8
_CUT = 1 / 2


def augment_faces(faces: tf.Tensor) -> tf.Tensor:
    """Change brightness, saturation and contrast of each face; shift it, cut a square out.

    Real and generated faces are changed in the same way. So a discriminator cannot memorise a few
    hundred real faces, and the generator does not learn the changes (Zhao et al., Differentiable
    Augmentation for Data-Efficient GAN Training, 2020). The ranges are those of the paper; the
    square has half a side.

    Args:
        faces: float (batch, side, side, 3) in -1..1.

    Returns:
        float (batch, side, side, 3), which may leave -1..1.
    """
    return _cut_out(_shifted(_coloured(faces)))


def flip_faces(faces: tf.Tensor) -> tf.Tensor:
    """Mirror every face with probability 0.5."""
    return tf.where(_drawn(faces) < 0.5, tf.reverse(faces, [2]), faces)


def _coloured(faces: tf.Tensor) -> tf.Tensor:
    faces = faces + _drawn(faces) - 0.5
    grey = tf.reduce_mean(faces, axis=3, keepdims=True)
    faces = grey + 2 * _drawn(faces) * (faces - grey)
    mean = tf.reduce_mean(faces, axis=[1, 2, 3], keepdims=True)
    return mean + (0.5 + _drawn(faces)) * (faces - mean)


def _shifted(faces: tf.Tensor) -> tf.Tensor:
    """Shift every face; the area outside is 0, the middle of the range."""
    side = faces.shape[1]
    most = int(side * _SHIFT + 0.5)
    faces = tf.pad(faces, [[0, 0], [most, most], [most, most], [0, 0]])
    for axis in (1, 2):
        starts = tf.random.uniform((tf.shape(faces)[0], 1), 0, 2 * most + 1, dtype=tf.int32)
        faces = tf.gather(faces, starts + tf.range(side), axis=axis, batch_dims=1)
    return faces


def _cut_out(faces: tf.Tensor) -> tf.Tensor:
    side = faces.shape[1]
    half = int(side * _CUT + 0.5) // 2
    inside = tf.ones((), tf.bool)
    for shape in ((side, 1, 1), (1, side, 1)):
        centre = tf.random.uniform((tf.shape(faces)[0], 1, 1, 1), 0, side, dtype=tf.int32)
        away = tf.reshape(tf.range(side), (1, *shape)) - centre
        inside = inside & (away >= -half) & (away < half)
    return tf.where(inside, 0.0, faces)


def _drawn(faces: tf.Tensor) -> tf.Tensor:
    """Draw one number in 0..1 a face."""
    return tf.random.uniform((tf.shape(faces)[0], 1, 1, 1))
