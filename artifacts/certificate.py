"""The certificate of a model: what it expects, how it was made, what it scored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import pydantic

from artifacts.ensemble_record import EnsembleRecord
from artifacts.metrics.metrics import Calibration, Evaluation
from artifacts.run_directory import RunDirectory, write_text
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class ModelFile(_Part):
    """A model file: its name, size and SHA-256 in hexadecimal."""

    file: str
    bytes: int
    sha256: str

    @classmethod
    def from_path(cls, path: Path) -> ModelFile:
        """The facts of a file as it is now."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(file=path.name, bytes=path.stat().st_size, sha256=digest)


class ModelFiles(_Part):
    """Both files of the model."""

    h5: ModelFile
    keras: ModelFile


class InputContract(_Part):
    """What the model takes: uint8 clips (T, H, W, 4)."""

    name: Literal["frames"] = "frames"
    dtype: Literal["uint8"] = "uint8"
    shape: tuple[int, int, int, int]
    channels: tuple[str, ...] = ("red", "green", "blue", "grey")


class ModalityContract(_Part):
    """What the model takes beside the frames, as a store holds it."""

    name: Literal["flow", "audio"]
    dtype: Literal["float16"] = "float16"
    shape: tuple[int, ...]


class OutputContract(_Part):
    """What the model gives: one probability."""

    name: Literal["fake_probability"] = "fake_probability"
    shape: tuple[int] = (1,)
    activation: Literal["sigmoid"] = "sigmoid"


class Scored(_Part):
    """A model on the validation split."""

    auc: float
    log_loss: float


class Origin(_Part):
    """The trial the model comes from, and whether its refit took its place.

    A refit is another model than the trial that earned the rank: the better of both on
    validation is exported, and ``kept`` names it. A failed refit leaves its reason.
    """

    stage: str
    trial: int
    trial_validation: Scored
    refit_validation: Scored | None
    refit_failure: str = ""
    kept: Literal["trial", "refit"]


class Certificate(_Part):
    """Everything in ``best_model.json``.

    Attributes:
        files: the model files it vouches for.
        input, other_inputs, output: the contract.
        params: weights of the model.
        threshold: at and above it a video is called fake; frozen.
        threshold_rule: how it was chosen.
        calibration: Platt scaling, already inside the model's last layer.
        origin: the trial it comes from. Where an ensemble was exported this, ``architecture`` and
            ``training`` are of the single model that it validated better than.
        ensemble: of kept trials, with every member; ``None`` where none was asked for.
        architecture: hyperparameters of the detector.
        training: how it was trained.
        validation: metrics the threshold was chosen on; optimistic.
        test: metrics on the test split; ``None`` where the store has none with both labels.
        test_opened: when the test split was read, ISO 8601.
        synthetic: whether the clips were drawn by a program.
        preparation: how the store was made; ``clip`` prepares another video the same way.
        trained_on: median and greatest length of the training videos in seconds; ``None`` where
            the certificate is older than this, or they were pictures.
        store: path at the time and content fingerprint.
        seed: of the run.
        versions: of Python and libraries.
        created: ISO 8601.
    """

    format: Literal[1] = 1
    files: ModelFiles
    input: InputContract
    other_inputs: tuple[ModalityContract, ...] = ()
    output: OutputContract = OutputContract()
    params: int
    threshold: float
    threshold_rule: str = "best balanced accuracy on validation"
    calibration: Calibration
    origin: Origin
    ensemble: EnsembleRecord | None = None
    architecture: dict[str, Any]
    training: dict[str, Any]
    validation: Evaluation
    test: Evaluation | None
    test_opened: str | None
    synthetic: bool
    preparation: dict[str, Any]
    trained_on: tuple[float, float] | None = None
    store: dict[str, str]
    seed: int
    versions: dict[str, str]
    created: str

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of what the model takes beside the frames."""
        return tuple(contract.name for contract in self.other_inputs)

    @property
    def clip_preparation(self) -> Preparation:
        """How a video becomes a clip this model takes."""
        return Preparation.from_dict(self.preparation["clip"])

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Certificate:
        """The preparation must give clips of the model's shape."""
        try:
            clip = self.clip_preparation
        except (KeyError, TypeError, UserError) as error:
            raise ValueError(f"preparation: {error}") from None
        if self.input.shape != (clip.frames, clip.size, clip.size, 4):
            raise ValueError("the preparation gives clips of another shape than the model takes")
        return self

    def is_intact(self, run: RunDirectory) -> bool:
        """Whether both model files are there as they were certified."""
        return all(
            path.is_file() and ModelFile.from_path(path) == certified
            for path, certified in ((run.h5, self.files.h5), (run.keras, self.files.keras))
        )

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, run: RunDirectory) -> Certificate:
        """The certificate of a run.

        Raises:
            UserError: the run has none yet, or the file is no certificate of this version.
        """
        path = run.open().certificate
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise UserError(f"{path} is missing; has the run finished?") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        except pydantic.ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"])) or "content"
            raise UserError(
                f"{path} is not a certificate of this version ({where}: {fault['msg'].lower()})"
            ) from None
