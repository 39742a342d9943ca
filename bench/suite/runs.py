"""One bench in a process of its own; what it told is kept, so that it is not measured twice."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from artifacts.run_directory import write_json
from bench.shared.measure import processor
from bench.suite import benches
from bench.suite.benches import Bench, environment

PACKAGES = (
    *("deepfake-model-search", "tensorflow", "keras", "autokeras", "keras-tuner", "optuna"),
    *("numpy", "h5py", "av", "opencv-python"),
)
_GRACE_SECONDS = 20


class NotRunError(Exception):
    """A bench cannot run here; the message says why."""


class FailedError(Exception):
    """A bench failed; the message says how."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What one bench told, and where and when.

    Attributes:
        arguments: it was called with, but for its folder.
        date: when it began, ISO 8601, UTC.
        minutes: it took.
        load: of the machine before it began: mean number of busy processes in a minute.
        machine: processor, cores, memory, Python and packages, by name.
        told: its JSON.
    """

    arguments: str
    date: str
    minutes: float
    load: float
    machine: dict[str, str]
    told: Any


def kept_record(bench: Bench, folder: Path, *, quick: bool) -> Record | None:
    """What was measured before by the same call; ``None`` where there is no such thing.

    Args:
        bench: which.
        folder: of all records.
        quick: whether it is a trial.
    """
    try:
        values = json.loads(_file(bench, folder).read_text(encoding="utf-8"))
        record = Record(**values)
    except (OSError, ValueError, TypeError):
        return None
    return record if record.arguments == bench.arguments_of(quick=quick) else None


def run(bench: Bench, folder: Path, *, minutes: float, quick: bool, fresh: bool = False) -> Record:
    """Run a bench and keep what it told.

    Standard error, which says how far it is, goes to ``<name>.log`` in the folder.

    Args:
        bench: which.
        folder: of all records.
        minutes: after which it is stopped.
        quick: whether it is a trial.
        fresh: remove what the bench itself has kept.

    Raises:
        NotRunError: it cannot run here.
        FailedError: it failed, took too long or told no JSON.
    """
    own = folder / bench.name
    if fresh:
        shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, exist_ok=True)
    found = environment(bench, own, quick=quick)
    if isinstance(found, str):
        raise NotRunError(found)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    load, began = os.getloadavg()[0], time.monotonic()
    text = _output(
        bench, bench.called(own, quick=quick), minutes, found, folder / f"{bench.name}.log"
    )
    try:
        told = json.loads(text)
    except ValueError:
        raise FailedError("it told no JSON") from None
    took = (time.monotonic() - began) / 60
    arguments = bench.arguments_of(quick=quick)
    record = Record(arguments, date, took, load, machine(), _finite(told))
    write_json(_file(bench, folder), dataclasses.asdict(record))
    return record


def machine() -> dict[str, str]:
    """What is measured on."""
    found = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": platform.system(),
        "Python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _file(bench: Bench, folder: Path) -> Path:
    return folder / f"{bench.name}.json"


def _output(
    bench: Bench, arguments: list[str], minutes: float, found: dict[str, str], log: Path
) -> str:
    """Standard output of a bench that ends well and in time."""
    command = [sys.executable, "-m", bench.module, *arguments]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=found,
            cwd=benches.ROOT,
            start_new_session=True,
        )
        try:
            text, _ = process.communicate(timeout=60 * minutes)
        except subprocess.TimeoutExpired:
            raise FailedError(f"stopped after {minutes:.0f} minutes; see {log}") from None
        finally:
            _stop(process)
    if process.returncode:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-1].strip() if lines else "it said nothing"
        raise FailedError(f"exit code {process.returncode}: {last}; see {log}")
    return text


def _stop(process: subprocess.Popen[str]) -> None:
    """End a bench and all it has started, which are in one session."""
    if process.poll() is not None:
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, sent)
        try:
            process.communicate(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _finite(value: Any) -> Any:
    """The same with ``None`` for what is no finite number, as JSON knows none."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value
