"""What a trial tried is told in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from artifacts.leaderboard.descriptions import describe
from artifacts.records import Description, GanFigures

NO_GAN = GanFigures()


@pytest.mark.parametrize(
    "chosen", [{"detector/gan": True}, {"detector/gan": True, "detector/gan/frame_stride": 2}]
)
def test_the_gan_stream_is_named_also_where_it_has_nothing_to_choose(
    chosen: dict[str, object],
) -> None:
    plain = {"detector/noise_residual/filters": 8}
    on = describe("architecture", plain | chosen, {}, NO_GAN)
    assert on.what == "noise-residual + gan"
    off = describe("architecture", plain | {"detector/gan": False}, {}, NO_GAN)
    assert off.what == "noise-residual"


def test_a_gan_says_how_sure_its_kid_is_and_what_its_discriminator_detects() -> None:
    chosen = {"kind": "dense", "loss": "hinge", "latent": 64}
    figures = GanFigures(kid_error=0.0123, kid_features="vgg16", discriminator_auc=0.6149)
    assert describe("gan", chosen, {}, figures).what == (
        "dense, hinge, latent 64; KID ± 0.012 of vgg16 features; discriminator alone: val AUC 0.615"
    )


def test_a_training_trial_says_which_architecture_it_trained(
    architecture: dict[str, Any], training: dict[str, Any]
) -> None:
    found = describe("training", training, {"4": architecture}, NO_GAN)
    assert found.what == (
        "spatial small_cnn bilstm + noise-residual (trial 4): adamw 0.0012, batch 16, "
        "7,000 samples, strong augmentation"
    )


def test_what_a_training_looked_at_and_minimised_is_named(training: dict[str, Any]) -> None:
    chosen = {
        **training,
        "augmentation": "none",
        "pseudo_fakes": 0.5,
        "gan_fakes": True,
        "loss": "focal",
        "mixup": 0.2,
        "weight_averaging": True,
    }
    found = describe("training", chosen, {}, NO_GAN)
    assert found.what.endswith(
        "7,000 samples, 50% pseudo-fakes, GAN fakes, focal loss, mixup, averaged weights"
    )


@pytest.mark.parametrize("stage", ["architecture", "gan", "training"])
def test_a_trial_that_has_not_chosen_yet_is_described_by_nothing(
    stage: str,
) -> None:
    assert describe(stage, {}, {}, NO_GAN) == Description()


def test_a_training_has_the_streams_of_the_architecture_it_was_made_from(
    architecture: dict[str, Any], training: dict[str, Any]
) -> None:
    found = describe("training", training, {"4": architecture}, NO_GAN)
    assert found.lineage == "architecture/4"
    assert found.streams == ("spatial", "noise-residual")
    assert found.backbone == "small_cnn bilstm"
    # Its architecture may be of a study that is gone.
    assert describe("training", training, {}, NO_GAN).streams == ()


def test_an_architecture_without_a_spatial_stream_has_no_backbone() -> None:
    alone = {"detector/spatial": False, "detector/noise_residual/filters": 8}
    found = describe("architecture", alone, {}, NO_GAN)
    assert (found.lineage, found.streams, found.backbone) == ("", ("noise-residual",), "")
