"""Runs of benches in their own processes, and kept records of their figures."""

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
from bench.shared.timing import read_processor_name
from bench.suite import benches
from bench.suite.benches import Bench, build_environment

PACKAGES = (
    *("deepfake-model-search", "tensorflow", "keras", "autokeras", "keras-tuner", "optuna"),
    *("numpy", "h5py", "av", "opencv-python"),
)
_GRACE_SECONDS = 20


class NotRunError(Exception):
    """A bench cannot run on this machine; the message has the reason."""


class FailedError(Exception):
    """A bench failed; the message has the reason."""


@dataclasses.dataclass(frozen=True)
class Record:
    """Figures of one bench with time and machine.

    Attributes:
        arguments: Arguments without its folder.
        date: Start time, ISO 8601, UTC.
        minutes: Duration.
        load: Load of the machine before the start: mean number of busy processes in a minute.
        machine: Processor, cores, memory, Python and packages, by name.
        figures: Its JSON output.
    """

    arguments: str
    date: str
    minutes: float
    load: float
    machine: dict[str, str]
    figures: Any


def read_record(bench: Bench, folder: Path, *, quick: bool) -> Record | None:
    """Return the kept record of the same command, ``None`` if there is none.

    Args:
        bench: Bench of the record.
        folder: Folder of all records.
        quick: Whether this is a quick check.
    """
    try:
        values = json.loads(_record_path(bench, folder).read_text(encoding="utf-8"))
        record = Record(**values)
    except (OSError, ValueError, TypeError):
        return None
    return record if record.arguments == bench.select_arguments(quick=quick) else None


def run(bench: Bench, folder: Path, *, minutes: float, quick: bool, fresh: bool = False) -> Record:
    """Run a bench and keep its figures.

    Standard error, with its progress, goes to ``<name>.log`` in the folder.

    Args:
        bench: Bench to run.
        folder: Folder of all records.
        minutes: Time limit.
        quick: Whether this is a quick check.
        fresh: Whether to remove the kept files of the bench first.

    Raises:
        NotRunError: It cannot run on this machine.
        FailedError: It failed, exceeded the time limit or printed no JSON.
    """
    bench_folder = folder / bench.name
    if fresh:
        shutil.rmtree(bench_folder, ignore_errors=True)
    bench_folder.mkdir(parents=True, exist_ok=True)
    environment = build_environment(bench, bench_folder, quick=quick)
    if isinstance(environment, str):
        raise NotRunError(environment)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    load, began = os.getloadavg()[0], time.monotonic()
    text = _run_process(
        bench,
        bench.build_arguments(bench_folder, quick=quick),
        minutes,
        environment,
        folder / f"{bench.name}.log",
    )
    try:
        figures = json.loads(text)
    except ValueError:
        raise FailedError("it printed no JSON") from None
    minutes_taken = (time.monotonic() - began) / 60
    arguments = bench.select_arguments(quick=quick)
    record = Record(
        arguments, date, minutes_taken, load, collect_facts(), _replace_non_finite(figures)
    )
    write_json(_record_path(bench, folder), dataclasses.asdict(record))
    return record


def collect_facts() -> dict[str, str]:
    """Return the facts of this machine and its packages by name."""
    facts = {
        "processor": read_processor_name(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": platform.system(),
        "Python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    return facts


def _record_path(bench: Bench, folder: Path) -> Path:
    return folder / f"{bench.name}.json"


def _run_process(
    bench: Bench, arguments: list[str], minutes: float, environment: dict[str, str], log: Path
) -> str:
    """Return the standard output of a bench that succeeds in time."""
    command = [sys.executable, "-m", bench.module, *arguments]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
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
        last = lines[-1].strip() if lines else "no message"
        raise FailedError(f"exit code {process.returncode}: {last}; see {log}")
    return text


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop a bench and all processes of its session."""
    if process.poll() is not None:
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, sent)
        try:
            process.communicate(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _replace_non_finite(value: Any) -> Any:
    """Return the value with ``None`` for non-finite numbers, which JSON lacks."""
    if isinstance(value, dict):
        return {name: _replace_non_finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_replace_non_finite(one) for one in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value
