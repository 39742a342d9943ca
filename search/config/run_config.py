"""The configuration of a run: one TOML file. All defaults stand here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
import tomli_w

from data_prep import plugins
from data_prep.errors import UserError
from data_prep.files import LARGEST_TOML, UnreadableFileError
from data_prep.text import read_text
from search.config import addresses
from search.config.faults import describe_faults
from search.config.names import (
    GENERALISATION,
    GRID,
    LEAVING_OUT,
    OBJECTIVES,
    PARETO,
    Objective,
    Pruner,
    Sampler,
)
from search.config.sections import (
    WEIGHTS,
    Architecture,
    Count,
    Gan,
    Limits,
    Positive,
    Section,
    Space,
    Training,
)
from spaces.backbones.names import TEMPORAL_EXTENT
from spaces.streams.names import STREAMS

Preset: TypeAlias = Literal["quick", "standard", "thorough"]
Seed: TypeAlias = Annotated[int, pydantic.Field(ge=0, lt=2**31, strict=True)]

# Settings of location and resources, which may change from start to start.
_APART = {
    *("store", "run_dir", "workers", "features_gb", "storage", "cluster", "device"),
    *("minutes", "patience", "tensorboard"),
    *("limits.trial_minutes", "limits.worker_gb", "limits.silence_seconds"),
}


class RunConfig(Section):
    """Everything a run depends on.

    Attributes:
        store: Prepared store.
        run_dir: Folder of the run.
        preset: Preset that the defaults come from.
        seed: Seed of samplers, weights and shuffling. One worker and one seed repeat a search.
        workers: Number of trials at a time on this machine.
        storage: Database that keeps the studies, such as ``postgresql://USER@HOST/DATABASE``; empty
            for a journal file in the run directory. A password is used but not kept.
        cluster: Address of a Dask scheduler whose workers run the trials, such as ``tcp://HOST:8786``;
            empty for processes of this machine.
        device: Device of the workers: ``cpu``, ``gpu:N``, or ``any`` for all that TensorFlow finds.
        warm_start: Folder of an earlier run, whose best trials come first; empty for none.
        sampler: Name of the Optuna sampler.
        pruner: Name of the Optuna pruner.
        kept_models: Number of best trials of each stage that keep their model file. An ensemble
            needs at least one for each of its members.
        ensemble: Largest number of models that the exported one may average; 0 exports a single
            model. An ensemble is exported if it validates better.
        minutes: Minutes after each start of the run until no further trial starts. Running trials
            end, and the finish follows. 0 for no limit. One architecture trial always completes.
        patience: Number of trials without a better value after which a stage ends; 0 for never.
        tensorboard: Whether trials write TensorBoard event files to ``tensorboard`` in the run.
        precision: Precision of training: ``mixed`` is bfloat16 on a CPU that has it and
            float16 on a GPU. Exported models are float32.
        jit_compile: Whether training steps are compiled with XLA.
        features_gb: Largest size on disk of the computed outputs of frozen parts.
        objective: Value optimised on validation: ``auc`` of its clips, their ``log_loss``,
            ``generalisation``, the mean of the AUC, the AUC of its real clips against pseudo-fakes
            of them and their pair ranking; ``leave-one-method-out``, the worst AUC on a method
            that was left out of training, or ``leave-one-method-out-mean``; or two at once,
            ``auc+latency`` or ``auc+size``. Installed packages may add others.
    """

    store: Path
    run_dir: Path
    preset: Preset = "standard"
    seed: Seed = 0
    workers: Positive = 1
    # A password in it stays out of tracebacks.
    storage: Annotated[str, pydantic.Field(repr=False)] = ""
    cluster: str = ""
    device: str = addresses.ANY_DEVICE
    warm_start: str = ""
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    kept_models: Positive = 3
    ensemble: Count = 0
    minutes: Annotated[float, pydantic.Field(ge=0)] = 0.0
    patience: Count = 0
    tensorboard: bool = False
    precision: Literal["float32", "mixed"] = "float32"
    jit_compile: bool = False
    features_gb: Annotated[float, pydantic.Field(ge=0)] = 20.0
    objective: Objective = GENERALISATION
    space: Space = Space()
    architecture: Architecture = Architecture()
    gan: Gan = Gan()
    training: Training = Training()
    limits: Limits = Limits()

    @pydantic.field_validator("objective")
    @classmethod
    def _is_known(cls, value: str) -> str:
        known = (*OBJECTIVES, *plugins.find_plugins(plugins.OBJECTIVES, OBJECTIVES))
        if value not in known:
            raise ValueError(f"no objective {value}; there are {', '.join(known)}")
        return value

    @pydantic.field_validator("storage")
    @classmethod
    def _is_database(cls, value: str) -> str:
        return addresses.plain(value) if value else ""

    @pydantic.field_validator("warm_start")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return str(Path(value).expanduser().absolute()) if value else ""

    @pydantic.field_validator("cluster")
    @classmethod
    def _is_scheduler(cls, value: str) -> str:
        return addresses.cluster(value) if value else ""

    @pydantic.field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        return addresses.device(value)

    @pydantic.model_validator(mode="after")
    def _grid_is_finite(self) -> RunConfig:
        if self.sampler == GRID and (self.gan.trials or self.training.trials):
            raise ValueError(
                "the grid sampler needs finite choices, and learning rates are any number in a "
                "range: set gan.trials and training.trials to 0 or take another sampler"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _inflation_can_be_trained(self) -> RunConfig:
        if self.space.inflate and 0 < self.training.frames < TEMPORAL_EXTENT:
            raise ValueError(
                f"space.inflate looks at {TEMPORAL_EXTENT} frames at a time, and training.frames "
                f"shows {self.training.frames}: set training.frames to 0, which shows all, or to "
                f"{TEMPORAL_EXTENT} and more"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _objective_can_be_had(self) -> RunConfig:
        if self.objective in LEAVING_OUT and self.training.pseudo_fakes == 1:
            raise ValueError(
                f"{self.objective} leaves methods of fakes out of training, and with "
                "pseudo_fakes = 1 none of them is trained on: lower it or take another objective"
            )
        if self.objective in PARETO and self.patience:
            raise ValueError(
                f"patience counts trials without a better value, and {self.objective} has two: "
                "set patience to 0"
            )
        if self.objective in PARETO and self.sampler == "cmaes":
            raise ValueError(
                f"cmaes optimises one value, and {self.objective} is two: set sampler to tpe or "
                "nsgaii"
            )
        return self

    # The last validator is around all others.
    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _describe_faults(
        cls, settings: Any, check: pydantic.ModelWrapValidatorHandler[RunConfig]
    ) -> RunConfig:
        try:
            return check(settings)
        except pydantic.ValidationError as error:
            raise UserError(f"configuration: {describe_faults(error, cls)}") from None

    @property
    def views(self) -> int:
        """Number of stored views of a sample; 0 where nothing is frozen that could be stored."""
        return 0 if self.space.fine_tune == "always" else self.training.views

    @property
    def kept_trials(self) -> int:
        """Number of best trials of each stage that keep their model file."""
        return max(self.kept_models, self.ensemble)

    @property
    def features_bytes(self) -> int:
        """Largest size on disk of the computed outputs of frozen parts."""
        return int(self.features_gb * 1e9)


PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "quick": {
        "architecture": {"trials": 2, "samples": 2048},
        "gan": {"trials": 0},
        # One trial: the training of the best architecture with more samples.
        "training": {"trials": 1, "max_samples": 12288, "gan_fakes": False, "mixup": False},
    },
    "standard": {},
    "thorough": {
        "space": {
            "streams": list(STREAMS),
            "backbones": ["efficientnet_lite0", "small_resnet", "small_xception"],
            "fine_tune": "search",
        },
        "architecture": {"trials": 100, "samples": 32768},
        "gan": {"trials": 20, "steps": 5000},
        "training": {"trials": 40, "architectures": 5, "max_samples": 131072, "frames": 0},
    },
}


def resolve(settings: Mapping[str, Any]) -> RunConfig:
    """Check settings and complete them from the preset, then from the defaults.

    Raises:
        UserError: An unknown key, a wrong type or a value out of range.
    """
    preset = settings.get("preset", RunConfig.model_fields["preset"].default)
    defaults = PRESETS[preset] if preset in list(PRESETS) else {}
    return RunConfig.model_validate(_merge(defaults, settings))


def load(path: Path, over: Mapping[str, Any] | None = None) -> RunConfig:
    """Read and check a TOML configuration; relative paths in it start at its own folder.

    Args:
        path: Path of the file.
        over: Settings that take precedence.

    Raises:
        UserError: There is no such file, it is not TOML, or it has faults as in :func:`resolve`.
    """
    try:
        settings = tomllib.loads(read_text(path, LARGEST_TOML))
    except FileNotFoundError:
        raise UserError(f"no configuration at {path}") from None
    except UnreadableFileError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a TOML file: {error}") from None
    for key in ("store", "run_dir"):
        if isinstance(settings.get(key), str):
            settings[key] = str(path.parent / settings[key])
    if isinstance(earlier := settings.get("warm_start"), str) and earlier:
        settings["warm_start"] = str(path.parent / Path(earlier).expanduser())
    space = settings.get("space")
    weights = space.get("weights") if isinstance(space, dict) else None
    if isinstance(weights, str) and weights not in WEIGHTS:
        settings["space"]["weights"] = str(path.parent / Path(weights).expanduser())
    return resolve(_merge(settings, over or {}))


def dump(config: RunConfig) -> str:
    """Return the configuration as TOML, as ``config.toml`` of the run directory holds it."""
    settings = config.model_dump(mode="json")
    settings["store"] = str(config.store.resolve())
    settings["run_dir"] = "."
    settings["storage"] = addresses.remove_password(config.storage)
    return tomli_w.dumps(settings)


def decisive(config: RunConfig) -> dict[str, Any]:
    """Return the settings that change a search, by dotted key."""
    settings = _flatten(config.model_dump(mode="json"))
    return {key: value for key, value in settings.items() if key not in _APART}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = _merge(inner, value)
        merged[key] = value
    return merged


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
