"""The sections of the configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import pydantic

from data_prep import plugins
from data_prep.text import suggest
from spaces.backbones.names import BACKBONES, HED, IMAGENET, NO_WEIGHTS, PRETRAINED
from spaces.gan.choices import FACE_SIDE, FaceSide, Features
from spaces.streams.names import GAN, RESERVED, STREAMS
from spaces.training.names import MIXUP, PAIRWISE, Augmentation, Loss, Schedule

Count: TypeAlias = Annotated[int, pydantic.Field(ge=0, strict=True)]
Positive: TypeAlias = Annotated[int, pydantic.Field(ge=1, strict=True)]
CropSize: TypeAlias = Annotated[int, pydantic.Field(ge=16, le=1024, strict=True)]
Rate: TypeAlias = Annotated[float, pydantic.Field(gt=0, lt=1, strict=True)]
Share: TypeAlias = Annotated[float, pydantic.Field(ge=0, le=1, strict=True)]
Search: TypeAlias = Literal["search"]

SEARCH = "search"
# Training of the architecture stage for choices that only the training stage searches.
FIRST: Mapping[str, Any] = {
    "pseudo_fakes": 0.5,
    "augmentation": "strong",
    "loss": PAIRWISE,
    "weight_averaging": True,
}

WEIGHTS = (IMAGENET, HED, NO_WEIGHTS)


class Section(pydantic.BaseModel):
    """Frozen settings without unknown keys."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Space(Section):
    """Search space of the architecture search.

    Attributes:
        streams: searched streams, also those of other installed packages. A stream whose input the
            clips lack is left out. With ``gan`` among them the GAN stage comes first.
        backbones: networks of the spatial stream.
        weights: weights of pretrained networks: ``imagenet``, ``hed`` (VGG16 only), ``none``, a
            weights file, or a folder with ``<backbone>.weights.h5``.
        fine_tune: training of pretrained backbones: ``never``, a number of their last resolution
            levels, ``always`` for the whole, or ``search``. Frozen parts are computed once.
        inflate: number of last resolution levels of a pretrained backbone that use three frames at
            a time, or ``search``.
        crop_sizes: sides in pixels of the crop that the networks use; several are searched. Stored
            crops that are smaller are used as they are.
        crop_margin: side of that crop in sides of the face box. It is larger where the crop would
            have fewer pixels than asked, and at most that of the stored crop.
    """

    streams: tuple[str, ...] = tuple(stream for stream in STREAMS if stream != GAN)
    backbones: tuple[str, ...] = ("efficientnet_lite0",)
    weights: str = IMAGENET
    fine_tune: Positive | Literal["never", "search", "always"] = "always"
    inflate: Count | Literal["search"] = 0
    crop_sizes: tuple[CropSize, ...] = (128,)
    crop_margin: Annotated[float, pydantic.Field(ge=1, le=4)] = 1.3

    @pydantic.field_validator("weights")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return value if value in WEIGHTS else str(Path(value).expanduser().absolute())

    @pydantic.field_validator("streams", "backbones", "crop_sizes")
    @classmethod
    def _not_empty(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("needs at least one entry, each once")
        return value

    @pydantic.field_validator("streams")
    @classmethod
    def _are_streams(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = (*STREAMS, *plugins.find_plugins(plugins.STREAMS, RESERVED))
        unknown = [name for name in value if name not in known]
        if unknown:
            raise ValueError(f"no stream {', '.join(unknown)}; there are {', '.join(known)}")
        return value

    @pydantic.field_validator("backbones")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in BACKBONES]
        if unknown:
            near = suggest(unknown[0], BACKBONES)
            raise ValueError(f"no backbone {', '.join(unknown)}{near}; docs/space.md lists all")
        return value

    @pydantic.model_validator(mode="after")
    def _weights_have_a_network(self) -> Space:
        pretrained = [name for name in self.backbones if name in PRETRAINED]
        if self.weights == HED and pretrained != ["vgg16"]:
            raise ValueError(
                "hed weights are of vgg16 alone: set backbones to vgg16, with small networks "
                "beside it or not"
            )
        return self


class Architecture(Section):
    """The architecture stage: trials on the detector space with fixed training.

    Attributes:
        trials: number of trials.
        samples: most samples that a trial shows.
        batch_size: samples.
        learning_rate: learning rate of Adam.
        schedule: schedule of the learning rate, ``constant`` or ``cosine``, over all samples.
    """

    trials: Positive = 6
    samples: Positive = 8192
    batch_size: Positive = 32
    learning_rate: Rate = 3e-4
    schedule: Schedule = "cosine"


class Gan(Section):
    """The GAN stage on real faces of the training split.

    Attributes:
        trials: number of trials; 0 leaves the stage out.
        steps: steps of the discriminator in each trial.
        side: side of the faces in pixels: 32, or 64 at about four times the time.
        features: network whose features compare generated and real faces: ``random``, or ``vgg16``
            with ``hed`` weights.
    """

    trials: Count = 2
    steps: Annotated[int, pydantic.Field(ge=5, strict=True)] = 1000
    side: FaceSide = FACE_SIDE
    features: Features = "random"


class SampleChoices(Section):
    """Choices of samples and loss. Values that are not searched hold for both detector stages.

    They are keys of the section ``training``.

    Attributes:
        epoch_samples: Number of samples of an epoch: after each, the detector is validated, and may
            be pruned. They are drawn anew each time, whatever the size of the store.
        views: Number of changed copies of each clip that frozen parts are computed for. 0 changes
            clips anew every time, at the cost of the whole model. With ``fine_tune = "always"``
            nothing is frozen, and clips are always changed anew.
        pseudo_fakes: Share of pseudo-fakes among the training fakes, from 0 to 1, or ``search``.
        augmentation: Augmentation of clips: ``none``, ``light``, ``strong``, ``jittered`` or
            ``search``.
        gan_fakes: Whether fakes with faces of the best GAN trial are a method beside those of the
            store, or ``search``. The architecture stage has none, and so has a run without a GAN.
        loss: ``binary_crossentropy``, ``focal``, ``pairwise`` or ``search``.
        mixup: Whether samples of a batch are blended, or ``search``.
        weight_averaging: Whether a moving average of the weights is kept, or ``search``.
    """

    epoch_samples: Positive = 2048
    views: Count = 8
    pseudo_fakes: Share | Search = 0.5
    augmentation: Augmentation | Search = "strong"
    gan_fakes: pydantic.StrictBool | Search = "search"
    loss: Loss | Search = "search"
    mixup: pydantic.StrictBool | Search = "search"
    weight_averaging: pydantic.StrictBool | Search = "search"

    @pydantic.model_validator(mode="after")
    def _agrees_with_itself(self) -> SampleChoices:
        if self.mixup is True and self.loss == PAIRWISE:
            raise ValueError(
                "the pairwise loss needs pairs, and mixup blends them: set one of both"
            )
        if self.gan_fakes is True and self.pseudo_fakes == 1:
            raise ValueError(
                "with pseudo_fakes = 1 there are no other fakes: lower it or leave gan_fakes out"
            )
        return self

    @property
    def pinned(self) -> dict[str, Any]:
        """Choices of the training space that are not searched."""
        settings = {
            "pseudo_fakes": self.pseudo_fakes,
            "augmentation": self.augmentation,
            "gan_fakes": self.gan_fakes,
            "loss": self.loss,
            "mixup": MIXUP if self.mixup is True else 0.0 if self.mixup is False else self.mixup,
            "weight_averaging": self.weight_averaging,
        }
        return {name: value for name, value in settings.items() if value != SEARCH}

    @property
    def first(self) -> dict[str, Any]:
        """Choices of the architecture stage: pinned values, then good defaults."""
        # A blend of two clips has no pair.
        without = {"loss"} if self.mixup is True else set()
        good = {name: value for name, value in FIRST.items() if name not in without}
        return good | self.pinned | {"gan_fakes": False}


class Training(SampleChoices):
    """The training stage: the best architectures under other training hyperparameters.

    Attributes:
        trials: Number of trials; 0 skips the stage.
        architectures: Number of best architectures to choose from.
        max_samples: Most samples that a trial shows; a quarter and a half of it are searched, too.
        frames: Number of consecutive frames of a clip in a sample, drawn anew for each view; 0 for
            all. 1 trains on pictures: several times as fast, without the streams and temporal
            stages that need more.
    """

    trials: Count = 4
    architectures: Positive = 2
    max_samples: Positive = 16384
    frames: Count = 1


class Limits(Section):
    """Limits of a trial and its worker.

    Attributes:
        trial_minutes: minutes after which a trial counts as hanging and fails; 0 for no limit.
        worker_gb: memory that a worker may hold after a trial; above it, it is replaced. 0 for no
            limit.
        silence_seconds: seconds without a heartbeat after which a worker on another host counts as
            dead.
        params: most weights of a detector.
        file_mb: largest size of its file.
        memory_gb: most estimated memory of a trial during training.
        latency_ms: most time to judge one clip on this machine.

    Each of the last four is 0 for no limit. A detector beyond one of the first three is not
    trained; beyond the last, it is not kept. The sampler receives the excess.
    """

    trial_minutes: Annotated[float, pydantic.Field(ge=0)] = 0.0
    worker_gb: Annotated[float, pydantic.Field(ge=0)] = 0.0
    silence_seconds: Annotated[float, pydantic.Field(ge=1)] = 60.0
    params: Count = 0
    file_mb: Annotated[float, pydantic.Field(ge=0)] = 0.0
    memory_gb: Annotated[float, pydantic.Field(ge=0)] = 0.0
    latency_ms: Annotated[float, pydantic.Field(ge=0)] = 0.0
