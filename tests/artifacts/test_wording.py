"""What a trial tried is told in plain words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from artifacts.records import TrialRecord
from artifacts.wording import describe, told

ARCHITECTURE = {
    "detector/spatial": True,
    "detector/spatial/backbone": "small_cnn",
    "detector/temporal/kind": "bilstm",
    "detector/noise_residual": True,
    "detector/noise_residual/filters": 8,
    "detector/micro_expression": False,
}
TRAINING = {
    "architecture": "4",
    "optimizer": "adamw",
    "learning_rate": 0.0012345,
    "batch_size": 16,
    "epochs": 7,
    "augmentation": "strong",
}


def _record(stage: str, hyperparameters: dict[str, Any]) -> TrialRecord:
    return TrialRecord(
        rank=None,
        stage=stage,
        trial=0,
        state="complete",
        val_auc=0.8,
        val_log_loss=0.3,
        kid=None,
        params=12345,
        seconds=6.4,
        reason="",
        hyperparameters=hyperparameters,
    )


@pytest.mark.parametrize(
    "chosen", [{"detector/gan": True}, {"detector/gan": True, "detector/gan/frame_stride": 2}]
)
def test_the_gan_stream_is_named_also_where_it_has_nothing_to_choose(
    chosen: dict[str, object],
) -> None:
    plain = {"detector/noise_residual/filters": 8}
    record = _record("architecture", plain | chosen)
    assert describe(record, {}) == "noise-residual + gan"
    off = _record("architecture", plain | {"detector/gan": False})
    assert describe(off, {}) == "noise-residual"


def test_a_gan_says_how_sure_its_kid_is_and_what_its_discriminator_detects() -> None:
    chosen = {"kind": "dense", "loss": "hinge", "latent": 64}
    record = dataclasses.replace(
        _record("gan", chosen), kid_error=0.0123, kid_features="vgg16", detector_auc=0.6149
    )
    assert describe(record, {}) == (
        "dense, hinge, latent 64; KID ± 0.012 of vgg16 features; discriminator alone: val AUC 0.615"
    )


def test_a_training_trial_says_which_architecture_it_trained() -> None:
    found = describe(_record("training", TRAINING), {"4": ARCHITECTURE})
    assert found == (
        "spatial small_cnn bilstm + noise-residual (trial 4): adamw 0.0012, batch 16, 7 epochs, "
        "strong augmentation"
    )


def test_what_a_training_looked_at_and_minimised_is_named() -> None:
    chosen = {
        **TRAINING,
        "augmentation": "none",
        "pseudo_fakes": 0.5,
        "gan_fakes": True,
        "loss": "focal",
        "mixup": 0.2,
        "weight_averaging": True,
    }
    found = describe(_record("training", chosen), {})
    assert found.endswith(
        "7 epochs, 50% pseudo-fakes, GAN fakes, focal loss, mixup, averaged weights"
    )


@pytest.mark.parametrize("stage", ["architecture", "gan", "training"])
def test_a_trial_that_has_not_chosen_yet_is_described_by_nothing(stage: str) -> None:
    assert describe(_record(stage, {}), {}) == ""


def test_a_training_has_the_streams_of_the_architecture_it_was_made_from() -> None:
    found = told(_record("training", TRAINING), {"4": ARCHITECTURE})
    assert found.lineage == "architecture/4"
    assert found.streams == ("spatial", "noise-residual")
    assert found.backbone == "small_cnn bilstm"
    # Its architecture may be of a study that is gone.
    assert told(_record("training", TRAINING), {}).streams == ()


def test_an_architecture_without_a_spatial_stream_has_no_backbone() -> None:
    alone = {"detector/spatial": False, "detector/noise_residual/filters": 8}
    found = told(_record("architecture", alone), {})
    assert (found.lineage, found.streams, found.backbone) == ("", ("noise-residual",), "")


def test_an_ensemble_is_made_from_its_members() -> None:
    found = told(_record("ensemble", {"architecture/3": 0.6, "training/1": 0.4}), {})
    assert found.lineage == "architecture/3, training/1"
    assert found.what == "0.60 architecture/3 + 0.40 training/1"


def test_a_quantity_says_which_way_round_it_is() -> None:
    chosen = {"quantity": "crop_size", "higher_is_fake": False}
    assert describe(_record("untrained", chosen), {}) == "crop size alone: lower is fake"
