"""The parts of ``bench.search``: what is run, and what is read off it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.search.engines import ENGINES, OURS
from bench.search.material import FROZEN, MEMORY, RESNET50, SMALL, UNFROZEN, Case
from bench.search.overhead import SPENT
from bench.search.watch import Event, Watched, watched

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        frozen, unfrozen, memory: the cases.
        small_memory: a store a tenth as large, in which ours should take as much memory.
        minutes: each engine searches, by case; of every seed.
        strides: frame strides that stock engines are given with the frozen network, a trial each:
            what one takes is in proportion to the frames it looks at, and they have no time for
            draws enough to say how long it takes in the middle.
        fewest, most: trials of each other search: it goes on until it has the fewest.
        scaling_trials: of our search with one worker and with two.
        rounds: of the overhead.
        seeds: of searches.
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
# Some parts in a third of an hour, for those who rerun every bench in an hour.
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
class Searched:
    """One search by one engine.

    Attributes:
        engine: of :data:`search_engines.ENGINES`.
        case, seed, workers: what was searched and how.
        ends: seconds at which its trials ended.
        aucs: best validation AUC of each; None of a trial that failed.
        peak, own_peak: bytes, see :class:`search_watch.Watched`.
        notes: what failed, and how it ended where that was not well.
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
        """Trials, from the start to the end of the last."""
        return 3600 * len(self.ends) / self.ends[-1] if self.ends else None

    def best_at(self, seconds: float) -> float | None:
        """Best validation AUC of the trials that have ended by then."""
        pairs = zip(self.ends, self.aucs, strict=True)
        return max((auc for end, auc in pairs if end <= seconds and auc is not None), default=None)


def searches(name: str, sizes: Sizes, folder: Path, say: Say) -> list[Searched]:
    """Every engine on the frozen or on the unfrozen case, a seed after the other."""
    case = {FROZEN: sizes.frozen, UNFROZEN: sizes.unfrozen}[name]
    prepare(case, folder)

    def enough(events: list[Event], seconds: float) -> bool:
        done = sum("trial" in event for event in events)
        return done >= sizes.most or (done >= sizes.fewest and seconds >= 60 * sizes.minutes[name])

    found = []
    for seed in sizes.seeds:
        for engine in ENGINES:
            say(f"{name}, seed {seed}: {engine}")
            if name == UNFROZEN or engine == OURS:
                found.append(_search(engine, case, folder, enough, seed=seed, trials=sizes.most))
            else:
                found.append(_of_strides(engine, case, folder, seed, sizes.strides))
    return found


def _of_strides(
    engine: str, case: Case, folder: Path, seed: int, strides: Sequence[int]
) -> Searched:
    """One trial of each frame stride, by an engine that begins anew."""
    cases = [dataclasses.replace(case, stride=stride) for stride in strides]
    found = [_search(engine, one, folder, _one_trial, seed=seed, trials=1) for one in cases]
    return in_a_row(case, found)


def in_a_row(case: Case, found: Sequence[Searched]) -> Searched:
    """Searches of one trial each as one search, each begun when the one before it ended.

    Args:
        case: of all of them.
        found: at least one.
    """
    lasted = [one.ends[-1] if one.ends else 0.0 for one in found]
    starts = [sum(lasted[:place]) for place in range(len(found))]
    return dataclasses.replace(
        found[0],
        case=case,
        ends=[start + end for start, one in zip(starts, found, strict=True) for end in one.ends],
        aucs=[auc for one in found for auc in one.aucs],
        peak=max(one.peak for one in found),
        own_peak=max(one.own_peak for one in found),
        notes=[note for one in found for note in one.notes],
    )


def memory(sizes: Sizes, folder: Path, say: Say) -> list[Searched]:
    """One trial of every engine on a store of gigabytes; ours on a small one before."""
    found = []
    for case, engine in [(sizes.small_memory, OURS), *((sizes.memory, one) for one in ENGINES)]:
        prepare(case, folder)
        say(f"memory, {case.gigabytes:.2f} GB: {engine}")
        found.append(_search(engine, case, folder, _one_trial, trials=1))
    return found


def scaling(sizes: Sizes, folder: Path, say: Say) -> list[Searched]:
    """Our search with one worker and with two, the same trials."""
    prepare(sizes.unfrozen, folder)
    found = []
    for workers in (1, 2):
        say(f"scaling: {workers} of 2")

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


def overhead(sizes: Sizes, folder: Path, say: Say) -> list[Event]:
    """Times of our trial and of a bare ``fit`` in turns, one event a round and way."""
    prepare(sizes.unfrozen, folder)
    say(f"overhead: {sizes.rounds} rounds")
    out = folder / "overhead.jsonl"
    out.unlink(missing_ok=True)
    arguments = ["--case", _as_text(sizes.unfrozen), "--folder", str(folder), "--out", str(out)]
    done = watched(["-m", "bench.search.overhead", *arguments, "--rounds", str(sizes.rounds)], out)
    if done.ended:
        raise RuntimeError(f"overhead: {done.ended}; see {out.with_suffix('.stderr')}")
    return [event for event in done.events if SPENT in event]


def prepare(case: Case, folder: Path) -> None:
    """Make store and weights in a process of its own, so that this one stays small."""
    out = folder / "prepare.jsonl"
    arguments = ["--case", _as_text(case), "--folder", str(folder), "--out", str(out)]
    done = watched(["-m", "bench.search.engines", *arguments], out)
    if done.ended:
        raise RuntimeError(f"{case}: {done.ended}; see {out.with_suffix('.stderr')}")


def _one_trial(events: list[Event], seconds: float) -> bool:
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
) -> Searched:
    out = folder / f"{case.name}-{case.stride or 'any'}-{engine}-{seed}-{workers}.jsonl"
    out.unlink(missing_ok=True)
    arguments = ["--case", _as_text(case), "--folder", str(folder), "--out", str(out)]
    settings = {"engine": engine, "seed": seed, "workers": workers, "trials": trials}
    for name, value in settings.items():
        arguments += [f"--{name}", str(value)]
    done = watched(["-m", "bench.search.engines", *arguments], out, enough=enough)
    return read_off(engine, case, done, seed=seed, workers=workers, trials=trials)


def read_off(
    engine: str, case: Case, done: Watched, *, seed: int, workers: int, trials: int
) -> Searched:
    """What a watched search did; what an engine trains after its last trial is not counted."""
    ended: Sequence[Event] = [event for event in done.events if "trial" in event][:trials]
    notes = []
    failed = [event["why"] for event in ended if event["state"] != "complete"]
    notes += [f"{len(failed)} of {len(ended)} trials failed: {failed[0]}"] if failed else []
    notes += [done.ended] if done.ended else []
    return Searched(
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


def _as_text(case: Case) -> str:
    return json.dumps(dataclasses.asdict(case))
