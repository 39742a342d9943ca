"""Ensemble of a run: its members, its scores and whether it was exported."""

from __future__ import annotations

from typing import Any

import pydantic

from artifacts.records import (
    Description,
    ModelCost,
    TrainingEffort,
    TrialRecord,
    ValidationFigures,
)
from artifacts.run_directory import RunDirectory, write_text
from data_prep.errors import UserError
from data_prep.files import parse_json, read_bytes

STAGE = "ensemble"


class FrozenRecord(pydantic.BaseModel):
    """Base of the parts of a JSON file: frozen, without unknown fields."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Member(FrozenRecord):
    """One model of an ensemble.

    Attributes:
        stage, trial: The trial that trained it.
        weight: Weight in the mean of probabilities; the weights of an ensemble add up to 1.
        objective: Score of the member alone on the same validation samples.
        hyperparameters: Hyperparameters of the trial.
    """

    stage: str
    trial: int
    weight: float
    objective: float
    hyperparameters: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the trial and of its folder: ``architecture/3``."""
        return f"{self.stage}/{self.trial}"


class EnsembleRecord(FrozenRecord):
    """An ensemble of kept trials, in ``ensemble.json`` and in the certificate.

    Attributes:
        members: Heaviest first; one if no mean of several was better, none if it failed.
        objective: Score of the mean of probabilities on validation, before calibration.
        validation: Figures that the objective uses, by the names of leaderboard columns.
        params: Weights of the merged model.
        seconds: Time to score the candidates and select.
        exported: Whether it became the model of the run.
        reason: Why it was exported, or why not.
    """

    members: tuple[Member, ...] = ()
    objective: float | None = None
    validation: dict[str, float] = {}
    params: int | None = None
    seconds: float
    exported: bool = False
    reason: str

    def trial_record(self) -> TrialRecord:
        """Return the record of the ensemble; its hyperparameters are the weights of members."""
        found = self.validation
        weights = {member.name: member.weight for member in self.members}
        return TrialRecord(
            stage=STAGE,
            trial=0,
            state="complete" if self.members else "failed",
            reason=self.reason,
            hyperparameters=weights,
            validation=ValidationFigures(
                objective=self.objective,
                auc=found.get("val_auc"),
                log_loss=found.get("val_log_loss"),
                pseudo_auc=found.get("val_pseudo_auc"),
                pair_ranking=found.get("val_pair_ranking"),
            ),
            cost=ModelCost(params=self.params),
            effort=TrainingEffort(seconds=self.seconds),
            description=Description(
                what=" + ".join(f"{weight:.2f} {name}" for name, weight in weights.items()),
                lineage=", ".join(weights),
            ),
        )

    def write(self, run: RunDirectory) -> None:
        """Write ``ensemble.json``, whole or not at all."""
        write_text(run.ensemble, self.model_dump_json(indent=2) + "\n")


def read_ensembles(run: RunDirectory) -> list[TrialRecord]:
    """Return the record of a run's ensemble; an empty list if the run has none yet.

    Raises:
        UserError: ``ensemble.json`` is damaged.
    """
    try:
        text = read_bytes(run.ensemble)
        return [EnsembleRecord.model_validate(parse_json(text)).trial_record()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        lines = str(error).splitlines()
        raise UserError(f"{run.ensemble} cannot be read: {lines[0]}; delete it") from None
