"""The benches of ``make bench``: arguments, time limits and requirements.

Sizes are chosen so that all benches end within an hour of two cores. The minutes, together less
than an hour, are the limit of each; time that earlier benches left is added. The ``quick``
arguments check within seconds or a few minutes that a bench runs; their figures mean nothing.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from bench.shared.videos import make_short_set

ROOT = Path(__file__).parents[2]
"""Folder of the package ``bench``."""

REAL_DATA = "DFSEARCH_REAL_DATA"
KEPT = "KEPT"
"""Placeholder in arguments for the folder of a bench."""

PREPARATION, SEARCH, PREDICTION = "preparation", "search", "prediction"
ACCURACY, STORAGE = "accuracy", "storage"


@dataclasses.dataclass(frozen=True)
class Bench:
    """One bench and its command line.

    Attributes:
        name: Name of its module in the package ``bench``.
        arguments: Arguments of a measurement.
        quick: Arguments of a quick check.
        minutes: Time limit, plus the time that earlier benches left.
        needs_real: Whether it requires :data:`REAL_DATA`; a quick check uses synthetic videos.
        detectors, quick_detectors: Detectors that its output must contain.
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
        """Dotted name of its module."""
        return f"bench.{self.name}"

    def select_arguments(self, *, quick: bool) -> str:
        """Return the arguments, with :data:`KEPT` in place of a folder."""
        return self.quick if quick else self.arguments

    def expected_detectors(self, *, quick: bool) -> tuple[str, ...]:
        """Return the detectors that the output must contain."""
        return self.quick_detectors if quick else self.detectors

    def build_arguments(self, kept: Path, *, quick: bool) -> list[str]:
        """Return the arguments as a list.

        Args:
            kept: Folder of the bench.
            quick: Whether this is a quick check.
        """
        arguments = self.select_arguments(quick=quick).split()
        return [argument.replace(KEPT, str(kept)) for argument in arguments]

    def build_command(self, *, quick: bool) -> str:
        """Return the command as a user types it."""
        build_arguments = self.build_arguments(Path("RESULTS"), quick=quick)
        # Quote patterns, so that the shell does not expand them.
        shown = shlex.join(argument for argument in build_arguments if argument != "--json")
        variable = f"{REAL_DATA}=FOLDER " if self.needs_real else ""
        return f"{variable}python -m {self.module} {shown}".rstrip()


_DETECTORS, _QUICK_DETECTORS = ("noise_residual", "no-pseudo-fakes"), ("micro_expression",)


def _list_patterns(detectors: Sequence[str]) -> str:
    """Return patterns of all rows of these detectors."""
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
        f"--keep {KEPT} --folds --seeds 0 --only {_list_patterns(_DETECTORS)} --minutes 16 --json",
        f"--keep {KEPT} --seeds 0 --only {_list_patterns(_QUICK_DETECTORS)} --minutes 4 --json",
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
"""Benches in the order they run, short ones first."""


def build_environment(bench: Bench, kept: Path, *, quick: bool) -> dict[str, str] | str:
    """Return the environment of a bench, or the reason it cannot run.

    A quick check never uses real videos, which take too long.

    Args:
        bench: Bench to run.
        kept: Folder of the bench.
        quick: Whether this is a quick check.
    """
    found = dict(os.environ)
    if quick:
        found.pop(REAL_DATA, None)
        if bench.needs_real:
            found[REAL_DATA] = str(_make_synthetic_data(kept))
    elif bench.needs_real and not Path(found.get(REAL_DATA, "") or os.devnull).is_dir():
        return (
            f"{REAL_DATA} names no folder of real videos, and accuracy on synthetic ones means "
            f"nothing; run {REAL_DATA}=FOLDER make bench"
        )
    return found


def _make_synthetic_data(kept: Path) -> Path:
    """Return a folder in the layout of :data:`REAL_DATA`, with SYNTHETIC people."""
    folder = kept / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    drawn, named = make_short_set(folder).root, folder / "ffpp"
    if not named.exists():
        named.symlink_to(drawn.resolve(), target_is_directory=True)
    return folder


def select(names: str) -> list[Bench]:
    """Return benches by comma-separated names; all if there is none.

    Raises:
        ValueError: A name is unknown.
    """
    wanted = [name for name in names.split(",") if name]
    known = [bench.name for bench in BENCHES]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"unknown bench {', '.join(unknown)}: choose from {', '.join(known)}")
    return [bench for bench in BENCHES if not wanted or bench.name in wanted]
