"""The claim of a run directory: a new run, a resumed one, or an extended one."""

from __future__ import annotations

import dataclasses
from typing import Any

from artifacts.certificate import Certificate
from artifacts.run_directory import RunDirectory, write_text
from artifacts.stages import GAN, Stage
from data_prep.errors import UserError
from search.config import run_config
from search.config.addresses import password_in, remove_password
from search.config.changes import Changes, find_changes
from search.config.run_config import RunConfig
from search.config.stages import trials_by_stage
from search.studies import server, storage
from search.studies.run_state import RunState, is_finished, versions_here
from search.studies.samplers import is_exhausted
from search.studies.study import (
    delete_studies,
    finished_trials,
    has_started,
    open_study_at,
    stages_with_study,
)

# Files that may move with a run.
_PATHS = ("space.weights", "warm_start")


def claim(
    directory: RunDirectory, config: RunConfig, fingerprint: str, *, extend: bool
) -> list[str]:
    """Start a run in a new directory, or check that an old one has this store and these settings.

    Returns:
        Remarks to print.
    """
    notes = []
    server.lend_password(config.storage)
    if password_in(config.storage):
        notes.append(
            "the password of the storage is not written to config.toml; give it to other commands "
            "by PGPASSWORD or ~/.pgpass"
        )
    if not directory.state.is_file():
        foreign = sorted(
            path.name
            for path in directory.root.iterdir()
            if path.name not in (".lock", directory.config.name)
        )
        if foreign:
            raise UserError(
                f"{directory.root} is not empty and not a run (it holds {foreign[0]}); "
                "use another run directory"
            )
        # The user begins this run, and so names its server.
        server.permit_server(config.storage)
        # A storage that cannot be reached must not become the storage of the run.
        storage.StorageLocation(directory, config.storage).reach()
        server.remember_server(config.storage)
        _write_config(directory, config)
        RunState.begin(directory, fingerprint, _settings(config))
        return notes
    theirs = directory.read_fingerprint()
    if theirs != fingerprint:
        raise UserError(
            f"{directory.root} is a run on another store (fingerprint {theirs[:12]}, "
            f"{config.store} has {fingerprint[:12]}); use another run directory"
        )
    before, state = run_config.load(directory.config), RunState.read(directory)
    settings = _settings(config)
    if not state.name:
        state = RunState.begin(directory, fingerprint, settings)
    given = find_changes(run_config.decisive(before), run_config.decisive(config))
    here = storage.StorageLocation(directory, config.storage, state.name)
    moved: list[str] = []
    if not stages_with_study(here):
        # No studies at the new location, so there must be none at the old one.
        here = storage.StorageLocation.read(directory)
        moved = _moved(before, config)
    started = [
        stage for stage in stages_with_study(here) if has_started(open_study_at(here, stage))
    ]
    if started:
        _check_given(directory, given, moved, extend=extend)
        if extend or not is_whole(directory):
            state = _extended(directory, config, state, started)
    else:
        if str(given) or moved or str(find_changes(state.settings, settings)):
            # Trials queued under the old settings may not fit the new space.
            delete_studies(here)
        state = dataclasses.replace(state, settings=settings)
    server.remember_server(config.storage)
    _write_config(directory, config)
    if state.other_versions:
        notes.append(f"this run was started with {', '.join(state.other_versions)}")
        state = dataclasses.replace(state, versions=versions_here())
    if state != RunState.read(directory):
        state.write(directory)
    return notes


def _check_given(
    directory: RunDirectory, given: Changes, moved: list[str], *, extend: bool
) -> None:
    """Check the settings of this start against ``config.toml`` of a search that has begun.

    Raises:
        UserError: A setting differs that cannot change.
    """
    fixed = given.lowered or given.others or moved
    if fixed or (given.raised and not extend):
        differing = "; ".join(filter(None, [str(given), *moved]))
        hint = "use another run directory or the same settings"
        if not fixed:
            hint = f"{hint}, or extend the search (--extend; in Python, extend=True)"
        raise UserError(f"{directory.root} was started with other settings ({differing}); {hint}")


def _extended(
    directory: RunDirectory, config: RunConfig, state: RunState, started: list[Stage]
) -> RunState:
    """Return the state of a search that has begun, with the trials that it is to have now.

    Raises:
        UserError: A setting of ``config.toml`` was changed that cannot change.
    """
    settings = _settings(config)
    changes = find_changes(state.settings, settings)
    fixed = list(changes.others.values())
    if _later_than(GAN, config, started) and (line := changes.raised.get("gan.trials")):
        fixed.append(f"{line}, and later stages have used its generators")
    if fixed:
        raise UserError(
            f"{directory.root} was started with other settings ({'; '.join(fixed)}); undo the "
            f"change in {directory.config} or use another run directory"
        )
    grows = _lacks_trials(directory, config) if is_whole(directory) else bool(changes.raised)
    return dataclasses.replace(state, settings=settings, is_extending=state.is_extending or grows)


def _later_than(stage: Stage, config: RunConfig, started: list[Stage]) -> bool:
    """Return whether a stage after this one has started."""
    order = list(trials_by_stage(config))
    return any(order.index(other) > order.index(stage) for other in started)


def _moved(before: RunConfig, config: RunConfig) -> list[str]:
    """Return the old and the new storage, if they differ."""
    was, is_now = before.storage, remove_password(config.storage)
    return [f"storage: {was or 'none'}, {is_now or 'none'}"] if was != is_now else []


def _write_config(directory: RunDirectory, config: RunConfig) -> None:
    """Write the resolved configuration, unless the file already holds it."""
    text = run_config.dump(config)
    if directory.config.is_file() and run_config.load(directory.config) == config:
        return
    write_text(directory.config, text)


def is_whole(directory: RunDirectory) -> bool:
    """Return whether a run is finished and its model files are unchanged."""
    return is_finished(directory) and Certificate.read(directory).is_intact(directory)


def next_step(directory: RunDirectory, config: RunConfig, *, extend: bool) -> str:
    """Return the next step for a finished run: nothing, or how to extend it."""
    changes = find_changes(RunState.read(directory).settings, _settings(config))
    step = "nothing to do"
    if str(changes):
        step = f"changes of its config.toml have no effect ({changes})"
    if changes.lowered or changes.others:
        return f"{step}; they need another run directory"
    if _lacks_trials(directory, config):
        return (
            f"{step}. It has fewer trials than config.toml names; to run the others: dfsearch run "
            f"{directory.config} --extend"
        )
    if extend:
        return f"{step}. To extend it, raise architecture.trials or training.trials in config.toml"
    return step


def _lacks_trials(directory: RunDirectory, config: RunConfig) -> bool:
    """Return whether a stage has fewer trials than configured and its sampler offers more."""
    location = storage.StorageLocation.read(directory)
    begun = {stage: open_study_at(location, stage) for stage in stages_with_study(location)}
    return any(
        stage not in begun
        or (len(finished_trials(begun[stage])) < wanted and not is_exhausted(begun[stage]))
        for stage, wanted in trials_by_stage(config).items()
        if wanted
    )


def _settings(config: RunConfig) -> dict[str, Any]:
    """Return the settings that a search keeps once it has begun, by dotted key."""
    settings = run_config.decisive(config)
    return {key: value for key, value in settings.items() if key not in _PATHS}
