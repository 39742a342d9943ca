"""Heat maps: the regions of a clip that raised its fake score."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from artifacts.explain.layers import Arrays, logits
from artifacts.explain.maps import FeatureMap, feature_maps
from artifacts.explain.streams import stream_weights as stream_weights
from artifacts.models.inference import ScoreError, check_finite, computing
from artifacts.models.refusal import first_line
from spaces.streams.names import FRAMES

Heat: TypeAlias = "npt.NDArray[np.float32]"

_BATCH = 8


def heat_maps(model: keras.Model, arrays: Arrays) -> Heat:
    """Compute heat maps of clips, float32 (n, T, H, W) in 0..1.

    See :meth:`Explainer.heat_maps`.
    """
    return Explainer(model).heat_maps(arrays)


class Explainer:
    """Heat maps of one detector; make the object once for many clips, since it traces the model.

    Args:
        model: a detector, or several as one (:mod:`artifacts.models.ensemble`).

    Raises:
        ValueError: the model does not end in a dense layer with a sigmoid, or takes no frames.
    """

    def __init__(self, model: keras.Model) -> None:
        shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
        if FRAMES not in shapes:
            raise ValueError(f"the model {model.name} takes no {FRAMES}. Received: {list(shapes)}")
        self._model = model
        self._maps = feature_maps(model)
        self._clip = shapes[FRAMES][:3]
        self._names = list(shapes)
        self._pass = tf.function(self._contributions).get_concrete_function(
            *(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs)
        )

    def heat_maps(self, arrays: Arrays) -> Heat:
        """Return the regions that raised the fake score, in every frame of each clip.

        The method is Grad-CAM (Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks
        via Gradient-based Localization, 2017). The last feature maps of every stream are weighed by
        the gradient of the logit of fake and summed over their channels. Negative values are
        evidence of real and are left out. Some streams keep positions separate to the end, so every
        position has its own gradient (HiResCAM; Draelos and Carin, Use HiResCAM instead of Grad-CAM
        for Faithful Explanations of Convolutional Neural Networks, 2020). For networks that end in
        the mean of each frame, such as all backbones, this equals Grad-CAM. The maps of several
        streams are added. Each position has its share of the logit, so a stream shows its
        contribution.

        Maps of fewer steps than frames are spread over all of them. A clip in which no
        region raised the fake score has a map of zeros.

        Args:
            arrays: arrays of n clips, by the names of the model's inputs, and maybe more.

        Returns:
            float32 (n, T, H, W); the largest value of each clip is 1, or all are 0.
        """
        return self.scored(arrays)[1]

    def scored(self, arrays: Arrays) -> tuple[npt.NDArray[np.float32], Heat]:
        """Return fake probabilities, float32 (n,), and heat maps of the same clips, in one pass."""
        evidence, found = self._run(arrays)
        return _sigmoid(found), _normalised(np.maximum(evidence, 0))

    def evidence(self, arrays: Arrays) -> Heat:
        """Return the signed contribution of every position to the logit of fake.

        It has the shape float32 (n, T, H, W). To first order, the sum over a clip is that of
        gradient times feature.
        """
        return self._run(arrays)[0]

    def logits(self, arrays: Arrays) -> npt.NDArray[np.float32]:
        """Return the logit of fake of each clip, float32 (n,)."""
        found = [answer[0].numpy() for answer in self._passes(arrays)]
        return np.concatenate([np.zeros(0, np.float32), *found])

    def _run(self, arrays: Arrays) -> tuple[Heat, npt.NDArray[np.float32]]:
        evidence = [np.zeros((0, *self._clip), np.float32)]
        found = [np.zeros(0, np.float32)]
        for logit, *maps in self._passes(arrays):
            total = np.zeros((len(logit), *self._clip), np.float32)
            for place, values in zip(self._maps, maps, strict=True):
                _add(total, values.numpy(), place)
            evidence.append(total)
            found.append(logit.numpy())
        return np.concatenate(evidence), np.concatenate(found)

    def _passes(self, arrays: Arrays) -> Any:
        """Yield logit and contributions of a few clips at a time."""
        given = [arrays[name] for name in self._names]
        for start in range(0, len(given[0]), _BATCH):
            batch = (tf.convert_to_tensor(array[start : start + _BATCH]) for array in given)
            try:
                with computing():
                    found = self._pass(*batch)
            except tf.errors.OpError as error:
                reason = first_line(error)
                raise ScoreError(f"the heat maps cannot be computed: {reason}") from None
            for values in found:
                check_finite(values.numpy(), "scores or heat maps")
            yield found

    def _contributions(self, *inputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return the logit (n,), and gradient times feature of every map, (n, t, h, w).

        The product is summed over channels.

        Maps are detached from their inputs, so no path to the logit counts twice if one map depends
        on another.
        """
        kept: dict[int, tf.Tensor] = {}
        wanted = {id(place.layer) for place in self._maps}
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def look(layer: Any, value: tf.Tensor) -> tf.Tensor:
                if id(layer) not in wanted:
                    return value
                kept[id(layer)] = tf.stop_gradient(value)
                tape.watch(kept[id(layer)])
                return kept[id(layer)]

            logit = logits(self._model, dict(zip(self._names, inputs, strict=True)), look)
        features = [kept[id(place.layer)] for place in self._maps]
        zero = tf.UnconnectedGradients.ZERO
        slopes = tape.gradient(logit, features, unconnected_gradients=zero) if features else []
        products = (slope * feature for slope, feature in zip(slopes, features, strict=True))
        return logit, *(tf.reduce_sum(tf.cast(product, tf.float32), -1) for product in products)


def _add(total: Heat, values: Heat, place: FeatureMap) -> None:
    """Spread a map (n, t, h, w) over the frames (n, T, H, W) it shows, its sum kept."""
    _, frames, height, width = total.shape
    top, bottom = (round(edge * height) for edge in place.box[:2])
    left, right = (round(edge * width) for edge in place.box[2:])
    shown = bottom - top, right - left
    values = values * np.float32(values[0].size / (frames * shown[0] * shown[1]))
    values = np.einsum("ft,nthw->nfhw", _overlaps(frames, values.shape[1]), values)
    for clip, map_of_clip in zip(total, values, strict=True):
        for frame, small in zip(clip, map_of_clip, strict=True):
            large = cv2.resize(small, shown[::-1], interpolation=cv2.INTER_LINEAR)
            frame[top:bottom, left:right] += large


def _overlaps(frames: int, steps: int) -> Heat:
    """Return the share of each frame's time in every step, float32 (frames, steps)."""
    begin = np.arange(frames)[:, None] / frames
    first = np.arange(steps)[None] / steps
    shared = np.minimum(begin + 1 / frames, first + 1 / steps) - np.maximum(begin, first)
    return np.asarray(np.maximum(shared, 0) * frames, np.float32)


def _normalised(heat: Heat) -> Heat:
    peaks = heat.max(axis=(1, 2, 3), keepdims=True)
    return np.divide(heat, peaks, out=np.zeros_like(heat), where=peaks > 0)


def _sigmoid(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)), np.float32)
