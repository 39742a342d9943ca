"""The training stage: the best architectures under other training hyperparameters."""

from __future__ import annotations

from pathlib import Path

import optuna

from artifacts import records
from artifacts.run_directory import RunDirectory
from data_prep.store import Store
from search import architecture, detectors, studies
from search.architecture import detector_result, reporter
from search.config import RunConfig
from search.fit import fit
from search.hyperparameters import OptunaHyperParameters, Value, fixed, optuna_params
from search.trial import TrialOutcome, TrialResult, keep_best, ranking, run_trial
from spaces.training import training_space

STAGE = "training"
ARCHITECTURE = "architecture"


def best_architectures(config: RunConfig) -> dict[str, dict[str, Value]]:
    """Hyperparameters of the architectures this stage chooses from, by trial number, best first."""
    study = studies.open_study(RunDirectory(config.run_dir).journal, architecture.STAGE)
    return {
        str(trial.number): trial.user_attrs[records.HYPERPARAMETERS]
        for trial in studies.best(study, config.training.architectures, ranking)
    }


def enqueue_recipe(config: RunConfig) -> None:
    """Queue the original recipe on the best architecture, so that it is what others must beat."""
    hp = fixed({})
    hp.Choice(ARCHITECTURE, list(best_architectures(config)))
    training_space(hp, config.training.max_epochs)
    study = studies.open_study(RunDirectory(config.run_dir).journal, STAGE)
    study.enqueue_trial(optuna_params(hp), skip_if_exists=True)


def run_training_trial(config: RunConfig, slot: int) -> TrialOutcome:
    """Run one trial of the stage; see :func:`search.architecture.run_architecture_trial`."""
    run = RunDirectory(config.run_dir)
    architectures = best_architectures(config)

    def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
        hp = OptunaHyperParameters(trial)
        chosen = hp.Choice(ARCHITECTURE, list(architectures))
        choices = training_space(hp, config.training.max_epochs)
        trial.set_user_attr(records.HYPERPARAMETERS, hp.values)
        with Store(config.store) as store:
            seed = config.seed + slot
            graph = detectors.space(config, store)
            model = detectors.build(graph, fixed(architectures[chosen]), seed)
            trained = fit(
                model, store, choices, seed=seed, features=run.features, report=reporter(trial)
            )
        return detector_result(model, trained, folder)

    outcome = run_trial(
        run,
        STAGE,
        studies.sampler(config.sampler, config.seed, STAGE, slot),
        studies.pruner(config.pruner, config.training.max_epochs),
        objective,
    )
    keep_best(run, studies.open_study(run.journal, STAGE), config.kept_models)
    return outcome
