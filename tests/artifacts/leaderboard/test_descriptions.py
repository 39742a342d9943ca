"""What a trial tried is told in plain words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from artifacts.leaderboard.descriptions import describe, told
from artifacts.records import TrialRecord

MakeRecord = Callable[..., TrialRecord]


@pytest.mark.parametrize(
    "chosen", [{"detector/gan": True}, {"detector/gan": True, "detector/gan/frame_stride": 2}]
)
def test_the_gan_stream_is_named_also_where_it_has_nothing_to_choose(
    make_record: MakeRecord, chosen: dict[str, object]
) -> None:
    plain = {"detector/noise_residual/filters": 8}
    record = make_record(stage="architecture", hyperparameters=plain | chosen)
    assert describe(record, {}) == "noise-residual + gan"
    off = make_record(stage="architecture", hyperparameters=plain | {"detector/gan": False})
    assert describe(off, {}) == "noise-residual"


def test_a_gan_says_how_sure_its_kid_is_and_what_its_discriminator_detects(
    make_record: MakeRecord,
) -> None:
    chosen = {"kind": "dense", "loss": "hinge", "latent": 64}
    record = dataclasses.replace(
        make_record(stage="gan", hyperparameters=chosen),
        kid_error=0.0123,
        kid_features="vgg16",
        detector_auc=0.6149,
    )
    assert describe(record, {}) == (
        "dense, hinge, latent 64; KID ± 0.012 of vgg16 features; discriminator alone: val AUC 0.615"
    )


def test_a_training_trial_says_which_architecture_it_trained(
    make_record: MakeRecord, architecture: dict[str, Any], training: dict[str, Any]
) -> None:
    found = describe(make_record(stage="training", hyperparameters=training), {"4": architecture})
    assert found == (
        "spatial small_cnn bilstm + noise-residual (trial 4): adamw 0.0012, batch 16, 7 epochs, "
        "strong augmentation"
    )


def test_what_a_training_looked_at_and_minimised_is_named(
    make_record: MakeRecord, training: dict[str, Any]
) -> None:
    chosen = {
        **training,
        "augmentation": "none",
        "pseudo_fakes": 0.5,
        "gan_fakes": True,
        "loss": "focal",
        "mixup": 0.2,
        "weight_averaging": True,
    }
    found = describe(make_record(stage="training", hyperparameters=chosen), {})
    assert found.endswith(
        "7 epochs, 50% pseudo-fakes, GAN fakes, focal loss, mixup, averaged weights"
    )


@pytest.mark.parametrize("stage", ["architecture", "gan", "training"])
def test_a_trial_that_has_not_chosen_yet_is_described_by_nothing(
    make_record: MakeRecord, stage: str
) -> None:
    assert describe(make_record(stage=stage, hyperparameters={}), {}) == ""


def test_a_training_has_the_streams_of_the_architecture_it_was_made_from(
    make_record: MakeRecord, architecture: dict[str, Any], training: dict[str, Any]
) -> None:
    found = told(make_record(stage="training", hyperparameters=training), {"4": architecture})
    assert found.lineage == "architecture/4"
    assert found.streams == ("spatial", "noise-residual")
    assert found.backbone == "small_cnn bilstm"
    # Its architecture may be of a study that is gone.
    assert told(make_record(stage="training", hyperparameters=training), {}).streams == ()


def test_an_architecture_without_a_spatial_stream_has_no_backbone(make_record: MakeRecord) -> None:
    alone = {"detector/spatial": False, "detector/noise_residual/filters": 8}
    found = told(make_record(stage="architecture", hyperparameters=alone), {})
    assert (found.lineage, found.streams, found.backbone) == ("", ("noise-residual",), "")


def test_an_ensemble_is_made_from_its_members(make_record: MakeRecord) -> None:
    found = told(
        make_record(stage="ensemble", hyperparameters={"architecture/3": 0.6, "training/1": 0.4}),
        {},
    )
    assert found.lineage == "architecture/3, training/1"
    assert found.what == "0.60 architecture/3 + 0.40 training/1"


def test_a_quantity_says_which_way_round_it_is(make_record: MakeRecord) -> None:
    chosen = {"quantity": "crop_size", "higher_is_fake": False}
    assert (
        describe(make_record(stage="untrained", hyperparameters=chosen), {})
        == "crop size alone: lower is fake"
    )
