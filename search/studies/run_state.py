"""The state of a run: its name, its store, and the versions of the libraries at its start."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artifacts.run_directory import RunDirectory, read_json, write_json
from data_prep import plugins
from data_prep.errors import UserError
from data_prep.store.store import Store

# Packages that the outcome of a trial, or the reading of it, depends on.
PACKAGES = (
    "deepfake-model-search",
    "tensorflow",
    "keras",
    "optuna",
    "autokeras",
    "keras-tuner",
    "numpy",
)


@dataclasses.dataclass(frozen=True)
class RunState:
    """The content of ``run.json``.

    Attributes:
        store_fingerprint: Fingerprint of the content of the store.
        name: Name of the run in a database: the name of its folder and a random part.
        versions: Versions at the start of the run, by package.
        settings: Settings that the search began with or was extended to, by dotted key.
        is_extending: Whether the search gets further trials after a later stage or the finish.
    """

    store_fingerprint: str
    name: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_extending: bool = False

    @staticmethod
    def begin(
        directory: RunDirectory, fingerprint: str, settings: Mapping[str, Any] | None = None
    ) -> RunState:
        """Write the state of a new run."""
        folder = re.sub(r"[^\w.-]+", "-", directory.root.resolve().name)[:40] or "run"
        name = f"{folder}-{secrets.token_hex(4)}"
        state = RunState(fingerprint, name, versions_here(), settings or {})
        state.write(directory)
        return state

    @staticmethod
    def read(directory: RunDirectory) -> RunState:
        """Read the state of a run.

        Raises:
            UserError: It is missing or damaged.
        """
        fingerprint = directory.read_fingerprint()
        state = read_json(directory.state)
        name, versions = state.get("name", ""), state.get("versions", {})
        settings = state.get("settings", {})
        if not isinstance(name, str) or not all(isinstance(d, dict) for d in (versions, settings)):
            raise UserError(f"{directory.state} is damaged; start a new run")
        return RunState(fingerprint, name, versions, settings, state.get("is_extending") is True)

    def write(self, directory: RunDirectory) -> None:
        """Write the state, whole or not at all."""
        write_json(directory.state, dataclasses.asdict(self))

    @property
    def other_versions(self) -> list[str]:
        """Packages with another version here: ``keras 3.15.1 (here 3.14.0)``."""
        return [
            f"{name} {version} (here {versions_here().get(name, 'none')})"
            for name, version in self.versions.items()
            if versions_here().get(name) != version
        ]


@functools.cache
def versions_here() -> dict[str, str]:
    """Return the installed versions by package, those of plugins included."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | plugins.versions()


def is_finished(directory: RunDirectory) -> bool:
    """Return whether a run has exported its detector and is not being extended."""
    return directory.certificate.is_file() and not RunState.read(directory).is_extending


def check_worker(directory: RunDirectory, store: Path) -> None:
    """Check that a worker on this host has the versions and the store of the run.

    Raises:
        UserError: Versions or the store differ.
    """
    state = RunState.read(directory)
    if state.other_versions:
        raise UserError(
            f"{directory.root} was started with {', '.join(state.other_versions)}; a worker needs "
            "the same versions"
        )
    with Store(store) as opened:
        found = opened.fingerprint
    if found != state.store_fingerprint:
        raise UserError(
            f"{store} is not the store that {directory.root} was started on (fingerprint "
            f"{found[:12]}, the run has {state.store_fingerprint[:12]}): it was changed or "
            "replaced"
        )
