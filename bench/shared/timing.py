"""Timers of runs, their workers and the rest of the machine."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import psutil


@dataclasses.dataclass(frozen=True)
class Time:
    """Duration of one run.

    Attributes:
        wall: Wall time, seconds.
        cpu: Processor time of this process and its workers, user and system, seconds.
        others: Processor time of all other processes meanwhile, seconds.
    """

    wall: float
    cpu: float
    others: float


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Speed of one run relative to another, by wall time and by processor time; medians."""

    wall: float
    cpu: float


def time_run(run: Callable[[], object]) -> Time:
    """Return the duration of a run; workers that it starts must stay alive, as with joblib."""
    wall, own, busy = time.perf_counter(), _own_cpu(), _busy_cpu()
    run()
    wall, own = time.perf_counter() - wall, _own_cpu() - own
    return Time(wall, own, max(0.0, _busy_cpu() - busy - own))


def time_in_turns(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Time]]:
    """Time all runs in each round, so that noise on the machine affects all of them."""
    times: dict[str, list[Time]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(time_run(run))
    return times


def compare_speed(ours: list[Time], theirs: list[Time]) -> Ratio:
    """Return the speed of the first run relative to the second, round by round."""
    pairs = list(zip(ours, theirs, strict=True))
    return Ratio(
        wall=statistics.median(other.wall / one.wall for one, other in pairs),
        cpu=statistics.median(other.cpu / one.cpu for one, other in pairs),
    )


def sum_times(times: Sequence[Time]) -> Time:
    """Return the total duration of several runs."""
    return Time(*(sum(parts) for parts in zip(*map(dataclasses.astuple, times), strict=True)))


def count_busy_cores(times: list[Time]) -> tuple[float, float]:
    """Return the mean number of cores that the run and all other processes kept busy."""
    wall = sum(one.wall for one in times)
    return sum(one.cpu for one in times) / wall, sum(one.others for one in times) / wall


def describe_machine() -> str:
    """Return processor, memory, load and versions as text."""
    packages = ("av", "opencv-python", "h5py", "numpy")
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{read_processor_name()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 1e9:.0f} GB; "
        f"load {load}; Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages)
    )


def read_processor_name() -> str:
    """Return the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _own_cpu() -> float:
    process = psutil.Process()
    every = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in every)


def _busy_cpu() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)
