"""What a trial tried, in the words of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from artifacts.ensemble_record import STAGE as ENSEMBLE
from artifacts.records import UNTRAINED, TrialRecord
from artifacts.stages import ARCHITECTURE, GAN, TRAINING
from spaces.streams.names import GAN as GAN_STREAM
from spaces.streams.names import RESERVED, STREAMS

Architectures = Mapping[str, Mapping[str, Any]]
"""Hyperparameters of the architecture trials by number."""


def architectures_of(records: Iterable[TrialRecord]) -> Architectures:
    """The architectures among the records."""
    return {
        str(record.trial): record.hyperparameters
        for record in records
        if record.stage == ARCHITECTURE.name
    }


def told(record: TrialRecord, architectures: Architectures) -> TrialRecord:
    """The record with its lineage, streams, backbone and description.

    Args:
        record: of a trial or an ensemble.
        architectures: from :func:`architectures_of`.
    """
    chosen, ground, lineage = record.hyperparameters, record.hyperparameters, ""
    if record.stage == TRAINING.name and chosen:
        number = str(chosen["architecture"])
        ground, lineage = architectures.get(number, {}), f"{ARCHITECTURE}/{number}"
    elif record.stage == ENSEMBLE:
        ground, lineage = {}, ", ".join(chosen)
    return dataclasses.replace(
        record,
        lineage=lineage,
        streams=streams_of(ground),
        backbone=backbone_of(ground),
        what=describe(record, architectures),
    )


def describe(record: TrialRecord, architectures: Architectures) -> str:
    """What a trial tried, in a few words.

    Args:
        record: the trial.
        architectures: from :func:`architectures_of`.
    """
    chosen = record.hyperparameters
    if not chosen:
        return ""
    if record.stage == GAN.name:
        return _gan(record)
    if record.stage == UNTRAINED:
        side = "higher" if chosen["higher_is_fake"] else "lower"
        return f"{chosen['quantity'].replace('_', ' ')} alone: {side} is fake"
    if record.stage == ENSEMBLE:
        return " + ".join(f"{weight:.2f} {name}" for name, weight in chosen.items())
    if record.stage == TRAINING.name:
        ground = architectures.get(chosen["architecture"], {})
        return (
            f"{_streams(ground)} (trial {chosen['architecture']}): {chosen['optimizer']} "
            f"{chosen['learning_rate']:.2g}, batch {chosen['batch_size']}, "
            f"{chosen['epochs']} epochs{_samples_and_loss(chosen)}"
        )
    return _streams(chosen)


def _samples_and_loss(chosen: Mapping[str, Any]) -> str:
    """What a training looked at and minimised, where the search chose it and it is not plain."""
    parts = []
    if chosen.get("augmentation", "none") != "none":
        parts.append(f"{chosen['augmentation']} augmentation")
    if chosen.get("pseudo_fakes"):
        parts.append(f"{chosen['pseudo_fakes']:.0%} pseudo-fakes")
    if chosen.get("gan_fakes"):
        parts.append("GAN fakes")
    if chosen.get("loss", "binary_crossentropy") != "binary_crossentropy":
        parts.append(f"{chosen['loss']} loss")
    if chosen.get("mixup"):
        parts.append("mixup")
    if chosen.get("weight_averaging"):
        parts.append("averaged weights")
    return "".join(f", {part}" for part in parts)


def _gan(record: TrialRecord) -> str:
    """A GAN, how sure its KID is, and what its discriminator is worth as a detector."""
    chosen = record.hyperparameters
    said = f"{chosen['kind']}, {chosen['loss']}, latent {chosen['latent']}"
    if record.kid_error is not None:
        said += f"; KID ± {record.kid_error:.3f} of {record.kid_features} features"
    if record.detector_auc is not None:
        said += f"; discriminator alone: val AUC {record.detector_auc:.3f}"
    return said


def _streams(chosen: Mapping[str, Any]) -> str:
    """Active streams of an architecture, with backbone and temporal model."""
    named = {"spatial": f"spatial {backbone_of(chosen)}".rstrip()}
    return " + ".join(named.get(stream, stream) for stream in streams_of(chosen))


def streams_of(chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the active streams of an architecture: ``spatial``, ``noise-residual``.

    Args:
        chosen: its hyperparameters.
    """
    found = []
    asked = (name.split("/")[1] for name in chosen if name.startswith("detector/"))
    others = dict.fromkeys(name for name in asked if name not in RESERVED)
    for stream in (*STREAMS, *others):
        on = any(name.startswith(f"detector/{stream}/") for name in chosen)
        # Pictures leave the gan stream nothing to choose, nor has one of another package to ask.
        if on or (stream in (GAN_STREAM, *others) and chosen.get(f"detector/{stream}")):
            found.append(stream.replace("_", "-"))
    return tuple(found)


def backbone_of(chosen: Mapping[str, Any]) -> str:
    """Network of the spatial stream and what follows it in time: ``small_cnn bilstm``."""
    if "spatial" not in streams_of(chosen):
        return ""
    network = chosen.get("detector/spatial/backbone", "")
    return f"{network} {chosen.get('detector/temporal/kind', '')}".strip()
