"""Check of exported files: each runs in a fresh process, and is compared with the model.

A file must load in its own runtime and accept the inputs of the detector. Measurements are the
largest difference of its probabilities, the median time of a clip, its size, and the AUC on
validation.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.certificate import ModelFile
from artifacts.models import runtimes
from artifacts.models.formats import FLOAT32, Format, export_to, missing_packages, size_in_bytes
from artifacts.models.inference import ScoreError, check_probabilities, probabilities, read_inputs
from data_prep.bootstrap import Interval, group_intervals
from data_prep.stock_keras import keras_environment
from data_prep.store.store import Store
from data_prep.text import one_line

CLIPS = 32
MOST_SCORED = 512
_MINUTES = 20


@dataclasses.dataclass(frozen=True)
class Clips:
    """Clips for the check of exported models.

    Attributes:
        arrays: first axis n, by the names of the detector's inputs.
        source: origin of the clips, in words.
        labels: (n,), 1 is fake; None for random clips.
        groups: (n,), identity group of each; None for random clips.
    """

    arrays: dict[str, npt.NDArray[Any]]
    source: str
    labels: npt.NDArray[np.integer] | None = None
    groups: npt.NDArray[np.str_] | None = None


@dataclasses.dataclass(frozen=True)
class Exported:
    """One exported file and its measurements, or ``error``, the reason for its absence.

    Attributes:
        format, precision: variant of the export.
        file: its name in the folder of the exports.
        bytes: size of it and of the files beside it.
        sha256: SHA-256 of the file; empty for a folder.
        difference: largest difference of its probabilities from the detector's.
        milliseconds: median time of one clip.
        auc, original_auc: AUC on clips of validation; None for random clips.
        auc_change: interval of the difference in AUC from the original, over identity groups.
    """

    format: str
    precision: str
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    difference: float | None = None
    milliseconds: float | None = None
    auc: float | None = None
    original_auc: float | None = None
    auc_change: Interval = None
    error: str = ""


def clips_of_store(model: keras.Model, store: Store, *, seed: int = 0) -> Clips:
    """Read clips of the validation split: all, or a seeded draw of :data:`MOST_SCORED`."""
    rows = store.rows("val")
    if len(rows) > MOST_SCORED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_SCORED, replace=False))
    return Clips(
        arrays=read_inputs(model, store, rows),
        source=f"{len(rows)} clips of the validation split",
        labels=store.labels[rows],
        groups=store.groups[rows],
    )


def random_clips(model: keras.Model, *, seed: int = 0) -> Clips:
    """Draw random noise in the shape of clips, each with its own brightness and contrast.

    It is used if the store is not available.
    """
    rng = np.random.default_rng(seed)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for tensor in model.inputs:
        sides = tuple(tensor.shape[1:])
        noise = rng.normal(size=(CLIPS, *sides))
        if tensor.dtype == "uint8":
            low, high = np.sort(rng.uniform(0, 256, (2, CLIPS, *(1 for _ in sides))), axis=0)
            noise = rng.uniform(low, high, (CLIPS, *sides))
        arrays[tensor.name] = noise.astype(tensor.dtype)
    return Clips(arrays, f"{CLIPS} clips of noise, seed {seed}")


def export_all(
    model: keras.Model,
    formats: Sequence[Format],
    precisions: Sequence[str],
    clips: Clips,
    folder: Path,
    on_row: Callable[[Exported], None] = lambda row: None,
) -> list[Exported]:
    """Export a detector to every format and certify each file; one that fails stops no other.

    Args:
        model: a detector in float32.
        formats: formats to write.
        precisions: beside float32; passed over where the format does not offer them.
        clips: clips for every file.
        folder: folder of the files.
        on_row: Called with every finished row.
    """
    size = len(next(iter(clips.arrays.values())))
    batches = (
        {name: array[start : start + 8] for name, array in clips.arrays.items()}
        for start in range(0, size, 8)
    )
    original = np.concatenate([probabilities(model, batch) for batch in batches])
    rows = []
    with tempfile.TemporaryDirectory(prefix="dfsearch-") as name:
        paths = {}
        for tensor, array in clips.arrays.items():
            paths[tensor] = str(Path(name) / f"{tensor}.npy")
            np.save(paths[tensor], array)
        for wanted in formats:
            for precision in wanted.precisions:
                if precision not in (FLOAT32, *precisions):
                    continue
                row = _exported(model, wanted, precision, folder, paths, clips, original)
                rows.append(row)
                on_row(row)
    return rows


def _exported(
    model: keras.Model,
    wanted: Format,
    precision: str,
    folder: Path,
    paths: dict[str, str],
    clips: Clips,
    original: npt.NDArray[np.float32],
) -> Exported:
    row = Exported(wanted.name, precision)
    missing = missing_packages(wanted)
    if missing:
        reason = f"needs {', '.join(missing)}: pip install 'deepfake-model-search[export]'"
        return dataclasses.replace(row, error=reason)
    try:
        path = export_to(model, wanted, precision, folder)
    except Exception as error:  # converters raise any exception on unknown layers
        return dataclasses.replace(row, error=f"cannot be written: {_in_short(error)}")
    row = dataclasses.replace(
        row,
        file=path.name,
        bytes=size_in_bytes(path),
        sha256="" if path.is_dir() else ModelFile.from_path(path).sha256,
    )
    try:
        answers, facts = run_alone(wanted.name, path, paths)
    except RuntimeError as error:
        return dataclasses.replace(row, error=f"does not run: {error}")
    if sorted(facts["inputs"]) != sorted(clips.arrays):
        return dataclasses.replace(row, error=f"takes {facts['inputs']}, not {list(clips.arrays)}")
    try:
        check_probabilities(answers[:, None], len(original))
    except ScoreError as error:
        return dataclasses.replace(row, error=str(error))
    row = dataclasses.replace(
        row,
        difference=float(np.abs(answers - original).max()),
        milliseconds=round(1000 * float(np.median(facts["seconds"])), 3),
    )
    if clips.labels is None or clips.groups is None or len(np.unique(clips.labels)) < 2:
        return row
    return dataclasses.replace(
        row,
        auc=_Auc(clips.labels, answers)(np.ones(len(answers), np.int64)),
        original_auc=_Auc(clips.labels, original)(np.ones(len(answers), np.int64)),
        auc_change=auc_change(clips.labels, clips.groups, answers, original),
    )


def run_alone(
    kind: str, path: Path, clips: dict[str, str]
) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    """Run an exported file in a process with its runtime and without this project.

    Args:
        kind: name of the format.
        path: the file or folder.
        clips: ``.npy`` files by the names of inputs.

    Returns:
        Probabilities (n,), and the other output of :mod:`artifacts.models.runtimes`.

    Raises:
        RuntimeError: It does not load, or stops; the message is the last line of its output.
    """
    with tempfile.TemporaryDirectory(prefix="dfsearch-") as name:
        request = Path(name) / "request.json"
        # TensorFlow takes a path with [, * or ? for a pattern when it loads a SavedModel.
        (Path(name) / "exports").symlink_to(path.resolve().parent)
        model = str(Path("exports", path.name))
        asked = {"format": kind, "model": model, "clips": clips, "answers": name}
        request.write_text(json.dumps(asked), encoding="utf-8")
        program = [sys.executable, "-P", runtimes.__file__, str(request)]
        try:
            done = subprocess.run(
                program,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60 * _MINUTES,
                cwd=name,
                # It only reads, and some file systems have no locks.
                env=keras_environment()
                | {"TF_CPP_MIN_LOG_LEVEL": "3", "HDF5_USE_FILE_LOCKING": "FALSE"},
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"no answer within {_MINUTES} minutes") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise RuntimeError(one_line(lines[-1])[:300])
        facts = json.loads((Path(name) / "answers.json").read_text(encoding="utf-8"))
        return np.load(Path(name) / "answers.npy"), facts


def auc_change(
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.str_],
    answers: npt.NDArray[np.float32],
    original: npt.NDArray[np.float32],
) -> Interval:
    """Return the 95% interval of the difference in AUC from the original, paired draws."""

    ours, theirs = _Auc(labels, answers), _Auc(labels, original)

    def measure(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        return {"change": ours(weights) - theirs(weights)}

    return group_intervals(measure, labels, groups, 0)["change"]


class _Auc:
    """AUC of fixed scores where clip i counts ``weights[i]`` times, ties counting half."""

    def __init__(self, labels: npt.NDArray[np.integer], scores: npt.NDArray[np.float32]) -> None:
        self._fake = labels == 1
        _, self._place = np.unique(scores, return_inverse=True)

    def __call__(self, weights: npt.NDArray[np.integer]) -> float:
        fakes = np.bincount(self._place, weights * self._fake)
        reals = np.bincount(self._place, weights * ~self._fake)
        below = np.cumsum(reals) - reals / 2
        return float((fakes * below).sum() / (fakes.sum() * reals.sum()))


def _in_short(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)[:300]
