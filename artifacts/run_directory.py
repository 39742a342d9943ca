"""The folder of a run, which can be moved as a whole."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import shlex
import stat
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from artifacts.stages import Stage
from data_prep.errors import UserError
from data_prep.files import LARGEST_TOML, NO_LOCKS, UnreadableFileError, parse_json
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
            return tomllib.loads(read_text(self.config, LARGEST_TOML)).get(name)
        except FileNotFoundError:
            return None
        except UnreadableFileError:
            raise
        except (OSError, ValueError, RecursionError) as error:
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

    def check_links(self, *paths: Path) -> None:
        """Check that writing to these paths changes nothing outside the folder.

        A folder from another person can hold links to files of this account, and named pipes that
        would make a writer wait.

        Args:
            *paths: Files and folders, with all that they hold; the whole folder by default.

        Raises:
            UserError: A path leads out of the folder, or is neither a file nor a folder.
        """
        root = self.root.resolve()
        for path in paths or (self.root,):
            for each in (path, *_walk(path)):
                try:
                    inside = each.resolve().is_relative_to(root)
                    mode = each.stat().st_mode if each.exists() else stat.S_IFREG
                except (OSError, RuntimeError):  # a circle of links
                    inside, mode = False, 0
                if not inside:
                    raise UserError(
                        f"{each} is a link out of {self.root}, so nothing is written there; remove "
                        "it, or put the file or folder itself in its place"
                    )
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise UserError(f"{each} is neither a file nor a folder; remove it")

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
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise UserError(
                f"{self.root} cannot be locked against a second run: {error.strerror}; "
                "use a folder on another file system"
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
    # The folder "." is its own parent.
    near = list(dict.fromkeys(near))
    if near:
        more = f" and {len(near) - _MOST_NEAR} more" if len(near) > _MOST_NEAR else ""
        return f"{text}; there are runs at {', '.join(map(str, near[:_MOST_NEAR]))}{more}"
    free = "RUN_DIR" if root.exists() else shlex.quote(str(root))
    return f"{text}; start one with: dfsearch run STORE.h5 {free}"


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder, without following links."""
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))


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
    """Yield a temporary name with the same ending; rename it to ``path`` after the block.

    The name is random, so that no link of a folder from another person waits under it.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.tmp{path.suffix}")
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
        return parse_json(read_text(path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; has the run finished?") from None
    except UnreadableFileError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
