"""One trial of a detector: choose, build, train, keep. Both detector stages use it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import optuna

from artifacts import records
from artifacts.histories import WITHOUT
from artifacts.leaderboard.validation_split import write_scores
from artifacts.models.saved import inference_copy
from artifacts.run_directory import RunDirectory, replace_file
from artifacts.stages import Stage
from data_prep.store.store import Store
from search.config.feasible import methods_of, shown_frames
from search.config.names import AUC_LATENCY, AUC_SIZE, LEAVING_OUT, LOG_LOSS, PARETO
from search.config.run_config import RunConfig
from search.detectors import leave_one_method_out, limits
from search.detectors.estimate import estimate, estimate_model
from search.detectors.short_clips import build_short_detector
from search.detectors.space import build_detector, build_space, chosen_values
from search.features.cache import FeatureCache
from search.gan.trained_gans import load_walks
from search.studies.hyperparameters import OptunaHyperParameters
from search.studies.two_objectives import Reports
from search.training.fit import Epoch, Fit, TrainingTask, fit
from search.training.objectives import ValidationScore, over_methods
from search.trials.checkpoint_folder import checkpoint_folder
from search.trials.trial import (
    MODEL_FILE,
    OUT_OF_MEMORY,
    OpenTrial,
    TrialOutcome,
    TrialResult,
    failure_reason,
    run_trial,
)
from spaces.training.space import TrainingChoices

Choose = Callable[[OptunaHyperParameters], tuple[keras_tuner.HyperParameters, TrainingChoices]]

_WHOLE = "whole.npz"


def run_detector_trial(
    config: RunConfig, stage: Stage, max_epochs: int, choose: Choose
) -> TrialOutcome:
    """Run one trial of a detector stage; its value is the objective at its best validation epoch.

    Args:
        config: Run configuration.
        stage: Stage of the trial.
        max_epochs: The most epochs of any trial of the stage.
        choose: Asks the hyperparameters for training choices; returns them with the answers of the
            detector.
    """

    def objective(trial: OpenTrial) -> TrialResult:
        hp = OptunaHyperParameters(trial.optuna)
        with Store(config.store) as store:
            return _DetectorTrial(config, store, trial, hp, *choose(hp)).run()

    steps = max_epochs
    if config.objective in LEAVING_OUT:
        with Store(config.store) as store:
            steps = len(methods_of(store))
    return run_trial(config, stage, steps, objective)


class _DetectorTrial:
    """One trial whose choices are answered, before or while its detector is built."""

    def __init__(
        self,
        config: RunConfig,
        store: Store,
        trial: OpenTrial,
        hp: OptunaHyperParameters,
        answers: keras_tuner.HyperParameters,
        choices: TrainingChoices,
    ) -> None:
        self._config = config
        self._store = store
        self._trial = trial
        self._hp = hp
        self._answers = answers
        self._choices = choices
        self._estimated = False
        self._reports = Reports(trial.optuna)
        self._folder = checkpoint_folder(RunDirectory(config.run_dir), trial.optuna)

    def run(self) -> TrialResult:
        """Train within the limits, and keep the model; out of memory, retry once on half batches.

        Raises:
            optuna.TrialPruned: The pruner stops the trial, or it exceeds a limit.
        """
        try:
            try:
                result = self._run()
            except Exception as error:
                whole = self._choices.batch_size
                if failure_reason(error) != OUT_OF_MEMORY or whole == 1:
                    raise
                note = f"out of memory on batches of {whole}, trained on {whole // 2}"
            else:
                note = ""
            if note:
                # Outside the handler, whose traceback keeps the large objects alive.
                shutil.rmtree(self._folder, ignore_errors=True)
                self._choices = dataclasses.replace(self._choices, batch_size=whole // 2)
                result = self._run()
                notes = "; ".join(filter(None, [note, result.note]))
                result = dataclasses.replace(result, note=notes)
        except optuna.TrialPruned:
            self._reports.end(None)
            raise
        self._reports.end(result.value)
        return result

    def _run(self) -> TrialResult:
        config = self._config
        self._check_limits()
        found: dict[str, float] = {}
        if config.objective in LEAVING_OUT:
            found = leave_one_method_out.left_out_aucs(
                self._store, self._folder, self._fit_without, self._report_methods
            )
        model = self._build()
        trained = self._fit(model, kept=self._folder / _WHOLE, report=self._reporter(not found))
        path = self._trial.folder / MODEL_FILE
        with replace_file(path) as temporary:
            inference_copy(model).save(temporary)
        write_scores(self._trial.folder, trained.probabilities)
        costs = self._costs(path)
        value = over_methods(config.objective, found) if found else trained.best.value
        return TrialResult(
            value=value,
            attributes={
                **trained.best.row,
                **costs,
                **({records.METHOD_AUC: found} if found else {}),
                records.BEST_SAMPLES: trained.best_epoch * self._choices.epoch_samples,
                records.SAMPLES: len(trained.history) * self._choices.epoch_samples,
                "cached_inputs": trained.cached,
            },
            note=trained.note,
            also=(costs[_COST[config.objective]],) if config.objective in PARETO else (),
        )

    def _check_limits(self) -> None:
        """Answer all choices, and refuse a detector that is too large before allocating it."""
        limited = self._config.limits
        if self._estimated or not (limited.params or limited.file_mb or limited.memory_gb):
            self._estimated = True
            return
        frames = shown_frames(self._config, self._store)
        whole = frames == self._store.clip_shape[0]
        short = None if whole else build_space(self._config, self._store, frames)
        graph = build_space(self._config, self._store)
        precision = self._config.precision
        asked = estimate(graph, self._answers, self._choices, precision, short)
        if asked is not None:
            self._estimated = True
            self._remember(asked.params)
            limits.enforce(self._trial.optuna, limited, asked)

    def _build(self) -> keras.Model:
        graph = build_space(self._config, self._store)
        model = build_detector(graph, self._answers, self._trial.seed, self._config.precision)
        self._remember(int(sum(np.prod(weight.shape) for weight in model.weights)))
        return model

    def _remember(self, params: int) -> None:
        trial = self._trial.optuna
        trial.set_user_attr(records.HYPERPARAMETERS, chosen_values(self._config, self._hp))
        trial.set_user_attr(records.PARAMS, params)
        samples = self._choices.epochs * self._choices.epoch_samples
        trial.set_user_attr(records.SAMPLES_ASKED, samples)
        trial.set_user_attr(records.EPOCH_SAMPLES, self._choices.epoch_samples)

    def _fit(
        self,
        model: keras.Model,
        kept: Path,
        report: Callable[[Epoch], None],
        without: str = "",
    ) -> Fit:
        config, store, choices = self._config, self._store, self._choices
        learner = build_short_detector(config, store, self._answers, self._trial.seed)
        if not self._estimated:
            # The size of this network is known only now that it is built.
            limits.enforce(
                self._trial.optuna, config.limits, estimate_model(model, choices, learner)
            )
            self._estimated = True
        return fit(
            model,
            TrainingTask(
                store,
                FeatureCache(RunDirectory(config.run_dir).features, config.features_bytes),
                self._trial.seed,
                objective=config.objective,
                walks=load_walks(config, store.clip_shape[0]) if choices.gan_fakes else None,
                without=without,
            ),
            choices,
            shorter=learner,
            kept=kept,
            report=report,
        )

    def _fit_without(self, method: str, kept: Path) -> Fit:
        """Train the detector anew without a method."""

        def report(epoch: Epoch) -> None:
            self._trial.record({WITHOUT: method, **epoch.row})

        return self._fit(self._build(), kept, report, without=method)

    def _report_methods(self, done: int, found: dict[str, float]) -> None:
        """Report the value of the methods so far; stop the trial if the pruner decides so."""
        value = over_methods(self._config.objective, found)
        self._trial.optuna.set_user_attr(records.METHOD_AUC, found)
        self._reports.report(value, done)
        if self._reports.should_prune():
            score = f"{self._config.objective} {value:.3f}"
            raise optuna.TrialPruned(f"{score} after {done} method{'s' if done > 1 else ''}")

    def _reporter(self, prunes: bool) -> Callable[[Epoch], None]:
        """Return a function that records each epoch, reports its value, and may stop the trial.

        The score is also an attribute of the trial, so that pruned trials have it, too. The last
        epoch is never pruned: all its cost is spent. If methods were left out, their AUCs were
        reported before, and the training with all methods reports nothing.
        """

        def report(epoch: Epoch) -> None:
            self._trial.record(epoch.row if prunes else {WITHOUT: "", **epoch.row})
            for name, value in epoch.score.row.items():
                self._trial.optuna.set_user_attr(name, value)
            if not prunes:
                return
            self._reports.report(epoch.score.value, epoch.number)
            if epoch.number < self._choices.epochs and self._reports.should_prune():
                shown = epoch.number * self._choices.epoch_samples
                self._trial.optuna.set_user_attr(records.SAMPLES, shown)
                raise optuna.TrialPruned(f"{_score_text(epoch.score)} after {shown:,} samples")

        return report

    def _costs(self, file: Path) -> dict[str, float]:
        """Return the costs of the trained detector: its file and, if needed, its latency.

        Raises:
            optuna.TrialPruned: Its latency exceeds the limit.
        """
        config = self._config
        costs: dict[str, float] = {records.FILE_MB: round(file.stat().st_size / 1e6, 3)}
        if config.objective == AUC_LATENCY or config.limits.latency_ms:
            exported = keras.models.load_model(file, compile=False)
            latency = round(limits.latency_ms(exported, self._store), 2)
            costs[records.LATENCY_MS] = latency
            self._trial.optuna.set_user_attr(records.LATENCY_MS, latency)
            limits.enforce_latency(self._trial.optuna, config.limits, latency)
        return costs


_COST = {AUC_LATENCY: records.LATENCY_MS, AUC_SIZE: records.FILE_MB}


def _score_text(score: ValidationScore) -> str:
    """Return the score of a pruned trial as text."""
    if score.objective == LOG_LOSS:
        return f"val_log_loss {score.log_loss:.3f}"
    name = "val_auc" if score.value == score.auc else "objective"
    return f"{name} {score.value:.3f}"
