"""The last maps in which places of a frame are kept apart are found on every way to the output."""

from __future__ import annotations

import keras
import pytest

from artifacts.explain.layers import is_entered
from artifacts.explain.maps import feature_maps

CLIP, AUDIO = (4, 32, 48, 4), (4, 16, 10, 1)
WHOLE = (0.0, 1.0, 0.0, 1.0)


def _end(*embeddings: keras.KerasTensor) -> keras.KerasTensor:
    joined = keras.layers.Concatenate()(embeddings) if len(embeddings) > 1 else embeddings[0]
    return keras.layers.Dense(1, "sigmoid", name="fake_probability")(joined)


def _seen(tensor: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.Conv3D(2, 1, name=name)(tensor)


def _pooled(tensor: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.GlobalAveragePooling3D()(tensor)


def test_of_layers_in_a_row_it_is_the_last_map_and_each_stream_has_its_own() -> None:
    frames = keras.Input(CLIP, name="frames")
    one = _seen(_seen(frames, "early"), "late")
    other = _seen(frames, "other")
    found = feature_maps(keras.Model(frames, _end(_pooled(one), _pooled(other))))
    assert {(entry.layer.name, entry.box) for entry in found} == {
        ("late", WHOLE),
        ("other", WHOLE),
    }


def test_what_an_average_over_places_is_taken_of_is_the_map() -> None:
    frames = keras.Input(CLIP, name="frames")
    averaged = keras.layers.AveragePooling3D((1, 4, 4))(_seen(frames, "map"))
    (found,) = feature_maps(keras.Model(frames, _end(_pooled(averaged))))
    assert found.layer.name == "map"


def test_a_stream_that_looks_at_a_part_of_the_face_says_which() -> None:
    frames = keras.Input(CLIP, name="frames")
    mouth = keras.layers.Cropping3D((0, (16, 8), (12, 0)))(frames)
    (found,) = feature_maps(keras.Model(frames, _end(_pooled(_seen(mouth, "mouth")))))
    assert found.box == pytest.approx((16 / 32, 1 - 8 / 32, 12 / 48, 1))


def test_what_is_heard_and_what_is_given_have_no_map() -> None:
    frames, audio = keras.Input(CLIP, name="frames"), keras.Input(AUDIO, name="audio")
    heard = _pooled(_seen(audio, "heard"))
    assert feature_maps(keras.Model([frames, audio], _end(heard, _pooled(frames)))) == []


def test_the_detectors_of_an_ensemble_are_entered_and_their_backbones_are_not() -> None:
    frames = keras.Input(CLIP, name="frames")
    backbone = keras.Model(frames, _seen(frames, "inside"), name="backbone")
    inner = keras.Input(CLIP, name="frames")
    member = keras.Model(inner, _end(_pooled(backbone(inner))), name="member")
    both = keras.Model(frames, _end(member(frames)))
    assert is_entered(member)
    assert not is_entered(backbone)
    (found,) = feature_maps(both)
    assert found.layer.name == "backbone"
