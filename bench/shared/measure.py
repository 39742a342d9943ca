"""What a bench measures with: time of a process and its workers, and runs that take turns."""

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
    """What one run took.

    Attributes:
        wall: seconds.
        cpu: seconds of this process and its workers, user and system.
        others: seconds of everything else on the machine meanwhile.
    """

    wall: float
    cpu: float
    others: float


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How many times one run's speed another has, by both clocks; medians over the rounds."""

    wall: float
    cpu: float


def timed(run: Callable[[], object]) -> Time:
    """What a run takes; workers it starts must live on, as those of joblib do."""
    wall, own, busy = time.perf_counter(), _own_cpu(), _busy_cpu()
    run()
    wall, own = time.perf_counter() - wall, _own_cpu() - own
    return Time(wall, own, max(0.0, _busy_cpu() - busy - own))


def in_turns(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Time]]:
    """Every run in every round, one after the other, so that a noisy machine hurts all alike."""
    times: dict[str, list[Time]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run))
    return times


def speed(of: list[Time], against: list[Time]) -> Ratio:
    """The speed of one run in terms of another, round by round."""
    pairs = list(zip(of, against, strict=True))
    return Ratio(
        wall=statistics.median(other.wall / own.wall for own, other in pairs),
        cpu=statistics.median(other.cpu / own.cpu for own, other in pairs),
    )


def total(times: Sequence[Time]) -> Time:
    """What several runs took together."""
    return Time(*(sum(parts) for parts in zip(*map(dataclasses.astuple, times), strict=True)))


def cores(times: list[Time]) -> tuple[float, float]:
    """Mean number of cores a run kept busy, and everything else meanwhile."""
    wall = sum(one.wall for one in times)
    return sum(one.cpu for one in times) / wall, sum(one.others for one in times) / wall


def machine() -> str:
    """What it was measured on."""
    packages = ("av", "opencv-python", "h5py", "numpy")
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB; "
        f"load {load}; Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages)
    )


def processor() -> str:
    """The name of the processor."""
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
