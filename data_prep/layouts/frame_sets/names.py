"""People and originals by the names of videos, whichever data set a collection took them from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from data_prep.layouts.layout import Video
from data_prep.layouts.originals import add_originals
from data_prep.text import printable

# Celeb-DF, the actors of DFD, FaceForensics++ and DeeperForensics, the reals of YouTube, UADFV.
_CELEBRITY = re.compile(r"(id\d+)_(?:(id\d+)_)?(\d+)(?:_.*)?", flags=re.ASCII)
_ACTORS = re.compile(r"(\d+)(?:_(\d+))?__(.+?)(?:__[^_]+)?", flags=re.ASCII)
_PAIR = re.compile(r"(\d{3})_(\d{3}|[A-Z]\d{3})(?:_.*)?", flags=re.ASCII)
_YOUTUBE = re.compile(r"\d{5}", flags=re.ASCII)
_COPY = re.compile(r"(.+)_fake", flags=re.DOTALL)


def identities(name: str) -> tuple[str, ...]:
    """Return the people in a video by its name: the target, then the donor."""
    name = printable(name)
    if named := _CELEBRITY.fullmatch(name):
        return tuple(person for person in named.groups()[:2] if person)
    if named := _ACTORS.fullmatch(name):
        return tuple(f"actor {number}" for number in named.groups()[:2] if number)
    if named := _PAIR.fullmatch(name):
        return named.groups()
    if _YOUTUBE.fullmatch(name):
        return (f"YouTube {name}",)
    return (original_name(name),)


def original_name(name: str) -> str:
    """Return the name of the real that a fake was made from; a real's is its own."""
    if named := _CELEBRITY.fullmatch(name):
        return f"{named[1]}_{named[3]}"
    if named := _ACTORS.fullmatch(name):
        return f"{named[1]}__{named[3]}"
    if named := _PAIR.fullmatch(name) or _COPY.fullmatch(name):
        return named[1]
    return name


def with_named_originals(named: Iterable[tuple[Video, str]]) -> Iterator[Video]:
    """Yield the videos, fakes with their originals: of the same quality, or the only one.

    Args:
        named: videos, each with its name in its data set.
    """
    names: dict[Path, str] = {}
    videos: list[Video] = []
    for video, name in named:
        names[video.path] = original_name(name)
        videos.append(video)
    equal = list(add_originals((each, (each.quality, names[each.path])) for each in videos))
    single = add_originals((video, names[video.path]) for video in videos)
    yield from (
        first if first.original else second for first, second in zip(equal, single, strict=True)
    )
