"""Descriptions of trials in the words of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from artifacts.records import Description, GanFigures
from artifacts.stages import ARCHITECTURE, GAN, TRAINING
from spaces.streams.names import GAN as GAN_STREAM
from spaces.streams.names import RESERVED, STREAMS

Architectures = Mapping[str, Mapping[str, Any]]
"""Hyperparameters of the architecture trials by number."""


def describe(
    stage: str, chosen: Mapping[str, Any], architectures: Architectures, gan: GanFigures
) -> Description:
    """Return a trial in words.

    Args:
        stage: Stage of the trial.
        chosen: Its hyperparameters; none for a trial that has not begun.
        architectures: Architectures that training trials may have trained.
        gan: Scores of a GAN trial.
    """
    if stage == GAN.name:
        return Description(_gan(chosen, gan) if chosen else "")
    if stage != TRAINING.name or not chosen:
        streams = active_streams(chosen)
        return Description(_stream_text(chosen), "", streams, backbone_text(chosen))
    number = str(chosen["architecture"])
    ground = architectures.get(number, {})
    what = (
        f"{_stream_text(ground)} (trial {number}): {chosen['optimizer']} "
        f"{chosen['learning_rate']:.2g}, batch {chosen['batch_size']}, "
        f"{chosen['samples']:,} samples{_kinds_and_loss(chosen)}"
    )
    lineage = f"{ARCHITECTURE}/{number}"
    return Description(what, lineage, active_streams(ground), backbone_text(ground))


def _kinds_and_loss(chosen: Mapping[str, Any]) -> str:
    """Return the samples and the loss of a training trial where they are not the default."""
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


def _gan(chosen: Mapping[str, Any], gan: GanFigures) -> str:
    """Return the choices of a GAN, the error of its KID and the AUC of its discriminator."""
    text = f"{chosen['kind']}, {chosen['loss']}, latent {chosen['latent']}"
    if gan.kid_error is not None:
        text += f"; KID ± {gan.kid_error:.3f} of {gan.kid_features} features"
    if gan.discriminator_auc is not None:
        text += f"; discriminator alone: val AUC {gan.discriminator_auc:.3f}"
    return text


def _stream_text(chosen: Mapping[str, Any]) -> str:
    """Return the active streams of an architecture, with backbone and temporal model."""
    named = {"spatial": f"spatial {backbone_text(chosen)}".rstrip()}
    return " + ".join(named.get(stream, stream) for stream in active_streams(chosen))


def active_streams(chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the active streams: ``spatial``, ``noise-residual``.

    Args:
        chosen: Hyperparameters of an architecture.
    """
    found = []
    asked = (name.split("/")[1] for name in chosen if name.startswith("detector/"))
    others = dict.fromkeys(name for name in asked if name not in RESERVED)
    for stream in (*STREAMS, *others):
        on = any(name.startswith(f"detector/{stream}/") for name in chosen)
        # On pictures the gan stream has no choices; a stream of another package may have none.
        if on or (stream in (GAN_STREAM, *others) and chosen.get(f"detector/{stream}")):
            found.append(stream.replace("_", "-"))
    return tuple(found)


def backbone_text(chosen: Mapping[str, Any]) -> str:
    """Return the backbone of the spatial stream and its temporal model: ``small_cnn bilstm``."""
    if "spatial" not in active_streams(chosen):
        return ""
    network = chosen.get("detector/spatial/backbone", "")
    return f"{network} {chosen.get('detector/temporal/kind', '')}".strip()
