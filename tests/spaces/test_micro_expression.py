"""The micro-expression stream sees motion and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from spaces.micro_expression import MicroExpressionBlock, motion

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)


def test_the_defaults_give_one_embedding(build_block: Callable[..., Any], clips: Frames) -> None:
    model, hp = build_block(MicroExpressionBlock(), SHAPE, dtype="uint8")
    assert set(hp.values) == {f"micro_expression/{name}" for name in ("width", "dropout", "units")}
    assert np.asarray(model(clips)).shape == (2, 2 * hp.values["micro_expression/units"])


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    block = MicroExpressionBlock(width=1, dropout=0.0, units=8)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    assert model.output_shape == (None, 16)
    assert model.get_layer("micro_expression_path3_dropout").rate == 0


def test_all_faces_that_do_not_move_look_the_same(
    build_block: Callable[..., Any], clips: Frames
) -> None:
    model, _ = build_block(MicroExpressionBlock(), SHAPE, dtype="uint8")
    still = np.repeat(clips[:, :1], 5, axis=1)
    one, other = np.asarray(model(still))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert np.abs(np.asarray(model(clips)) - one).max() > 1e-3


def test_colour_is_not_looked_at(build_block: Callable[..., Any], clips: Frames) -> None:
    model, _ = build_block(MicroExpressionBlock(), SHAPE, dtype="uint8")
    recoloured = clips.copy()
    recoloured[..., :3] = 255 - recoloured[..., :3]
    np.testing.assert_array_equal(np.asarray(model(recoloured)), np.asarray(model(clips)))


@pytest.mark.parametrize(("side", "seen"), [(16, 14), (32, 30), (64, 30), (128, 30)])
def test_motion_is_seen_at_about_28_pixels(side: int, seen: int) -> None:
    frames = keras.Input((3, side, side, 4), dtype="uint8")
    assert motion(frames, name="m").shape == (None, 2, seen, seen, 3)


def test_a_single_frame_has_no_motion_and_is_refused(build_block: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"needs 2 frames a clip. Received: 1"):
        build_block(MicroExpressionBlock(), (1, 32, 32, 4), dtype="uint8")


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = MicroExpressionBlock(width=1, dropout=0.0, units=8, name="motion")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert build_block(again, SHAPE, dtype="uint8")[0].output_shape == (None, 16)
