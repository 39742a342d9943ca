"""People in a file of plain folders, by the names of folders and files.

A detector must not be tested on people it was trained on. If folders or names may mean one person,
they are therefore one person. The person of a real is, in this order:

1. The folder below that of the label, at the first depth where there are three or more. Fewer
   are parts of a collection and count for nothing: two people make no train, val and test.
2. The code a name begins with: ``M030`` of ``M030_front_happy``, ``24`` of ``24__talking``.
3. The name without the number at its end: ``Ann_Lee`` of ``Ann_Lee_0002``, ``ann`` of ``ann2``.
   A part that more than half of the names share is a word, as in ``real_0002``, and no person.
4. The name.

A folder that contains a folder such as real/ is a data set with people of its own.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence

from data_prep.store.format import SPLITS
from data_prep.text import printable

_FEWEST_PEOPLE = 3
# Splits and compression levels: folders that stand in the way of people and name none.
_NOT_PEOPLE = frozenset(
    {*SPLITS, "training", "valid", "validation", "testing", "raw", "c0", "c23", "c40"}
)


@dataclasses.dataclass(frozen=True)
class Location:
    """Location of a file in a data set.

    Attributes:
        above: folders above the one of its label.
        below: folders below the one of its label.
        stem: its name without ending.
    """

    above: tuple[str, ...]
    below: tuple[str, ...]
    stem: str


@dataclasses.dataclass(frozen=True)
class _Rules:
    """Naming of people in the files of one label.

    Attributes:
        depth: depth of the folders that name a person, None if file names do.
        words: beginnings of file names that do not name a person.
    """

    depth: int | None
    words: frozenset[str]

    def folder(self, location: Location) -> str | None:
        """Return the folder that names the person, None if the file's name does."""
        found = None if self.depth is None else location.below[self.depth : self.depth + 1]
        return found[0] if found and found[0].casefold() not in _NOT_PEOPLE else None

    def name(self, location: Location) -> str:
        """Return the person's name in the data set."""
        word = _word(location.stem)
        name = location.stem if word in self.words else word
        return self.folder(location) or _code(location.stem) or name


def people(
    reals: Sequence[Location], fakes: Sequence[Location]
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the people in each real and each fake, in the order given.

    A fake shows the people named by its folders, or else by its file name. People of its own data
    set come before others. If a folder names one person, the people in the file name are added. A
    fake without a known name is treated like a real. Its folders count only if those of reals do:
    they may be methods.
    """
    rules, own = _rules(reals), _rules(fakes)
    if reals and rules.depth is None:
        own = dataclasses.replace(own, depth=None)
    # People by name and by data set.
    known: dict[str, dict[tuple[str, ...], dict[str, None]]] = {}
    in_reals: list[tuple[str, ...]] = []
    for location in reals:
        name = rules.name(location)
        person = _person(location, name)
        in_reals.append((person,))
        # In the folder of a person 0001.jpg is no name of a person.
        names = {name} if rules.folder(location) else {name, location.stem}
        for called in names:
            known.setdefault(called.casefold(), {}).setdefault(_home(location), {})[person] = None
    in_fakes = [
        _sources(location, known) or (_person(location, own.name(location)),) for location in fakes
    ]
    return in_reals, in_fakes


def _rules(locations: Sequence[Location]) -> _Rules:
    depth = _depth(locations)
    rules = _Rules(depth, frozenset())
    stems = [location.stem for location in locations if rules.folder(location) is None]
    words = collections.Counter(_word(stem) for stem in stems)
    common = frozenset(word for word, count in words.items() if 2 * count > len(stems))
    return dataclasses.replace(rules, words=common)


def _depth(locations: Sequence[Location]) -> int | None:
    """Return the first depth below the folder of the label at which folders name people."""
    names: dict[int, set[str]] = collections.defaultdict(set)
    for location in locations:
        for depth, folder in enumerate(location.below):
            if folder.casefold() not in _NOT_PEOPLE:
                names[depth].add(folder)
    return min(
        (at for at, folders in names.items() if len(folders) >= _FEWEST_PEOPLE), default=None
    )


def _code(stem: str) -> str | None:
    found = re.match(r"([a-z]*\d+)_.", stem, flags=re.ASCII | re.IGNORECASE)
    return found[1] if found and found[1].casefold() not in _NOT_PEOPLE else None


def _word(stem: str) -> str:
    found = re.fullmatch(r"(.*[^\W_])[\W_]+\d+\W*|(.*[^\W\d_])\d+\W*", stem, flags=re.DOTALL)
    return (found[1] or found[2]) if found else stem


def _home(location: Location) -> tuple[str, ...]:
    """Return the folders of the data set that contains a file."""
    return tuple(folder for folder in location.above if folder.casefold() not in _NOT_PEOPLE)


def _person(location: Location, name: str) -> str:
    return printable("/".join((*_home(location), name)))


def _sources(
    fake: Location, known: Mapping[str, Mapping[tuple[str, ...], Mapping[str, None]]]
) -> tuple[str, ...]:
    """Return the people a fake was made of, by its names; none if they have none."""
    in_stem = _named_in(fake.stem, known)
    for folder in reversed(fake.below):
        runs = _named_in(folder, known)
        if len(runs) == 1:
            # In a folder of fakes a number is a frame.
            runs += [run for run in in_stem if not run.isdecimal()]
        if runs:
            return _called(runs, fake, known)
    return _called(in_stem, fake, known)


def _called(
    names: Sequence[str],
    fake: Location,
    known: Mapping[str, Mapping[tuple[str, ...], Mapping[str, None]]],
) -> tuple[str, ...]:
    """Return the people of known names, preferably those of the fake's own data set."""
    found: dict[str, None] = {}
    for name in names:
        of_name = known[name]
        beside = of_name.get(_home(fake))
        for persons in [beside] if beside else of_name.values():
            found.update(persons)
    return tuple(found)


def _named_in(name: str, known: Collection[str]) -> list[str]:
    """Return the known names that a name consists of, in its order.

    The longest known runs of parts between underscores count.

    Args:
        name: name such as ``anna_ben_2``.
        known: names in lower case.
    """
    parts = name.casefold().split("_")
    runs = [
        (start, end)
        for start in range(len(parts))
        for end in range(start + 1, len(parts) + 1)
        if "_".join(parts[start:end]) in known
    ]
    return [
        "_".join(parts[start:end])
        for start, end in runs
        if not any(a <= start and end <= b and (a, b) != (start, end) for a, b in runs)
    ]
