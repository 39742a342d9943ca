"""One index of the videos of several sources."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping, Sequence

import networkx as nx

from data_prep import datasets
from data_prep.datasets import DataSetIndex, Video
from data_prep.errors import UserError
from data_prep.layouts import plain
from data_prep.sources.source import BY_NAME, Source, Sources
from data_prep.store.format import REAL, REAL_ONLY, Quarantined
from data_prep.text import printable


@dataclasses.dataclass(frozen=True)
class CombinedIndex:
    """Videos of all sources.

    Attributes:
        videos: Videos with their source, role and weight; those of an existing store come first.
        listed: Videos that the sources have now, in the store or not.
        problems: Files that cannot be candidates, with the reason.
        layouts: Layout of each new source by its name.
        synthetic: Whether a program drew the videos of any source.
        stills: Whether every candidate is a picture.
    """

    videos: tuple[Video, ...]
    listed: tuple[Video, ...]
    problems: tuple[Quarantined, ...]
    layouts: Mapping[str, str]
    synthetic: bool
    stills: bool


def index_sources(sources: Sources, earlier: Sequence[Video] | None = None) -> CombinedIndex:
    """List the videos of all sources.

    With several sources, the key of a clip begins with the name of its source, and a method with
    the name of its data set. An identity always has the name of its data set: equal names in
    different data sets are different people, unless the sources name them as one.

    Args:
        sources: Sources to list.
        earlier: Videos of an existing store, which come first; their files are not listed again.

    Raises:
        UserError: A source cannot be used, a real-only one has fakes, a named person is in none,
            or a source has the name of an earlier one.
    """
    found = [(source, _index(source)) for source in sources.sources]
    videos: list[Video] = []
    problems: list[Quarantined] = []
    single = sources.is_single and earlier is None
    for source, index in found:
        videos += _qualify(source, index, single=single)
        problems += index.problems
    listed = tuple(videos)
    videos = _add_to(earlier, videos) if earlier is not None else videos
    videos = _join_people(videos, sources.same_people)
    return CombinedIndex(
        videos=tuple(videos),
        listed=listed,
        problems=tuple(problems),
        layouts={source.name: index.layout for source, index in found},
        synthetic=any((source.path / datasets.SYNTHETIC_MARKER).is_file() for source, _ in found),
        stills=all(index.stills for _, index in found),
    )


def _add_to(earlier: Sequence[Video], videos: Sequence[Video]) -> list[Video]:
    """Return earlier videos and the new ones."""
    paths = {str(video.path) for video in earlier}
    keys = {video.key: video for video in earlier}
    new = [video for video in videos if printable(str(video.path)) not in paths]
    for video in new:
        if video.key in keys:
            raise UserError(
                f"the store has a source named {video.source} already, and both have {video.key}; "
                "give the new one another name in a list of sources"
            )
    if not new:
        raise UserError("the store has every video of these sources already; nothing to add")
    return [*earlier, *new]


def _index(source: Source) -> DataSetIndex:
    label = REAL if source.role == REAL_ONLY and source.label is None else source.label
    return datasets.index(source.path, source.layout, label)


def name_data_set(source: Source, index: DataSetIndex) -> str:
    """Return the name of the data set of a source; it qualifies people and methods."""
    name = source.data_set or (source.name if index.layout in plain.NAMES else index.name)
    # A colon ends the name of the data set in that of a person.
    return name.replace(":", "_")


def _qualify(source: Source, index: DataSetIndex, *, single: bool) -> list[Video]:
    """Return the videos of a source with keys, methods and identities that are unique."""
    data_set = name_data_set(source, index)
    pinned = dict(source.people)
    videos = []
    for video in _name_people(source, index.videos):
        splits = {pinned[one] for one in video.identities if one in pinned}
        if len(splits) > 1:
            raise UserError(
                f"the list of sources puts the people of {video.key} in "
                f"{' and '.join(sorted(splits))}; people in one video need one split"
            )
        changed = dataclasses.replace(
            video,
            identities=tuple(f"{data_set}:{one}" for one in video.identities),
            source=source.name,
            role=source.role,
            weight=source.weight,
            still=index.stills,
            pinned=next(iter(splits), None),
        )
        if not single:
            changed = dataclasses.replace(
                changed,
                key=f"{source.name}/{video.key.partition('/')[2]}",
                method=video.method if video.label == REAL else f"{data_set}:{video.method}",
            )
        videos.append(changed)
    known = {one for video in _name_people(source, index.videos) for one in video.identities}
    _check_people(f"people of the source {source.name}", pinned, known)
    return videos


def _name_people(source: Source, videos: Sequence[Video]) -> Sequence[Video]:
    """Return the videos, each with a person of its own if the source is of such files."""
    if source.person == BY_NAME:
        return videos
    return [
        dataclasses.replace(video, identities=(video.key.partition("/")[2],)) for video in videos
    ]


def _join_people(videos: Sequence[Video], same: Collection[tuple[str, ...]]) -> list[Video]:
    """Return the videos with one name for each person that has several."""
    if not same:
        return list(videos)
    known = {one for video in videos for one in video.identities}
    _check_people("same_people", [name for names in same for name in names], known)
    graph = nx.Graph()
    for names in same:
        nx.add_path(graph, names)
    first = {name: min(joined) for joined in nx.connected_components(graph) for name in joined}
    return [
        dataclasses.replace(
            video, identities=tuple(first.get(one, one) for one in video.identities)
        )
        for video in videos
    ]


def _check_people(where: str, names: Collection[str], known: Collection[str]) -> None:
    """Refuse names of people that no video shows."""
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UserError(f"{where}: no video shows {name}{hint}")
