"""The benches of ``make bench``: how each is called, how long it may take, what it needs.

Sizes are chosen so that all of them end within an hour of two cores; the minutes, together less
than an hour, are where each is stopped, later if others took less. ``quick`` is what shows within
seconds or a few minutes that a bench runs; its figures mean nothing.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from bench.shared.material import short_set

ROOT = Path(__file__).parents[2]
"""Folder of the package ``bench``."""

REAL_DATA = "DFSEARCH_REAL_DATA"
KEPT = "KEPT"
"""In arguments, the folder that a bench may keep things in."""

PREPARATION, SEARCH, PREDICTION = "preparation", "search", "prediction"
ACCURACY, STORAGE = "accuracy", "storage"


@dataclasses.dataclass(frozen=True)
class Bench:
    """One bench and how it is called.

    Attributes:
        name: of its module in the package ``bench``.
        arguments: for figures that mean something.
        quick: for a trial.
        minutes: after which it is stopped, and those that benches before it have not taken.
        needs_real: whether it cannot run without :data:`REAL_DATA`; a trial has drawn videos.
        detectors, quick_detectors: that it has to tell of, where it trains any.
    """

    name: str
    arguments: str
    quick: str
    minutes: float
    needs_real: bool = False
    detectors: tuple[str, ...] = ()
    quick_detectors: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Its dotted name."""
        return f"bench.{self.name}"

    def arguments_of(self, *, quick: bool) -> str:
        """Arguments with :data:`KEPT` in the place of a folder."""
        return self.quick if quick else self.arguments

    def told_of(self, *, quick: bool) -> tuple[str, ...]:
        """Detectors that a call has to tell of."""
        return self.quick_detectors if quick else self.detectors

    def called(self, kept: Path, *, quick: bool) -> list[str]:
        """Arguments of a call.

        Args:
            kept: a folder of its own.
            quick: whether it is a trial.
        """
        arguments = self.arguments_of(quick=quick).split()
        return [argument.replace(KEPT, str(kept)) for argument in arguments]

    def command(self, *, quick: bool) -> str:
        """The call as one types it."""
        called = self.called(Path("RESULTS"), quick=quick)
        # Patterns are not for the shell to fill in.
        shown = shlex.join(argument for argument in called if argument != "--json")
        where = f"{REAL_DATA}=FOLDER " if self.needs_real else ""
        return f"{where}python -m {self.module} {shown}".rstrip()


_DETECTORS, _QUICK_DETECTORS = ("noise_residual", "no-pseudo-fakes"), ("micro_expression",)


def _rows(detectors: Sequence[str]) -> str:
    """Patterns of all their rows."""
    return ",".join(f"{name}-*" for name in detectors)


BENCHES: Sequence[Bench] = (
    Bench(
        STORAGE,
        "--json",
        "--clips 16 --rounds 1 --passes 2 --json",
        minutes=3,
    ),
    Bench(
        PREDICTION,
        "--json",
        "--seconds 2 --rounds 1 --json",
        minutes=4,
    ),
    Bench(
        PREPARATION,
        f"--only 12 --rounds 2 --keep {KEPT} --json",
        f"--only 12 --rounds 1 --quick --keep {KEPT} --json",
        minutes=11,
    ),
    Bench(
        ACCURACY,
        f"--keep {KEPT} --folds --seeds 0 --only {_rows(_DETECTORS)} --minutes 16 --json",
        f"--keep {KEPT} --seeds 0 --only {_rows(_QUICK_DETECTORS)} --minutes 4 --json",
        minutes=18,
        needs_real=True,
        detectors=_DETECTORS,
        quick_detectors=_QUICK_DETECTORS,
    ),
    Bench(
        SEARCH,
        "--only frozen,overhead --short --json",
        "--only frozen,overhead --quick --json",
        minutes=23,
    ),
)
"""In the order they run, the short ones first."""


def environment(bench: Bench, kept: Path, *, quick: bool) -> dict[str, str] | str:
    """What a bench runs with, or why it cannot run.

    A trial never looks at real videos: they take longer than seconds.

    Args:
        bench: which.
        kept: a folder of its own.
        quick: whether it is a trial.
    """
    found = dict(os.environ)
    if quick:
        found.pop(REAL_DATA, None)
        if bench.needs_real:
            found[REAL_DATA] = str(_drawn(kept))
    elif bench.needs_real and not Path(found.get(REAL_DATA, "") or os.devnull).is_dir():
        return (
            f"{REAL_DATA} names no folder of real videos, and accuracy on drawn ones says nothing; "
            f"run {REAL_DATA}=FOLDER make bench"
        )
    return found


def _drawn(kept: Path) -> Path:
    """A folder as :data:`REAL_DATA` names one, with SYNTHETIC people."""
    folder = kept / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    drawn, named = short_set(folder).root, folder / "ffpp"
    if not named.exists():
        named.symlink_to(drawn.resolve(), target_is_directory=True)
    return folder


def chosen(names: str) -> list[Bench]:
    """Benches by their names, comma-separated; all where there is none.

    Raises:
        ValueError: one is not known.
    """
    wanted = [name for name in names.split(",") if name]
    known = [bench.name for bench in BENCHES]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no bench {', '.join(unknown)}; there are {', '.join(known)}")
    return [bench for bench in BENCHES if not wanted or bench.name in wanted]
