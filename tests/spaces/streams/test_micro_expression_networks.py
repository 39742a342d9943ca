"""At the size of their papers, the micro-expression networks have the shapes of their papers."""

from __future__ import annotations

import keras
import pytest

from spaces.streams.micro_expression_networks import learnet, microexpstcnn, ststnet


def _shape(model: keras.Model, layer: str) -> tuple[int, ...]:
    return tuple(model.get_layer(f"n_{layer}").output.shape[1:])


def test_ststnet_brings_a_set_of_maps_to_400_numbers() -> None:
    x = keras.Input((7, 28, 28, 3))
    model = keras.Model(x, ststnet(x, 1.0, 0.5, 12, name="n"))
    for filters in (3, 5, 8):
        assert _shape(model, f"path{filters}_conv") == (7, 28, 28, filters)
        assert model.get_layer(f"n_path{filters}_conv").kernel.shape[:3] == (1, 3, 3)
        assert model.get_layer(f"n_path{filters}_dropout").rate == 0.5
    assert _shape(model, "paths") == (7, 10, 10, 16)
    assert _shape(model, "flat") == (7, 400)
    assert model.output_shape == (None, 24)


def test_microexpstcnn_looks_over_15_of_96_frames() -> None:
    x = keras.Input((96, 64, 64, 1))
    model = keras.Model(x, microexpstcnn(x, 1.0, 0.5, 128, name="n"))
    assert model.get_layer("n_conv").kernel.shape == (15, 3, 3, 1, 32)
    assert _shape(model, "conv") == (82, 62, 62, 32)
    assert _shape(model, "max") == (27, 20, 20, 32)
    assert model.output_shape == (None, 128)
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.5, 0.5]


@pytest.mark.parametrize(("time", "reach"), [(1, 1), (2, 2), (3, 2), (8, 4), (16, 8), (40, 15)])
def test_microexpstcnn_reaches_over_half_of_a_short_clip(time: int, reach: int) -> None:
    x = keras.Input((time, 16, 16, 1))
    model = keras.Model(x, microexpstcnn(x, 0.25, 0.0, 4, name="n"))
    assert model.get_layer("n_conv").kernel.shape == (reach, 3, 3, 1, 8)


def test_learnet_halves_a_dynamic_image_five_times() -> None:
    x = keras.Input((1, 112, 112, 3))
    model = keras.Model(x, learnet(x, 1.0, 0.5, 256, name="n"))
    assert _shape(model, "stem_conv") == (1, 56, 56, 16)
    for pair in (1, 2):
        for side, pixels, filters in ((1, 28, 16), (3, 14, 32), (5, 7, 64)):
            for kind in ("plain", "taking"):
                layer = f"pair{pair}_conv{side}_{kind}_conv"
                assert model.get_layer(f"n_{layer}").kernel.shape[:3] == (1, side, side)
                assert _shape(model, layer) == (1, pixels, pixels, filters)
        for side in (1, 3):
            level = f"n_pair{pair}_conv{side}"
            taken_in = {tensor.name for tensor in model.get_layer(f"{level}_accretion").input}
            both = (model.get_layer(f"{level}_{kind}_conv") for kind in ("plain", "taking"))
            assert taken_in == {layer.output.name for layer in both}
    assert _shape(model, "paths") == (1, 7, 7, 256)
    assert _shape(model, "last_conv") == (1, 4, 4, 256)
    assert model.output_shape == (None, 256)


@pytest.mark.parametrize("network", [ststnet, microexpstcnn, learnet])
@pytest.mark.parametrize("width", [0.01, 0.25, 2.0])
def test_the_width_multiplies_the_filters_and_keeps_one_at_least(
    network: type, width: float
) -> None:
    x = keras.Input((1, 32, 32, 3))
    model = keras.Model(x, network(x, width, 0.0, 4, name="n"))
    normal = keras.Model(x, network(x, 1.0, 0.0, 4, name="n"))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv3D):
            published = normal.get_layer(layer.name).filters
            assert layer.filters == max(1, round(width * published))
