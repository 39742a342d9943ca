"""What runs inside a worker process: the only door through which TensorFlow comes in."""

from __future__ import annotations

from artifacts.quiet import import_tensorflow
from search.config import RunConfig
from search.trial import TrialOutcome


def prepare_stage(config: RunConfig, stage: str) -> None:
    """Queue what a stage tries first."""
    import_tensorflow()
    if stage == "architecture":
        from search import architecture

        architecture.enqueue_starting_points(config)
    elif stage == "gan":
        from search import gan

        gan.enqueue_recipe(config)
    else:
        from search import training

        training.enqueue_recipe(config)


def run_stage_trial(config: RunConfig, stage: str, slot: int) -> TrialOutcome:
    """Run one trial of a stage."""
    import_tensorflow()
    if stage == "architecture":
        from search.architecture import run_architecture_trial

        return run_architecture_trial(config, slot)
    if stage == "gan":
        from search.gan import run_gan_trial

        return run_gan_trial(config, slot)
    from search.training import run_training_trial

    return run_training_trial(config, slot)


def finish_run(config: RunConfig) -> None:
    """Refit, calibrate, test and export the winner."""
    import_tensorflow()
    from search.finish import finish

    finish(config)
