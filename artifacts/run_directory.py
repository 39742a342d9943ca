"""The folder of a run, which can be moved as a whole."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from artifacts.stages import Stage
from data_prep.errors import UserError
from data_prep.text import read_text

_ABANDONED_SECONDS = 600.0
"""Age at which an unfinished file without new bytes is abandoned, in seconds."""

_MOST_NEAR = 3


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The paths of one run.

    Attributes:
        root: Path of the folder.
    """

    root: Path

    @property
    def config(self) -> Path:
        """Resolved configuration, TOML."""
        return self.root / "config.toml"

    @property
    def state(self) -> Path:
        """Store of the run, JSON."""
        return self.root / "run.json"

    @property
    def journal(self) -> Path:
        """Optuna journal with every study, absolute because its lock needs it."""
        return self.root.resolve() / "studies.log"

    @property
    def features(self) -> Path:
        """Cached outputs of frozen layers."""
        return self.root / "features"

    @property
    def h5(self) -> Path:
        """Model as a legacy HDF5 file of stock layers."""
        return self.root / "best_model.h5"

    @property
    def keras(self) -> Path:
        """Model in Keras's own format."""
        return self.root / "best_model.keras"

    @property
    def picture(self) -> Path:
        """Layers with their shapes."""
        return self.root / "best_model.png"

    @property
    def certificate(self) -> Path:
        """Certificate with input, origin and scores of the model, JSON."""
        return self.root / "best_model.json"

    @property
    def ensemble(self) -> Path:
        """Members and score of the ensemble, JSON; only with an ensemble."""
        return self.root / "ensemble.json"

    @property
    def leaderboard(self) -> Path:
        """Every trial, CSV."""
        return self.root / "leaderboard.csv"

    @property
    def scores(self) -> Path:
        """Score of every validation and test clip, CSV."""
        return self.root / "scores.csv"

    @property
    def validation(self) -> Path:
        """Labels and baseline scores of the validation clips, NPZ."""
        return self.root / "validation.npz"

    @property
    def latencies(self) -> Path:
        """Latency of the kept models for one clip, JSON."""
        return self.root / "latencies.json"

    @property
    def evaluation(self) -> Path:
        """Metrics on the test split, JSON; written when the split is opened."""
        return self.root / "evaluation.json"

    @property
    def openings(self) -> Path:
        """Time and reason of every opening of the test split, a line of JSON each."""
        return self.root / "test_openings.jsonl"

    @property
    def robustness(self) -> Path:
        """Scores of the test clips under degradation, JSON; only on request."""
        return self.root / "robustness.json"

    @property
    def matched(self) -> Path:
        """Scores of the test pairs made equally sharp, JSON; only on request."""
        return self.root / "matched.json"

    @property
    def evaluations(self) -> Path:
        """Folder with a JSON file for each evaluation outside the test split of the run."""
        return self.root / "evaluations"

    def events(self, stage: Stage, number: int) -> Path:
        """Return the folder of TensorBoard event files of one trial, if they are wanted."""
        return self.root / "tensorboard" / stage.name / str(number)

    def trial(self, stage: Stage | str, number: int) -> Path:
        """Return the folder of one trial.

        Args:
            stage: Stage of the trial, or the stage that a row of the leaderboard names.
            number: Number within the stage.
        """
        return self.root / "trials" / str(stage) / str(number)

    def open(self) -> RunDirectory:
        """Check that the folder holds a run.

        Raises:
            UserError: There is no run in this folder.
        """
        if not (self.config.is_file() and self.state.is_file()):
            raise UserError(f"no run at {self.root}{_advice(self.root)}")
        return self

    def setting(self, name: str) -> Any:
        """Return one top-level setting of ``config.toml``.

        The file of a run holds every setting. A run that has not begun has no file yet.

        Args:
            name: Key of the setting.

        Returns:
            Value of the setting; ``None`` without the file or the key.

        Raises:
            UserError: The file is not TOML.
        """
        try:
            return tomllib.loads(read_text(self.config)).get(name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UserError(f"{self.config} is not a TOML file: {error}") from None

    def read_fingerprint(self) -> str:
        """Return the content fingerprint of the store of this run.

        Raises:
            UserError: ``run.json`` is missing or damaged.
        """
        state = read_json(self.state)
        fingerprint = state.get("store_fingerprint") if isinstance(state, dict) else None
        if not isinstance(fingerprint, str):
            raise UserError(f"{self.state} is damaged: it names no store; start a new run")
        return fingerprint

    def sweep(self) -> None:
        """Remove half-written files of killed writers; call while locked.

        Joined workers do not hold the lock, so recent files stay. The feature cache removes its own
        files.
        """
        latest = time.time() - _ABANDONED_SECONDS
        for folder in (self.root, *self.root.glob("trials/*/*")):
            for path in folder.glob(".*.tmp*"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < latest:
                        path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against a second run; the lock ends with the process.

        Raises:
            UserError: Another process runs here.
        """
        lock = filelock.FileLock(self.root / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise UserError(
                f"another process is running in {self.root}; wait for it or use another folder"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _advice(root: Path) -> str:
    """Return what a run is, if a path is none, and the runs near it."""
    text = "" if not root.exists() else " (a run is a folder with config.toml and run.json)"
    near = [root.parent] if (root.parent / "run.json").is_file() else []
    for folder in (root, root.parent):
        with contextlib.suppress(OSError):
            near += [path.parent for path in sorted(folder.glob("*/run.json"))]
    if near:
        more = f" and {len(near) - _MOST_NEAR} more" if len(near) > _MOST_NEAR else ""
        return f"{text}; there are runs at {', '.join(map(str, near[:_MOST_NEAR]))}{more}"
    free = "RUN_DIR" if root.exists() else shlex.quote(str(root))
    return f"{text}; start one with: dfsearch run STORE.h5 {free}"


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: to a temporary name, flushed, then renamed."""
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name with the same ending; rename it to ``path`` after the block."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        return json.loads(read_text(path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; has the run finished?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
