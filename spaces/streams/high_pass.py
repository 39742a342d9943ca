"""High-pass filters: content is filtered away, noise and the traces of processing are left."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from spaces.layers.fixed_kernels import EXACT

BLOCK = 8
# Mean energy of a block-DCT coefficient of face crops with horizontal and vertical frequencies u
# and v: about LOW_ENERGY / (u**2 + v**2) ** ENERGY_FALL, in squared grey levels; a rough fit to
# the medians of 57 public face videos, 128 px.
LOW_ENERGY = 30_000.0
ENERGY_FALL = 2.3

_SIDE = 5
# A step along a row, turned by an eighth again and again: rows, columns.
_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_SQUARE3 = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], float)
_SQUARE5 = np.array(
    [
        [-1, 2, -2, 2, -1],
        [2, -6, 8, -6, 2],
        [-2, 8, -12, 8, -2],
        [2, -6, 8, -6, 2],
        [-1, 2, -2, 2, -1],
    ],
    float,
)


def srm3_kernels() -> npt.NDArray[np.float32]:
    """Return the three common SRM high-pass filters, (1, 5, 5, 1, 3).

    They are second order along a row, the 3x3 square and the 5x5 square, scaled by 1/2, 1/4 and
    1/12. Source: Fridrich and Kodovsky, Rich Models for Steganalysis of Digital Images, 2012. The
    choice of three is that of Zhou et al., Learning Rich Features for Image Manipulation Detection,
    2018.
    """
    return _stacked([_along(_DIRECTIONS[0], {-1: 1, 0: -2, 1: 1}), _SQUARE3, _SQUARE5])


def srm30_kernels() -> npt.NDArray[np.float32]:
    """Return the thirty linear SRM high-pass filters, (1, 5, 5, 1, 30).

    Each computes the error of a prediction of a pixel from its neighbours (Fridrich and Kodovsky,
    2012). Ye et al., Deep Learning Hierarchical Representations for Image Steganalysis, 2017, have
    all thirty as the first layer of a network. Their order is: 8 of first, 4 of second and 8 of
    third order along the eight directions, the 3x3 square, its 4 edges, the 5x5 square, its 4
    edges. Each is scaled to -1 at the pixel.
    """
    first = [_along(direction, {0: -1, 1: 1}) for direction in _DIRECTIONS]
    second = [_along(direction, {-1: 1, 0: -2, 1: 1}) for direction in _DIRECTIONS[:4]]
    third = [_along(direction, {-1: 1, 0: -3, 1: 3, 2: -1}) for direction in _DIRECTIONS]
    squares = [_SQUARE3, *_edges(_SQUARE3), _SQUARE5, *_edges(_SQUARE5)]
    return _stacked([*first, *second, *third, *squares])


def dct_kernels() -> npt.NDArray[np.float32]:
    """Return block-DCT filters without the mean, (1, 8, 8, 1, 63).

    They are scaled to unit energy on face crops.

    The basis is the orthonormal DCT-II of 8 x 8 blocks. Each filter is divided by the root of its
    energy as predicted by :data:`LOW_ENERGY` and :data:`ENERGY_FALL`.
    """
    place = np.arange(BLOCK)
    wave = np.cos(np.pi / BLOCK * np.outer(place, place + 0.5)) * np.sqrt(2 / BLOCK)
    wave[0] /= np.sqrt(2)
    waves = np.einsum("ay,bx->yxab", wave, wave).reshape(BLOCK, BLOCK, -1)[:, :, 1:]
    frequency = np.add.outer(place**2, place**2).ravel()[1:]
    kernels = waves / np.sqrt(LOW_ENERGY / frequency**ENERGY_FALL)
    return kernels[None, :, :, None, :].astype(np.float32)


@keras.saving.register_keras_serializable(package="dfsearch")
class HighPassConstraint(keras.constraints.Constraint):
    """Constraint on kernels (..., kH, kW, C, C'): -1 at the centre, the other weights add up to 1.

    So every kernel predicts a pixel from its neighbours and leaves the error (Bayar and Stamm, A
    Deep Learning Approach to Universal Image Manipulation Detection Using a New Convolutional
    Layer, 2016). The paper divides by the sum of the other weights, which explodes if they cancel
    out. Here the nearest kernel that fulfils the constraint is taken: the missing sum is spread
    evenly.

    It acts only in training; :func:`artifacts.models.saved.plain_copy` leaves it out.
    """

    def __call__(self, kernel: Any) -> Any:
        centre = np.zeros((*kernel.shape[-4:-2], 1, 1), np.float32)
        centre[kernel.shape[-4] // 2, kernel.shape[-3] // 2] = 1
        others = 1 - centre
        axes = (-4, -3)
        lacking = 1 - keras.ops.sum(kernel * others, axis=axes, keepdims=True)
        return (kernel + lacking / others.sum()) * others - centre


def learned_high_pass(x: keras.KerasTensor, filters: int, *, name: str) -> keras.KerasTensor:
    """Return learned 5 x 5 prediction errors of every frame.

    The kernels are held by :class:`HighPassConstraint`, in float32 under every dtype policy:
    rounded weights add up to another sum and let content through.

    Args:
        x: float (batch, T, H, W, 1), best around 0, which keeps the errors and small gradients.
        filters: number of kernels.
        name: name of the layer.

    Returns:
        float (batch, T, H - 4, W - 4, filters).
    """
    constraint = HighPassConstraint()
    layer = keras.layers.Conv3D(
        filters,
        (1, _SIDE, _SIDE),
        use_bias=False,
        kernel_constraint=constraint,
        dtype=EXACT,
        name=name,
    )
    y = layer(x)
    layer.kernel.assign(constraint(layer.kernel))
    return y


def _along(direction: tuple[int, int], weights: dict[int, int]) -> npt.NDArray[np.float64]:
    """Return a 5 x 5 kernel with weights at steps from its centre along a direction."""
    kernel = np.zeros((_SIDE, _SIDE))
    for step, weight in weights.items():
        kernel[_SIDE // 2 + step * direction[0], _SIDE // 2 + step * direction[1]] = weight
    return kernel


def _edges(square: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Return a square without the part below its centre, and its three quarter turns."""
    edge = square.copy()
    edge[len(square) // 2 + 1 :] = 0
    return [np.rot90(edge, turns) for turns in range(4)]


def _stacked(kernels: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float32]:
    """Stack kernels of side 3 or 5, scaled to -1 at the centre, to (1, 5, 5, 1, count)."""
    padded = [np.pad(kernel, (_SIDE - len(kernel)) // 2) for kernel in kernels]
    scaled = [kernel / abs(kernel[_SIDE // 2, _SIDE // 2]) for kernel in padded]
    return np.stack(scaled, axis=-1)[None, :, :, None, :].astype(np.float32)
