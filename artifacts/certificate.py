"""The certificate of a model: its inputs, its origin and its scores."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Literal

import pydantic

from artifacts.ensemble_record import EnsembleRecord, FrozenRecord
from artifacts.metrics.metrics import Calibration, Evaluation
from artifacts.metrics.stored import check_figures
from artifacts.run_directory import RunDirectory, write_text
from data_prep.errors import UserError
from data_prep.files import open_regular, parse_json, read_bytes
from data_prep.preparation.clip import Preparation

# Ten days; a longer video is not trained on.
_LONGEST_SECONDS = 1e6


class ModelFile(FrozenRecord):
    """A model file: its name, size and SHA-256 in hexadecimal."""

    file: str
    bytes: int
    sha256: str

    @classmethod
    def from_path(cls, path: Path) -> ModelFile:
        """Return name, size and hash of a file."""
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(file=path.name, bytes=path.stat().st_size, sha256=digest)


class ModelFiles(FrozenRecord):
    """Both files of the model."""

    h5: ModelFile
    keras: ModelFile


class InputContract(FrozenRecord):
    """Input of the model: uint8 clips (T, H, W, 4)."""

    name: Literal["frames"] = "frames"
    dtype: Literal["uint8"] = "uint8"
    shape: tuple[int, int, int, int]
    channels: tuple[str, ...] = ("red", "green", "blue", "grey")


class ModalityContract(FrozenRecord):
    """Further input of the model, in the format of a store."""

    name: Literal["flow", "audio"]
    dtype: Literal["float16"] = "float16"
    shape: tuple[int, ...]


class OutputContract(FrozenRecord):
    """Output of the model: one probability."""

    name: Literal["fake_probability"] = "fake_probability"
    shape: tuple[int] = (1,)
    activation: Literal["sigmoid"] = "sigmoid"


class Scored(FrozenRecord):
    """Scores of a model on the validation split."""

    auc: float
    log_loss: float


class Origin(FrozenRecord):
    """Trial of the model, and whether its refit replaced it.

    A refit is a different model from the trial that has the rank. The better of both on
    validation is exported, and ``kept`` names it. A failed refit leaves its reason.
    """

    stage: str
    trial: int
    trial_validation: Scored
    refit_validation: Scored | None
    refit_failure: str = ""
    kept: Literal["trial", "refit"]


class Certificate(FrozenRecord):
    """Everything in ``best_model.json``.

    Attributes:
        files: Certified model files.
        input, other_inputs, output: Inputs and output of the model.
        params: Weights of the model.
        threshold: At and above it a video is called fake; frozen.
        threshold_rule: Rule by which the threshold was chosen.
        calibration: Platt scaling, already inside the model's last layer.
        origin: Trial of the model. If an ensemble was exported, ``origin``, ``architecture`` and
            ``training`` describe the best single model.
        ensemble: Ensemble of kept trials with its members; ``None`` if none was asked for.
        architecture: Hyperparameters of the detector.
        training: Training choices.
        validation: Metrics on the split that the threshold was chosen on; optimistic.
        test: Metrics on the test split; ``None`` if the test split lacks a label.
        test_opened: Time when the test split was read, ISO 8601.
        synthetic: Whether the clips are synthetic.
        preparation: Preparation of the store; ``clip`` prepares another video the same way.
        trained_on: Median and greatest length of the training videos in seconds; ``None`` for
            pictures and in older certificates.
        store: Path at that time, and content fingerprint.
        seed: Seed of the run.
        versions: Versions of Python and libraries.
        created: Time, ISO 8601.
    """

    format: Literal[1] = 1
    files: ModelFiles
    input: InputContract
    other_inputs: tuple[ModalityContract, ...] = ()
    output: OutputContract = OutputContract()
    params: int
    threshold: float = pydantic.Field(ge=0, le=1)
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
        """Names of the inputs other than frames."""
        return tuple(contract.name for contract in self.other_inputs)

    @property
    def clip_preparation(self) -> Preparation:
        """Preparation of a video for this model."""
        return Preparation.from_dict(self.preparation["clip"])

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Certificate:
        """Check that the preparation gives clips of the model's shape, and all figures."""
        folded = self.calibration.slope, self.calibration.intercept
        if not all(map(math.isfinite, folded)):
            raise ValueError("the calibration is not finite")
        median, longest = self.trained_on or (1.0, 1.0)
        if not 0 < median <= longest <= _LONGEST_SECONDS:
            raise ValueError("the lengths of the training videos are out of range")
        for scored in filter(None, (self.validation, self.test)):
            check_figures(scored)
        try:
            clip = self.clip_preparation
        except (KeyError, TypeError, UserError) as error:
            raise ValueError(f"preparation: {error}") from None
        if self.input.shape != (clip.frames, clip.size, clip.size, 4):
            raise ValueError(
                "the clip shape of the preparation differs from the input of the model"
            )
        return self

    def is_intact(self, run: RunDirectory) -> bool:
        """Return whether both model files exist unchanged."""
        return all(
            path.is_file() and ModelFile.from_path(path) == certified
            for path, certified in ((run.h5, self.files.h5), (run.keras, self.files.keras))
        )

    def write(self, path: Path) -> None:
        """Write the certificate as JSON, whole or not at all."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, run: RunDirectory) -> Certificate:
        """Return the certificate of a run.

        Raises:
            UserError: The run has none yet, or the file is no certificate of this version.
        """
        path = run.open().certificate
        try:
            return cls.model_validate(parse_json(read_bytes(path)))
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
        except ValueError as error:
            raise UserError(f"{path} is not a certificate of this version ({error})") from None
