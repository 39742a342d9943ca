"""The real half of ``bench.ablations``: rows of ``bench.accuracy`` and their comparisons.

Scores that ``bench.accuracy`` kept are reused; missing rows are trained in the same way.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bench.ablations.comparison import Comparison, average_logits
from bench.accuracy import accuracy, people, rows
from bench.accuracy.rows import Row, ScoreFile, ScoreKey
from bench.accuracy.table import ScoredClips

ALL_STREAMS = "all streams"
WITH_NOISE, WITH_GAN = "spatial and noise residual", "spatial and gan"
JOINED: Mapping[str, tuple[str, ...]] = {
    ALL_STREAMS: rows.SINGLE_STREAMS,
    WITH_NOISE: (rows.SPATIAL, "noise_residual"),
    WITH_GAN: (rows.SPATIAL, rows.GAN_STREAM),
    **{
        f"all but {stream}": tuple(one for one in rows.SINGLE_STREAMS if one != stream)
        for stream in rows.SINGLE_STREAMS
    },
}
"""Detectors of one stream each, combined by the mean of their logits."""

COMPARISONS = (
    Comparison("grey in addition to colour", rows.RGB_GREY, rows.RGB),
    *(
        Comparison(f"{stream} stream", ALL_STREAMS, f"all but {stream}")
        for stream in rows.SINGLE_STREAMS
    ),
    Comparison("noise residual in addition to spatial", WITH_NOISE, rows.SPATIAL),
    Comparison("pseudo-fakes", rows.SPATIAL, rows.NO_PSEUDO_FAKES),
    Comparison("fakes of a GAN", rows.GAN_FAKES, rows.SPATIAL),
    Comparison("features of its discriminator", WITH_GAN, rows.SPATIAL),
    Comparison("preset quick, not the recipe", rows.QUICK, rows.RECIPE),
    Comparison("preset standard, not the recipe", rows.STANDARD, rows.RECIPE),
)

_IN_FOLDS = (rows.RGB, rows.RGB_GREY, rows.NO_PSEUDO_FAKES, rows.SPATIAL, "noise_residual")
_IN_FOLDS_LATER = ("micro_expression", "temporal", rows.GAN_STREAM, rows.GAN_FAKES)
_OFFICIAL = (
    *(rows.RECIPE, rows.RGB, rows.RGB_GREY, rows.NO_PSEUDO_FAKES, rows.SPATIAL),
    *("noise_residual", "micro_expression", "temporal", rows.GAN_STREAM, rows.GAN_FAKES),
    *(rows.QUICK, rows.STANDARD),
)


def order_rows(seeds: Sequence[int], *, quick: bool = False) -> list[Row]:
    """Return the rows, the most informative for their time first.

    Args:
        seeds: Seeds of the trainings; only the first is trained in folds.
        quick: Only the channels, on one fold.
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
    """Results of the rows.

    Attributes:
        test_sets: Test sets with the scores of every row and of combined detectors.
        missing: Rows that have not scored all their test sets.
        outdated: Rows with scores of other settings only.
        seconds: Duration of each training, by detector.
    """

    test_sets: list[ScoredClips]
    missing: list[Row]
    outdated: list[Row]
    seconds: dict[str, list[float]]


def train_and_read(chosen: argparse.Namespace, wanted: Sequence[Row]) -> Results:
    """Train missing rows until time is up, and return all results.

    Args:
        chosen: Command line with ``keep``, ``minutes``, ``test`` and ``as_kept``.
        wanted: Rows to train.

    Raises:
        UserError: The real data is missing.
    """
    common = accuracy.make_test_sets(chosen.keep, chosen.test)
    kept = ScoreFile(chosen.keep / "scores.jsonl")
    kept_before = find_scores(chosen, wanted, common, kept)
    lacking = [row for row in wanted if _is_missing(chosen, row, common, kept_before)]
    missing = accuracy.train_missing(chosen, lacking, common)
    entries = find_scores(chosen, wanted, common, kept)
    exact = kept.entries()
    keyed = [(row, _list_keys(chosen, row, common)) for row in wanted]
    seconds: dict[str, list[float]] = {}
    for row, keys in keyed:
        if keys and keys[0] in entries:
            seconds.setdefault(row.detector, []).append(entries[keys[0]]["seconds"])
    plain, _ = accuracy.collect_results(chosen.keep, wanted, common, entries)
    return Results(
        [add_joined(clips) for clips in plain if clips.trained],
        missing,
        [row for row, keys in keyed if any(key in entries and key not in exact for key in keys)],
        seconds,
    )


def add_joined(clips: ScoredClips) -> ScoredClips:
    """Return a test set with the scores of :data:`JOINED` whose parts are present."""
    made = {name: average_logits(clips, parts) for name, parts in JOINED.items()}
    present = {name: scores for name, scores in made.items() if scores}
    return dataclasses.replace(clips, trained={**clips.trained, **present})


def find_scores(
    chosen: argparse.Namespace, wanted: Sequence[Row], common: Sequence[Any], kept: ScoreFile
) -> dict[ScoreKey, dict[str, Any]]:
    """Return kept scores by key.

    With ``as_kept``, a row without scores of the current settings uses older ones. The row, its
    training store and its test store must always match.
    """
    entries = kept.entries()
    if not chosen.as_kept:
        return entries
    found = dict(entries)
    by_rest = {_without_settings(key): entry for key, entry in entries.items()}
    for row in wanted:
        for key in _list_keys(chosen, row, common):
            if key not in found and _without_settings(key) in by_rest:
                found[key] = by_rest[_without_settings(key)]
    return found


def _list_keys(chosen: argparse.Namespace, row: Row, common: Sequence[Any]) -> list[ScoreKey]:
    """Return the keys of a row's scores, on clips and on matched pairs."""
    paths = [
        path
        for one in accuracy.find_test_sets(chosen.keep, row, common)
        for path in (one.path, one.matched)
        if path is not None
    ]
    return [rows.make_score_key(chosen.keep, row, rows.read_fingerprint(path)) for path in paths]


def _is_missing(
    chosen: argparse.Namespace,
    row: Row,
    common: Sequence[Any],
    entries: Mapping[ScoreKey, Mapping[str, Any]],
) -> bool:
    return any(key not in entries for key in _list_keys(chosen, row, common))


def _without_settings(key: ScoreKey) -> ScoreKey:
    name, _, *rest = key
    return name, *rest
