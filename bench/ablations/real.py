"""The real half of ``bench.ablations``: rows of ``bench.accuracy`` and what they compare.

A folder that ``bench.accuracy`` kept is read as it is; what is missing is trained as it trains.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bench.ablations.compared import Comparison, joined
from bench.accuracy import accuracy, people, rows
from bench.accuracy.rows import Kept, Key, Row
from bench.accuracy.table import Judged

ALL_STREAMS = "all streams"
WITH_NOISE, WITH_GAN = "spatial and noise residual", "spatial and gan"
JOINED: Mapping[str, tuple[str, ...]] = {
    ALL_STREAMS: rows.ALONE,
    WITH_NOISE: (rows.SPATIAL, "noise_residual"),
    WITH_GAN: (rows.SPATIAL, rows.GAN_STREAM),
    **{
        f"all but {stream}": tuple(one for one in rows.ALONE if one != stream)
        for stream in rows.ALONE
    },
}
"""Detectors of one stream each, joined by the mean of their logits."""

COMPARISONS = (
    Comparison("grey beside red, green and blue", rows.RGB_GREY, rows.RGB),
    *(Comparison(f"{stream} stream", ALL_STREAMS, f"all but {stream}") for stream in rows.ALONE),
    Comparison("noise residual beside spatial", WITH_NOISE, rows.SPATIAL),
    Comparison("pseudo-fakes", rows.SPATIAL, rows.NO_PSEUDO_FAKES),
    Comparison("fakes of a GAN", rows.GAN_FAKES, rows.SPATIAL),
    Comparison("features of its discriminator", WITH_GAN, rows.SPATIAL),
    Comparison("preset quick for the recipe", rows.QUICK, rows.RECIPE),
    Comparison("preset standard for the recipe", rows.STANDARD, rows.RECIPE),
)

_IN_FOLDS = (rows.RGB, rows.RGB_GREY, rows.NO_PSEUDO_FAKES, rows.SPATIAL, "noise_residual")
_IN_FOLDS_LATER = ("micro_expression", "temporal", rows.GAN_STREAM, rows.GAN_FAKES)
_OFFICIAL = (
    *(rows.RECIPE, rows.RGB, rows.RGB_GREY, rows.NO_PSEUDO_FAKES, rows.SPATIAL),
    *("noise_residual", "micro_expression", "temporal", rows.GAN_STREAM, rows.GAN_FAKES),
    *(rows.QUICK, rows.STANDARD),
)


def in_order(seeds: Sequence[int], *, quick: bool = False) -> list[Row]:
    """The rows, those that tell most for their time first: all people in turn, then the lists.

    Args:
        seeds: of the trainings; the first alone is trained in folds.
        quick: the channels on one fold alone.
    """
    if quick:
        return [Row(name, seeds[0], fold=0) for name in rows.CHANNELS]
    first, later = (
        [Row(name, seeds[0], fold=fold) for name in names for fold in range(people.FOLDS)]
        for names in (_IN_FOLDS, _IN_FOLDS_LATER)
    )
    return [*first, *(Row(name, seed) for seed in seeds for name in _OFFICIAL), *later]


@dataclasses.dataclass(frozen=True)
class Results:
    """What there is of the rows.

    Attributes:
        judged: test sets with the scores of every row and of those joined.
        missing: rows that have not scored all of theirs.
        earlier: rows of which only scores of other settings were kept.
        seconds: of each training, by the name of its detector.
    """

    judged: list[Judged]
    missing: list[Row]
    earlier: list[Row]
    seconds: dict[str, list[float]]


def measured(chosen: argparse.Namespace, wanted: Sequence[Row]) -> Results:
    """Train what is missing while there is time, and judge.

    Args:
        chosen: ``keep``, ``minutes``, ``test`` and ``as_kept`` of the command line.
        wanted: rows.

    Raises:
        UserError: the real data is not there.
    """
    common = accuracy.test_sets(chosen.keep, chosen.test)
    kept = Kept(chosen.keep / "scores.jsonl")
    before = known(chosen, wanted, common, kept)
    lacking = [row for row in wanted if _lacks(chosen, row, common, before)]
    missing = accuracy.work(chosen, lacking, common)
    entries = known(chosen, wanted, common, kept)
    exact = kept.entries()
    ours = [(row, _keys(chosen, row, common)) for row in wanted]
    seconds: dict[str, list[float]] = {}
    for row, keys in ours:
        if keys and keys[0] in entries:
            seconds.setdefault(row.detector, []).append(entries[keys[0]]["seconds"])
    plain, _ = accuracy.judge(chosen.keep, wanted, common, entries)
    return Results(
        [with_joined(clips) for clips in plain if clips.trained],
        missing,
        [row for row, keys in ours if any(key in entries and key not in exact for key in keys)],
        seconds,
    )


def with_joined(clips: Judged) -> Judged:
    """A test set with the scores of :data:`JOINED`, as far as their parts are there."""
    made = {name: joined(clips, parts) for name, parts in JOINED.items()}
    there = {name: scores for name, scores in made.items() if scores}
    return dataclasses.replace(clips, trained={**clips.trained, **there})


def known(
    chosen: argparse.Namespace, wanted: Sequence[Row], common: Sequence[Any], kept: Kept
) -> dict[Key, dict[str, Any]]:
    """Kept scores by their keys; as kept, those of other settings too where there are no others.

    A row, what it was trained on and what it was tested on must be the same in any case.
    """
    entries = kept.entries()
    if not chosen.as_kept:
        return entries
    found = dict(entries)
    by_rest = {_but_for_manner(key): entry for key, entry in entries.items()}
    for row in wanted:
        for key in _keys(chosen, row, common):
            if key not in found and _but_for_manner(key) in by_rest:
                found[key] = by_rest[_but_for_manner(key)]
    return found


def _keys(chosen: argparse.Namespace, row: Row, common: Sequence[Any]) -> list[Key]:
    """What the scores of a row are kept by, of clips and of matched pairs."""
    paths = [
        path
        for one in accuracy.tested_by(chosen.keep, row, common)
        for path in (one.path, one.matched)
        if path is not None
    ]
    return [rows.key(chosen.keep, row, rows.fingerprint(path)) for path in paths]


def _lacks(
    chosen: argparse.Namespace,
    row: Row,
    common: Sequence[Any],
    entries: Mapping[Key, Mapping[str, Any]],
) -> bool:
    return any(key not in entries for key in _keys(chosen, row, common))


def _but_for_manner(key: Key) -> Key:
    name, _, *rest = key
    return name, *rest
