"""Accuracy of each stream on SYNTHETIC fakes with one mark: ``python -m bench.streams``.

Five data sets have the same synthetic people. The fakes of each set carry a single mark (a blending
border with colour and resampling blur; jitter from frame to frame; frozen expression; missing
camera noise) or none. The last set is the control. On each set a detector of one stream is trained
from several seeds with the defaults of its space. Its epoch is selected on validation people, and
its AUC is computed on test people, who are used for nothing else. Intervals are percentiles over
draws of people and of seeds. ``temporal`` is the spatial stream with recurrence over its frames
instead of their mean; both use every frame, since jitter is between neighbouring frames.

Videos are small, because shrinking faces would remove camera noise. Results are kept by row in
``--keep``, and a restarted bench trains only missing rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.metrics.ranking import Figure
from artifacts.quiet import import_tensorflow
from bench.shared.cells import format_figure
from bench.shared.synthetic_store import make_synthetic_store
from data_prep.bootstrap import Interval, group_intervals
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.store.store import Store
from search.cli.console import bars, tables

STREAMS = {
    "spatial": "spatial",
    "temporal": "temporal",
    "micro": "micro_expression",
    "noise": "noise_residual",
}
"""Stream designed for each mark."""

CONTROL = "none"
MARKS = {
    "spatial": "blending and blur",
    "temporal": "jitter",
    "micro": "frozen motion",
    "noise": "missing noise",
    CONTROL: "none (control)",
}
VIDEO_SIDE, FRAMES, SIDE = 128, 16, 96
EPOCHS, BATCH = 16, 8

Array = npt.NDArray[np.float64]
Scores = dict[tuple[str, str], list[list[float]]]
"""Scores of the test clips from every seed, by mark and stream."""

Entry = tuple[float, Interval]
Results = dict[str, Entry]
"""Value and interval of ``stream on mark``, or of ``stream on mark - stream on mark``."""


def make_stores(folder: Path, identities: int, seed: int) -> dict[str, Path]:
    """Return a store for each mark, made if missing; the seed is that of the people."""
    paths = {}
    for mark in MARKS:
        paths[mark] = make_synthetic_store(
            folder / f"{mark}-{identities}-{SIDE}px-{seed}.h5",
            Preparation(frames=FRAMES, size=SIDE),
            identities=identities,
            size=VIDEO_SIDE,
            seed=seed,
            cues=() if mark == CONTROL else (mark,),
        )
    return paths


def train_and_score(store: Store, stream: str, seed: int, epochs: int) -> list[float]:
    """Return the fake probabilities of the test clips from a detector of one stream."""
    from artifacts.models.inference import score_clips
    from bench.shared.epochs import passes
    from search.detectors.space import build_detector
    from search.features.cache import FeatureCache
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import TrainingTask, fit
    from spaces.detector import detector_space
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock
    from spaces.training.space import TrainingChoices

    graph = detector_space(
        store.clip_shape,
        streams=("spatial" if stream == "temporal" else stream,),
        spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
        temporal=TemporalBlock(kind="mean" if stream == "spatial" else None),
    )
    model = build_detector(graph, fixed_hyperparameters({}), seed)
    choices = TrainingChoices(batch_size=BATCH, schedule="cosine", **passes(store, epochs))
    with tempfile.TemporaryDirectory() as features:
        fit(model, TrainingTask(store, FeatureCache(Path(features)), seed), choices)
    return [float(score) for score in score_clips(model, store, store.rows("test"))]


def train_all(
    paths: Mapping[str, Path],
    seeds: int,
    epochs: int,
    kept: Path,
    progress: Callable[[int, int], None],
) -> Scores:
    """Return the test scores of every training, kept or new."""
    known = {}
    if kept.exists():
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            known[row["mark"], row["stream"], row["seed"], row["epochs"]] = row["scores"]
    found: Scores = {}
    total = seeds * len(paths) * len(STREAMS)
    for done, (seed, mark, stream) in enumerate(
        itertools.product(range(seeds), paths, STREAMS.values()), start=1
    ):
        key = (mark, stream, seed, epochs)
        if key not in known:
            with Store(paths[mark]) as store:
                known[key] = train_and_score(store, stream, seed, epochs)
            row = dict(zip(("mark", "stream", "seed", "epochs"), key, strict=True))
            with kept.open("a") as file:
                file.write(json.dumps(row | {"scores": known[key]}) + "\n")
        found.setdefault((mark, stream), []).append(known[key])
        progress(done, total)
    return found


def summarise(labels: npt.NDArray[np.uint8], groups: npt.NDArray[Any], scores: Scores) -> Results:
    """Return the mean AUC over seeds of each stream on each mark, and all differences.

    Args:
        labels: Labels of the test clips, which are the same on every mark.
        groups: Identity groups of the test clips.
        scores: Scores of all streams on all marks.
    """
    wins = {
        key: np.stack([_compare_pairs(labels, np.array(one)) for one in scores[key]])
        for key in scores
    }
    rng = np.random.default_rng(0)

    def aucs(weights: npt.NDArray[np.integer], *, draw: bool) -> dict[str, float]:
        fakes, reals = weights[labels == 1], weights[labels == 0]
        pairs = np.outer(fakes, reals) / (fakes.sum() * reals.sum())
        found = {}
        for (mark, stream), won in wins.items():
            of_seeds = np.tensordot(won, pairs, axes=2)
            picked = rng.integers(len(of_seeds), size=len(of_seeds)) if draw else slice(None)
            found[f"{stream} on {mark}"] = float(of_seeds[picked].mean())
        return found | {f"{a} - {b}": found[a] - found[b] for a in found for b in found if a != b}

    values = aucs(np.ones(len(labels), np.int64), draw=False)
    intervals = group_intervals(partial(aucs, draw=True), labels, groups, seed=0)
    return {name: (value, intervals[name]) for name, value in values.items()}


def _compare_pairs(labels: npt.NDArray[np.uint8], scores: Array) -> Array:
    """Return 1, 0 or 1/2 for each fake and real clip: whether the fake scores higher."""
    apart = np.subtract.outer(scores[labels == 1], scores[labels == 0])
    return (np.sign(apart) + 1) / 2


def build_table(results: Results, seeds: int, people: int) -> Table:
    """Return a table with a row a mark, a column a stream, and the difference to the best other."""
    shown = Table(
        title=f"test AUC of one stream alone on SYNTHETIC fakes; mean of {seeds} seeds, {people} "
        "test people (95% CI)"
    )
    shown.add_column("mark of the fakes")
    for stream in STREAMS.values():
        shown.add_column(stream)
    shown.add_column("own stream minus the best other")
    for mark, words in MARKS.items():
        own = STREAMS.get(mark)
        cells = [
            f"[bold]{format_figure(Figure(*results[f'{one} on {mark}']))}[/bold]"
            if one == own
            else format_figure(Figure(*results[f"{one} on {mark}"]))
            for one in STREAMS.values()
        ]
        if own is not None:
            others = [(one, mark) for one in STREAMS.values()]
            difference, other = _compare_with_best(results, own, mark, others)
            cells.append(f"{format_figure(Figure(*difference), '+')} ({other[0]})")
        shown.add_row(words, *cells)
    return shown


def describe(results: Results) -> list[str]:
    """Return sentences that compare each stream with other marks and with other streams."""
    sentences = []
    for mark, own in STREAMS.items():
        on_marks, (_, other_mark) = _compare_with_best(
            results, own, mark, [(own, one) for one in STREAMS]
        )
        on_streams, (other_stream, _) = _compare_with_best(
            results, own, mark, [(one, mark) for one in STREAMS.values()]
        )
        sentences.append(
            f"{own} on {MARKS[mark]}: {_describe_difference(on_marks)} from {MARKS[other_mark]}, "
            f"its best other mark; {_describe_difference(on_streams)} from {other_stream}, the "
            "best other stream."
        )
    return sentences


def _compare_with_best(
    results: Results, own: str, mark: str, others: Sequence[tuple[str, str]]
) -> tuple[Entry, tuple[str, str]]:
    """Return the difference between a stream on its mark and the best other, and that other."""
    best = max(
        (one for one in others if one != (own, mark)),
        key=lambda one: results[f"{one[0]} on {one[1]}"][0],
    )
    return results[f"{own} on {mark} - {best[0]} on {best[1]}"], best


def _describe_difference(entry: Entry) -> str:
    value, interval = entry
    if interval is None:
        return f"difference {value:+.2f} (no interval)"
    low, high = interval
    verdict = "significant" if low > 0 or high < 0 else "not significant"
    return f"difference {value:+.2f} (95% CI {low:+.2f} to {high:+.2f}, {verdict})"


def read_test_clips(
    paths: Mapping[str, Path],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any], int]:
    """Return labels and groups of the test clips, and the number of people."""
    found = []
    for path in paths.values():
        with Store(path) as store:
            rows = store.rows("test")
            found.append((store.keys[rows], store.labels[rows], store.groups[rows]))
    keys, labels, groups = found[0]
    if not all(np.array_equal(keys, others) for others, _, _ in found):
        raise UserError(f"{', '.join(map(str, paths.values()))}: their test clips differ")
    return labels, groups, int((labels == 0).sum())


def main() -> None:
    """Train, summarise and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.streams", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="data and results")
    parser.add_argument("--identities", type=int, default=80)
    parser.add_argument("--people", type=int, default=0, help="seed of the synthetic people")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each detector")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        paths = make_stores(folder, chosen.identities, chosen.people)
        kept = folder / f"streams-{chosen.identities}-{SIDE}px-{chosen.people}.jsonl"
        with bars("training") as [progress]:
            scores = train_all(paths, chosen.seeds, chosen.epochs, kept, progress)
        labels, groups, people = read_test_clips(paths)
        results = summarise(labels, groups, scores)
    if chosen.json:
        print(json.dumps(results, indent=1))
        return
    console = tables()
    console.print(build_table(results, chosen.seeds, people))
    for sentence in describe(results):
        console.print(sentence)


if __name__ == "__main__":
    main()
