"""The GAN space: which pair of networks is trained on faces, and how.

Free of TensorFlow, so that a configuration can be checked without it; the networks are in
:mod:`spaces.gan.networks`.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal, TypeAlias

FaceSide: TypeAlias = Literal[32, 64]
FACE_SIDE: FaceSide = 32
SIDES: tuple[FaceSide, ...] = typing.get_args(FaceSide)

Features: TypeAlias = Literal["random", "vgg16"]
FEATURES: tuple[Features, ...] = typing.get_args(Features)

KINDS = ("dense", "convolutional")
LOSSES = ("non_saturating", "hinge", "wasserstein")


@dataclasses.dataclass(frozen=True)
class GanChoices:
    """One GAN and how it is trained; the defaults are the dense pair of the original recipe.

    Attributes:
        kind: one of :data:`KINDS`.
        latent: size of the generator's input.
        width: multiplies the layer widths of either pair.
        loss: one of :data:`LOSSES`.
        generator_rate, discriminator_rate: learning rates of Adam, apart from each other (Heusel
            et al., GANs Trained by a Two Time-Scale Update Rule, 2017).
        batch_size: number of faces.
        augmented: change real and generated faces in the same way before the discriminator sees
            them; see :func:`spaces.gan.augmentation.augment_faces`.
        pixel_norm: normalise pixels in the convolutional generator, see
            :func:`spaces.gan.networks.generator`.
        critic_steps: updates of the discriminator for one of the generator; more than 1 only with
            the Wasserstein loss.
        side: side of the faces in pixels, one of :data:`SIDES`; not searched, since distances
            between sets of faces of two sizes do not compare.
    """

    kind: str = "dense"
    latent: int = 64
    width: int = 1
    loss: str = "non_saturating"
    generator_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    batch_size: int = 32
    augmented: bool = False
    pixel_norm: bool = False
    critic_steps: int = 1
    side: int = FACE_SIDE

    @property
    def spectral(self) -> bool:
        """Whether the discriminator's kernels are held at a spectral norm of 1.

        The gradient penalty of the Wasserstein loss does the same work, and takes its place.
        """
        return self.kind == "convolutional" and self.loss != "wasserstein"


def gan_space(hp: Any, side: int = FACE_SIDE) -> GanChoices:
    """Ask for one GAN; the defaults of the space are those of the recipe.

    Pixel norm is asked for one kind only, and critic steps for one loss only; they are 5 in
    Gulrajani et al., Improved Training of Wasserstein GANs, 2017.

    Args:
        hp: hyperparameters.
        side: side of the faces, one of :data:`SIDES`.
    """
    recipe = GanChoices()
    rates = {"min_value": 5e-5, "max_value": 2e-3, "sampling": "log"}
    choices = GanChoices(
        kind=hp.Choice("kind", list(KINDS), default=recipe.kind),
        latent=hp.Choice("latent", [16, 32, 64, 128], default=recipe.latent),
        width=hp.Choice("width", [1, 2, 4], default=recipe.width),
        loss=hp.Choice("loss", list(LOSSES), default=recipe.loss),
        generator_rate=hp.Float("generator_rate", default=recipe.generator_rate, **rates),
        discriminator_rate=hp.Float(
            "discriminator_rate", default=recipe.discriminator_rate, **rates
        ),
        batch_size=hp.Choice("batch_size", [16, 32, 64], default=recipe.batch_size),
        augmented=hp.Boolean("augmented", default=recipe.augmented),
        side=side,
    )
    if choices.kind == "convolutional":
        with hp.conditional_scope("kind", ["convolutional"]):
            pixel_norm = hp.Boolean("pixel_norm", default=True)
        choices = dataclasses.replace(choices, pixel_norm=pixel_norm)
    if choices.loss == "wasserstein":
        with hp.conditional_scope("loss", ["wasserstein"]):
            critic_steps = hp.Int("critic_steps", 1, 5, default=5)
        choices = dataclasses.replace(choices, critic_steps=critic_steps)
    return choices
