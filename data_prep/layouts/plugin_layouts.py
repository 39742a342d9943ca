"""Layouts that other installed packages add."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path

from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.plugins import Plugin
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined


def layout(plugin: Plugin) -> Layout:
    """Return the layout of a plug-in package; its index of a folder is checked.

    Raises:
        UserError: it cannot be imported or is no :class:`data_prep.layouts.layout.Layout` of its
            name. An invalid index of a folder raises one, too.
    """
    theirs = plugin.load()
    if not isinstance(theirs, Layout):
        raise plugin.refusal(f"is {type(theirs).__name__}, expected data_prep.datasets.Layout")
    if theirs.name != plugin.name:
        raise plugin.refusal(
            f"has the name {theirs.name!r}; its entry point must have the same name"
        )

    def detect(source: Path) -> bool:
        with plugin.running():
            return bool(theirs.detect(source))

    def read(source: Path) -> DataSetIndex:
        with plugin.running():
            found = theirs.read(source)
            fault = _fault(found)
        if fault:
            raise plugin.refusal(f"gives {fault}")
        return found

    return Layout(theirs.name, theirs.expected, detect, read)


def _fault(found: object) -> str:
    """Return the fault of an index, or an empty text."""
    if not isinstance(found, DataSetIndex):
        return f"{type(found).__name__}, expected DataSetIndex"
    if not all(isinstance(problem, Quarantined) for problem in found.problems):
        return "a problem that is not a Quarantined"
    strangers = [type(video).__name__ for video in found.videos if not isinstance(video, Video)]
    if strangers:
        return f"{strangers[0]} among the videos, expected Video"
    counted = collections.Counter(video.key for video in found.videos)
    twice = [key for key, count in counted.items() if count > 1]
    if twice:
        return f"two videos the key {twice[0]}; data_prep.layouts.files.distinct numbers them"
    reals = {video.path for video in found.videos if video.label == REAL}
    for video in found.videos:
        if video.label not in (REAL, FAKE):
            return f"{video.key} the label {video.label!r}, expected {REAL} (real) or {FAKE} (fake)"
        if video.split not in (None, *SPLITS):
            return f"{video.key} the split {video.split!r}, expected {', '.join(SPLITS)} or None"
        people = video.identities
        if not isinstance(people, tuple) or not people or not all(people):
            return f"{video.key} the identities {people!r}, expected a tuple of names"
        facts = video.attributes
        if not isinstance(facts, Mapping) or not all(
            isinstance(each, str) for fact in facts.items() for each in fact
        ):
            return f"{video.key} the attributes {facts!r}, expected texts by name"
        if video.original is not None and (video.label == REAL or video.original not in reals):
            return f"{video.key} an original that is not a real video of the data set"
    return ""
