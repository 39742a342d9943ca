"""What became of a run's ensemble: who is in it, what it is worth, whether it was exported."""

from __future__ import annotations

from typing import Any

import pydantic

from artifacts.records import TrialRecord
from artifacts.run_directory import RunDirectory, write_text
from data_prep.errors import UserError

STAGE = "ensemble"


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Member(_Part):
    """One model of an ensemble.

    Attributes:
        stage, trial: which trial trained it.
        weight: in the mean of probabilities; those of an ensemble have the sum 1.
        objective: what it is worth alone on the same validation samples.
        hyperparameters: of the trial.
    """

    stage: str
    trial: int
    weight: float
    objective: float
    hyperparameters: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the trial and of its folder: ``architecture/3``."""
        return f"{self.stage}/{self.trial}"


class EnsembleRecord(_Part):
    """An ensemble of kept trials, in ``ensemble.json`` and in the certificate.

    Attributes:
        members: heaviest first; a single one where no mean of several was better, none where it
            failed.
        objective: of the mean of probabilities, on validation; before calibration.
        validation: what that is made of, by the names of leaderboard columns.
        params: weights of the merged model.
        seconds: to score the candidates and choose.
        exported: whether it became the model of the run.
        reason: why, or why not.
    """

    members: tuple[Member, ...] = ()
    objective: float | None = None
    validation: dict[str, float] = {}
    params: int | None = None
    seconds: float
    exported: bool = False
    reason: str

    def row(self) -> TrialRecord:
        """The ensemble as a row of the leaderboard; its hyperparameters are members' weights."""
        found = self.validation
        return TrialRecord(
            rank=None,
            stage=STAGE,
            trial=0,
            state="complete" if self.members else "failed",
            val_auc=found.get("val_auc"),
            val_log_loss=found.get("val_log_loss"),
            kid=None,
            params=self.params,
            seconds=self.seconds,
            reason=self.reason,
            hyperparameters={member.name: member.weight for member in self.members},
            objective=self.objective,
            val_pseudo_auc=found.get("val_pseudo_auc"),
            val_pair_ranking=found.get("val_pair_ranking"),
        )

    def write(self, run: RunDirectory) -> None:
        """Write ``ensemble.json``, whole or not at all."""
        write_text(run.ensemble, self.model_dump_json(indent=2) + "\n")


def ensemble_rows(run: RunDirectory) -> list[TrialRecord]:
    """The leaderboard row of a run's ensemble; none where it made none, or not yet.

    Raises:
        UserError: ``ensemble.json`` is damaged.
    """
    try:
        return [EnsembleRecord.model_validate_json(run.ensemble.read_bytes()).row()]
    except FileNotFoundError:
        return []
    except (OSError, pydantic.ValidationError) as error:
        lines = str(error).splitlines()
        raise UserError(f"{run.ensemble} cannot be read: {lines[0]}; delete it") from None
