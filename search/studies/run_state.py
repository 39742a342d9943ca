"""Which run a folder is of: its name, its store, and the libraries it was begun with."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from artifacts.run_directory import RunDirectory, read_json, write_json
from data_prep import plugins
from data_prep.errors import UserError
from data_prep.store.store import Store

# What the outcome of a trial or the reading of it depends on.
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
    """What ``run.json`` says.

    Attributes:
        store_fingerprint: of the content of its store.
        name: of the run among others in one database: that of its folder and a random part.
        versions: of what it was begun with, by package.
    """

    store_fingerprint: str
    name: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @staticmethod
    def begin(directory: RunDirectory, fingerprint: str) -> RunState:
        """Write the state of a new run."""
        folder = re.sub(r"[^\w.-]+", "-", directory.root.resolve().name)[:40] or "run"
        state = RunState(fingerprint, f"{folder}-{secrets.token_hex(4)}", versions_here())
        state.write(directory)
        return state

    @staticmethod
    def read(directory: RunDirectory) -> RunState:
        """Read the state of a run.

        Raises:
            UserError: it is missing or damaged.
        """
        fingerprint = directory.read_fingerprint()
        state = read_json(directory.state)
        name, versions = state.get("name", ""), state.get("versions", {})
        if not isinstance(name, str) or not isinstance(versions, dict):
            raise UserError(f"{directory.state} is damaged; start a new run")
        return RunState(fingerprint, name, versions)

    def write(self, directory: RunDirectory) -> None:
        """Write it, whole or not at all."""
        write_json(directory.state, dataclasses.asdict(self))

    @property
    def other_versions(self) -> list[str]:
        """Packages that are of another version here: ``keras 3.15.1 (here 3.14.0)``."""
        return [
            f"{name} {version} (here {versions_here().get(name, 'none')})"
            for name, version in self.versions.items()
            if versions_here().get(name) != version
        ]


@functools.cache
def versions_here() -> dict[str, str]:
    """Versions of what is installed here, by package; packages that add anything are among it."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | plugins.versions()


def check_worker(directory: RunDirectory, store: Path) -> None:
    """Check that what is here would do as the run does.

    Raises:
        UserError: other versions, or another store.
    """
    state = RunState.read(directory)
    if state.other_versions:
        raise UserError(
            f"{directory.root} was begun with {', '.join(state.other_versions)}; a worker needs "
            "the same versions"
        )
    with Store(store) as opened:
        found = opened.fingerprint
    if found != state.store_fingerprint:
        raise UserError(
            f"{store} is not the store {directory.root} was begun on (fingerprint {found[:12]}, "
            f"the run has {state.store_fingerprint[:12]}): it was changed or is another one"
        )
