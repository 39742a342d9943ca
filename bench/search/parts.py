"""The parts of ``bench.search``: runs of the engines and their records."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.search.engines import ENGINES, OURS
from bench.search.material import FROZEN, MEMORY, RESNET50, SMALL, UNFROZEN, Case
from bench.search.overhead import SPENT
from bench.search.watch import Event, ProcessRecord, watch_process

Log = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements.

    Attributes:
        frozen, unfrozen, memory: The cases.
        small_memory: A store a tenth of that size; our memory should not depend on it.
        minutes: Duration of each search, by case and for every seed.
        strides: Frame strides of stock engines with the frozen network, one trial each. The time of
            a trial is proportional to its frames, and time is too short for random draws.
        fewest, most: Number of trials of every other search; below ``fewest`` it continues past
            the time limit.
        scaling_trials: Trials of our search with one worker and with two.
        rounds: Rounds of the overhead.
        seeds: Seeds of the searches.
    """

    frozen: Case
    unfrozen: Case
    memory: Case
    small_memory: Case
    minutes: Mapping[str, float]
    strides: tuple[int, ...]
    fewest: int
    most: int
    scaling_trials: int
    rounds: int
    seeds: tuple[int, ...]


FULL = Sizes(
    frozen=Case(FROZEN, RESNET50, clips=320, frames=8, side=112, epochs=10),
    unfrozen=Case(UNFROZEN, SMALL, clips=240, frames=8, side=64, epochs=6),
    memory=Case(MEMORY, SMALL, clips=3840, frames=16, side=128, epochs=1),
    small_memory=Case(MEMORY, SMALL, clips=384, frames=16, side=128, epochs=1),
    minutes={FROZEN: 10, UNFROZEN: 4},
    strides=(2, 1, 4),
    fewest=2,
    most=500,
    scaling_trials=12,
    rounds=5,
    seeds=(0,),
)
# Two parts in twenty minutes, so that every bench fits in an hour.
SHORT = dataclasses.replace(
    FULL,
    strides=(2,),
    minutes={FROZEN: 5, UNFROZEN: 2},
    fewest=1,
    scaling_trials=6,
    rounds=2,
)
QUICK = Sizes(
    frozen=Case(FROZEN, RESNET50, clips=20, frames=3, side=32, epochs=1),
    unfrozen=Case(UNFROZEN, SMALL, clips=40, frames=3, side=32, epochs=1),
    memory=Case(MEMORY, SMALL, clips=200, frames=4, side=64, epochs=1),
    small_memory=Case(MEMORY, SMALL, clips=20, frames=4, side=64, epochs=1),
    minutes={FROZEN: 0, UNFROZEN: 0},
    strides=(1, 2),
    fewest=1,
    most=2,
    scaling_trials=2,
    rounds=1,
    seeds=(0,),
)


@dataclasses.dataclass(frozen=True)
class SearchRecord:
    """Record of one search by one engine.

    Attributes:
        engine: One of :data:`bench.search.engines.ENGINES`.
        case, seed, workers: Settings of the search.
        ends: Seconds at which its trials ended.
        aucs: Best validation AUC of each trial; ``None`` if it failed.
        peak, own_peak: Bytes, see :class:`bench.search.watch.ProcessRecord`.
        notes: Failures, and the reason of an abnormal end.
    """

    engine: str
    case: Case
    seed: int
    workers: int
    ends: list[float]
    aucs: list[float | None]
    peak: int
    own_peak: int
    notes: list[str]

    @property
    def per_hour(self) -> float | None:
        """Trials an hour, from the start to the end of the last trial."""
        return 3600 * len(self.ends) / self.ends[-1] if self.ends else None

    def best_at(self, seconds: float) -> float | None:
        """Return the best validation AUC of the trials that had ended by then."""
        pairs = zip(self.ends, self.aucs, strict=True)
        return max((auc for end, auc in pairs if end <= seconds and auc is not None), default=None)


def run_searches(name: str, sizes: Sizes, folder: Path, log: Log) -> list[SearchRecord]:
    """Run every engine on the frozen or the unfrozen case, for each seed."""
    case = {FROZEN: sizes.frozen, UNFROZEN: sizes.unfrozen}[name]
    prepare_case(case, folder)

    def enough(events: list[Event], seconds: float) -> bool:
        done = sum("trial" in event for event in events)
        return done >= sizes.most or (done >= sizes.fewest and seconds >= 60 * sizes.minutes[name])

    found = []
    for seed in sizes.seeds:
        for engine in ENGINES:
            log(f"{name}, seed {seed}: {engine}")
            if name == UNFROZEN or engine == OURS:
                found.append(_search(engine, case, folder, enough, seed=seed, trials=sizes.most))
            else:
                found.append(_search_strides(engine, case, folder, seed, sizes.strides))
    return found


def _search_strides(
    engine: str, case: Case, folder: Path, seed: int, strides: Sequence[int]
) -> SearchRecord:
    """Run one trial of each frame stride, each in a fresh engine."""
    cases = [dataclasses.replace(case, stride=stride) for stride in strides]
    found = [_search(engine, one, folder, _has_trial, seed=seed, trials=1) for one in cases]
    return concatenate(case, found)


def concatenate(case: Case, found: Sequence[SearchRecord]) -> SearchRecord:
    """Return searches of one trial each as one search that ran them in sequence.

    Args:
        case: Case of all of them.
        found: Searches, at least one.
    """
    durations = [one.ends[-1] if one.ends else 0.0 for one in found]
    starts = [sum(durations[:place]) for place in range(len(found))]
    return dataclasses.replace(
        found[0],
        case=case,
        ends=[start + end for start, one in zip(starts, found, strict=True) for end in one.ends],
        aucs=[auc for one in found for auc in one.aucs],
        peak=max(one.peak for one in found),
        own_peak=max(one.own_peak for one in found),
        notes=[note for one in found for note in one.notes],
    )


def measure_memory(sizes: Sizes, folder: Path, log: Log) -> list[SearchRecord]:
    """Run one trial of every engine on a store of gigabytes, and ours on a small one."""
    found = []
    for case, engine in [(sizes.small_memory, OURS), *((sizes.memory, one) for one in ENGINES)]:
        prepare_case(case, folder)
        log(f"memory, {case.gigabytes:.2f} GB: {engine}")
        found.append(_search(engine, case, folder, _has_trial, trials=1))
    return found


def measure_scaling(sizes: Sizes, folder: Path, log: Log) -> list[SearchRecord]:
    """Run our search with one worker and with two, with equal trials."""
    prepare_case(sizes.unfrozen, folder)
    found = []
    for workers in (1, 2):
        log(f"scaling: {workers} of 2")

        def enough(events: list[Event], seconds: float) -> bool:
            return sum("trial" in event for event in events) >= sizes.scaling_trials

        found.append(
            _search(
                OURS,
                sizes.unfrozen,
                folder,
                enough,
                workers=workers,
                trials=sizes.scaling_trials,
            )
        )
    return found


def measure_overhead(sizes: Sizes, folder: Path, log: Log) -> list[Event]:
    """Return the times of our trial and of plain ``fit`` in turns, one event each."""
    prepare_case(sizes.unfrozen, folder)
    log(f"overhead: {sizes.rounds} rounds")
    out = folder / "overhead.jsonl"
    out.unlink(missing_ok=True)
    arguments = ["--case", _to_json(sizes.unfrozen), "--folder", str(folder), "--out", str(out)]
    done = watch_process(
        ["-m", "bench.search.overhead", *arguments, "--rounds", str(sizes.rounds)], out
    )
    if done.ended:
        raise RuntimeError(f"overhead: {done.ended}; see {out.with_suffix('.stderr')}")
    return [event for event in done.events if SPENT in event]


def prepare_case(case: Case, folder: Path) -> None:
    """Make store and weights in another process, to keep this one small."""
    out = folder / "prepare.jsonl"
    arguments = ["--case", _to_json(case), "--folder", str(folder), "--out", str(out)]
    done = watch_process(["-m", "bench.search.engines", *arguments], out)
    if done.ended:
        raise RuntimeError(f"{case}: {done.ended}; see {out.with_suffix('.stderr')}")


def _has_trial(events: list[Event], seconds: float) -> bool:
    return any("trial" in event for event in events)


def _search(
    engine: str,
    case: Case,
    folder: Path,
    enough: Callable[[list[Event], float], bool],
    *,
    seed: int = 0,
    workers: int = 1,
    trials: int,
) -> SearchRecord:
    out = folder / f"{case.name}-{case.stride or 'any'}-{engine}-{seed}-{workers}.jsonl"
    out.unlink(missing_ok=True)
    arguments = ["--case", _to_json(case), "--folder", str(folder), "--out", str(out)]
    settings = {"engine": engine, "seed": seed, "workers": workers, "trials": trials}
    for name, value in settings.items():
        arguments += [f"--{name}", str(value)]
    done = watch_process(["-m", "bench.search.engines", *arguments], out, enough=enough)
    return read_search(engine, case, done, seed=seed, workers=workers, trials=trials)


def read_search(
    engine: str, case: Case, done: ProcessRecord, *, seed: int, workers: int, trials: int
) -> SearchRecord:
    """Return the record of a search; trainings after its last trial are not counted."""
    ended: Sequence[Event] = [event for event in done.events if "trial" in event][:trials]
    notes = []
    failed = [event["why"] for event in ended if event["state"] != "complete"]
    notes += [f"{len(failed)} of {len(ended)} trials failed: {failed[0]}"] if failed else []
    notes += [done.ended] if done.ended else []
    return SearchRecord(
        engine,
        case,
        seed,
        workers,
        [event["seconds"] for event in ended],
        [event["auc"] for event in ended],
        done.peak,
        done.own_peak,
        notes,
    )


def _to_json(case: Case) -> str:
    return json.dumps(dataclasses.asdict(case))
