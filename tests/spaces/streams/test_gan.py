"""A kept discriminator as a frozen stream of the detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.models.trust import check_model_file
from search.gan.faces import resize_faces, to_unit
from spaces.gan.choices import KINDS, GanChoices
from spaces.gan.networks import discriminator
from spaces.streams.gan import GanStreamBlock, discriminator_features, load_discriminator, resized

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A discriminator on disk: ``kept("dense")``."""
    folder = tmp_path_factory.mktemp("gan")

    def save(kind: str = "convolutional", side: int = 32) -> Path:
        path = folder / f"{kind}-{side}.keras"
        if not path.exists():
            discriminator(GanChoices(kind=kind, side=side), spectral=False).save(path)
        return path

    return save


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_the_discriminator_on_every_frame(
    kept: Callable[..., Path], clips: Frames, kind: str
) -> None:
    judge = load_discriminator(kept(kind))
    faces = clips[..., :3].astype(np.float32) / 127.5 - 1
    clip = keras.Input((5, 32, 32, 3))
    found = np.asarray(keras.Model(clip, discriminator_features(judge, clip, name="gan"))(faces))
    inside = [layer.output for layer in judge.layers if isinstance(layer, keras.layers.LeakyReLU)]
    levels = keras.Model(judge.input, inside)(faces.reshape(-1, 32, 32, 3))
    means = [np.asarray(x).reshape(len(x), -1, x.shape[-1]).mean(axis=1) for x in levels]
    wanted = np.concatenate(means, axis=1).reshape(2, 5, -1)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [48, 64, 20])
def test_frames_are_scaled_as_faces_for_the_gan_are(size: int) -> None:
    frames = np.random.default_rng(0).uniform(-1, 1, (2, size, size + 4, 3)).astype(np.float32)
    clip = keras.Input((2, size, size + 4, 3))
    found = np.asarray(keras.Model(clip, resized(clip, 32, name="gan"))(frames[None]))[0]
    for frame, mine in zip(frames, found, strict=True):
        wanted = cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(mine, wanted, atol=1e-5)


def test_the_stream_sees_what_the_discriminator_was_trained_on(
    build_block: Callable[..., Any], kept: Callable[..., Path]
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 4)).astype(np.uint8)
    model, _ = build_block(GanStreamBlock(str(kept()), frame_stride=2), frames.shape, dtype="uint8")
    found = keras.Model(model.input, model.get_layer("gan_mean").output)(frames[None])
    judge, faces = load_discriminator(kept()), to_unit(resize_faces(frames[::2], 32))
    inside = [layer.output for layer in judge.layers if isinstance(layer, keras.layers.LeakyReLU)]
    levels = [np.asarray(x) for x in keras.Model(judge.input, inside)(faces)]
    wanted = np.concatenate([x.mean(axis=(0, 1, 2)) for x in levels])
    # Faces for a GAN are rounded to whole grey levels, a stream's are not.
    np.testing.assert_allclose(np.asarray(found)[0], wanted, atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 64, 64, 4), (2, 32, 32, 4), (8, 40, 40, 4)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_stream_gives_one_embedding_and_only_its_norm_trains(
    build_block: Callable[..., Any],
    kept: Callable[..., Path],
    kind: str,
    shape: tuple[int, ...],
) -> None:
    model, hp = build_block(GanStreamBlock(str(kept(kind))), shape, dtype="uint8")
    assert hp.values == ({"gan/frame_stride": 2} if shape[0] > 2 else {})
    width = 192 if kind == "dense" else 32 + 64 + 128
    assert np.asarray(model(np.zeros((1, *shape), np.uint8))).shape == (1, width)
    assert {weight.path.split("/")[0] for weight in model.trainable_weights} == {"gan_norm"}
    assert all(layer.name.startswith("gan_") for layer in model.layers[1:])


def test_a_pinned_stride_is_not_searched_and_the_block_comes_back(
    build_block: Callable[..., Any],
    come_back: Callable[[Any], Any],
    kept: Callable[..., Path],
    clips: Frames,
) -> None:
    block = GanStreamBlock(str(kept()), frame_stride=1)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    again, _ = build_block(come_back(block), SHAPE, dtype="uint8")
    np.testing.assert_array_equal(np.asarray(model(clips)), np.asarray(again(clips)))


def test_an_h5_file_needs_stock_keras_alone_and_no_discriminator(
    build_block: Callable[..., Any], kept: Callable[..., Path], clips: Frames, tmp_path: Path
) -> None:
    model, _ = build_block(GanStreamBlock(str(kept(side=64))), SHAPE, dtype="uint8")
    model.save(tmp_path / "model.h5")
    check_model_file(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    np.testing.assert_array_equal(model.predict(clips), again.predict(clips))


@pytest.mark.usefixtures("mixed_precision")
def test_pixels_are_not_rounded_by_mixed_precision(
    build_block: Callable[..., Any], kept: Callable[..., Path], clips: Frames
) -> None:
    model, _ = build_block(GanStreamBlock(str(kept(side=64))), SHAPE, dtype="uint8")
    for name in ("gan_float", "gan_pixels", "gan_rows", "gan_columns"):
        assert model.get_layer(name).compute_dtype == "float32"
    assert np.isfinite(np.asarray(model(clips), np.float32)).all()


def test_a_missing_or_other_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no discriminator at .*absent.keras .*run the GAN stage"):
        load_discriminator(tmp_path / "absent.keras")
    face = keras.Input((8,))
    keras.Model(face, keras.layers.Dense(1)(face)).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="no discriminator at"):
        load_discriminator(tmp_path / "other.keras")
    face = keras.Input((32, 32, 1))
    flat = keras.layers.Flatten()(face)
    keras.Model(face, keras.layers.Dense(1)(flat)).save(tmp_path / "grey.keras")
    with pytest.raises(ValueError, match="is no discriminator: it takes"):
        load_discriminator(tmp_path / "grey.keras")
