"""A folder whose files are all real, or all fake, by the word of its user."""

from __future__ import annotations

from pathlib import Path

from data_prep.errors import UserError
from data_prep.layouts.files import distinct, files, quote
from data_prep.layouts.kinds import candidates, only_pictures
from data_prep.layouts.layout import DataSetIndex, Video
from data_prep.layouts.plain.folders import find_labelled
from data_prep.layouts.plain.people import Location, people
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "one label"
_WORDS = {REAL: "real", FAKE: "fake"}


def read(source: Path, label: int) -> DataSetIndex:
    """Read every video below a folder, or every picture if it holds no video.

    Raises:
        UserError: A folder such as real/ or fake/ contradicts the label.
    """
    word = _WORDS[label]
    other = list(find_labelled(source, FAKE if label == REAL else REAL))
    if other:
        raise UserError(
            f"{quote(source)} cannot be all {word}: its folders label {len(other)} files "
            f"otherwise, e.g. {quote(other[0])}; name a folder of {word} files, or leave the label "
            "out"
        )
    name = printable(source.resolve().name) or NAME
    problems: list[Quarantined] = []
    paths = files(source, problems, recursive=True)
    stills = only_pictures(paths)
    paths = candidates(paths, source, problems, stills=stills)
    below = [path.relative_to(source) for path in paths]
    persons, _ = people([Location((), at.parts[:-1], at.stem) for at in below], [])
    videos = [
        Video(
            key=f"{name}/{word}/unknown/{printable(str(at.with_suffix('')))}",
            path=path,
            label=label,
            method=word,
            quality="unknown",
            identities=identities,
        )
        for path, at, identities in zip(paths, below, persons, strict=True)
    ]
    return DataSetIndex(NAME, name, distinct(videos), tuple(problems), stills)
