"""What each stream is worth on SYNTHETIC fakes with one mark each: ``python bench/streams.py``.

Four data sets of the same drawn people; the fakes of each carry a single mark: a blending border
and colour, jitter from frame to frame, frozen expression, missing camera noise. On each set a
detector of one stream alone is trained with the defaults of its space, from several seeds; its
epoch is chosen on validation people and its AUC is that on test people, of whom no other figure
is made. Intervals are percentiles over draws of people and of seeds. ``temporal`` is the spatial
stream with recurrence over its frames where ``spatial`` has their mean.

Results are kept by row in ``--keep``, and a bench started again goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from sklearn.metrics import roc_auc_score

from artifacts.quiet import import_tensorflow
from data_prep.bootstrap import group_intervals
from data_prep.clip import Preparation
from data_prep.prepare import prepare
from data_prep.store import Store
from data_prep.synthesize import synthesize
from search.console import bars, tables

STREAMS = {
    "spatial": "spatial",
    "temporal": "temporal",
    "micro": "micro_expression",
    "noise": "noise_residual",
}
"""The stream that each mark is meant for."""

MARKS = {
    "spatial": "blending",
    "temporal": "jitter",
    "micro": "frozen motion",
    "noise": "missing noise",
}
FRAMES, SIDE = 16, 96
EPOCHS, BATCH = 20, 8

Scores = dict[tuple[str, str], list[npt.NDArray[np.float64]]]


def stores(folder: Path, identities: int) -> dict[str, Path]:
    """A store for each mark, made where it is missing."""
    paths = {}
    for cue in STREAMS:
        videos, store = folder / f"{cue}-{identities}", folder / f"{cue}-{identities}.h5"
        if not store.exists():
            with bars(f"{cue}: drawing", "preparing", "writing") as [drawing, preparing, writing]:
                synthesize(videos, identities=identities, cues=(cue,), jobs=-1, progress=drawing)
                prepare(
                    videos,
                    store,
                    preparation=Preparation(frames=FRAMES, size=SIDE),
                    jobs=-1,
                    progress=preparing,
                    writing=writing,
                )
        paths[cue] = store
    return paths


def test_scores(store: Store, stream: str, seed: int, epochs: int) -> list[float]:
    """Fake probabilities of the test clips from a detector of one stream."""
    from artifacts.scoring import score_clips
    from search import detectors
    from search.fit import fit
    from search.hyperparameters import fixed
    from spaces.detector import detector_space
    from spaces.spatial import SpatialBlock
    from spaces.temporal import TemporalBlock
    from spaces.training import TrainingChoices

    graph = detector_space(
        store.clip_shape,
        streams=("spatial" if stream == "temporal" else stream,),
        spatial=SpatialBlock(backbones=("small_cnn",)),
        temporal=TemporalBlock(kind="mean" if stream == "spatial" else None),
    )
    model = detectors.build(graph, fixed({}), seed)
    choices = TrainingChoices(batch_size=BATCH, epochs=epochs, schedule="cosine")
    with tempfile.TemporaryDirectory() as features:
        fit(model, store, choices, seed=seed, features=Path(features))
    return [float(score) for score in score_clips(model, store, store.rows("test"))]


def measured(
    paths: Mapping[str, Path], seeds: int, epochs: int, kept: Path
) -> Iterator[tuple[str, str, list[float]]]:
    """Mark, stream and test scores of every training; those kept are not made again."""
    known = {}
    if kept.exists():
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            known[row["cue"], row["stream"], row["seed"], row["epochs"]] = row["scores"]
    for seed in range(seeds):
        for cue, path in paths.items():
            with Store(path) as store:
                for stream in STREAMS.values():
                    key = (cue, stream, seed, epochs)
                    if key not in known:
                        known[key] = test_scores(store, stream, seed, epochs)
                        row = dict(zip(("cue", "stream", "seed", "epochs"), key, strict=True))
                        with kept.open("a") as file:
                            file.write(json.dumps(row | {"scores": known[key]}) + "\n")
                    yield cue, stream, known[key]


def summary(store: Store, scores: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    """Mean AUC over seeds of each stream on one mark, and what its own stream has over the next.

    Args:
        store: of the mark.
        scores: of each stream, (seeds, test clips).
    """
    rows = store.rows("test")
    labels, rng = store.labels[rows], np.random.default_rng(0)

    def measure(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        """AUCs and their differences; every call draws seeds anew."""
        aucs = {
            stream: float(np.mean(rng.choice(_aucs(labels, values, weights), len(values))))
            for stream, values in scores.items()
        }
        return aucs | _differences(aucs)

    once = np.ones(len(rows), np.int64)
    aucs = {stream: float(_aucs(labels, v, once).mean()) for stream, v in scores.items()}
    intervals = group_intervals(measure, labels, store.groups[rows], seed=0)
    return {
        name: {"value": value, "interval": intervals[name]}
        for name, value in (aucs | _differences(aucs)).items()
    }


def _aucs(
    labels: npt.NDArray[np.uint8], scores: npt.NDArray[np.float64], weights: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    """AUC of each seed."""
    return np.array([roc_auc_score(labels, one, sample_weight=weights) for one in scores])


def _differences(aucs: Mapping[str, float]) -> dict[str, float]:
    return {f"{a} - {b}": aucs[a] - aucs[b] for a in aucs for b in aucs if a != b}


def table(results: Mapping[str, Mapping[str, Any]], seeds: int, people: int) -> Table:
    """A line a mark, a column a stream, and the mark's own stream against the best other."""
    shown = Table(
        title=f"test AUC of one stream alone on SYNTHETIC fakes; mean of {seeds} seeds, {people} "
        "test people, 95% interval"
    )
    shown.add_column("mark of the fakes")
    for stream in STREAMS.values():
        shown.add_column(stream)
    shown.add_column("own stream less the best other")
    for cue, found in results.items():
        own = STREAMS[cue]
        best = max((one for one in STREAMS.values() if one != own), key=lambda s: found[s]["value"])
        cells = [
            f"[bold]{_cell(found[one])}[/bold]" if one == own else _cell(found[one])
            for one in STREAMS.values()
        ]
        shown.add_row(MARKS[cue], *cells, f"{_cell(found[f'{own} - {best}'], '+')} ({best})")
    return shown


def _cell(entry: Mapping[str, Any], sign: str = "") -> str:
    low, high = entry["interval"]
    return f"{entry['value']:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]".replace("[", r"\[")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where data and results stay")
    parser.add_argument("--identities", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        paths = stores(folder, chosen.identities)
        every: dict[str, dict[str, list[list[float]]]] = {}
        total = chosen.seeds * len(STREAMS) ** 2
        with bars("training") as [progress]:
            rows = measured(paths, chosen.seeds, chosen.epochs, folder / "streams.jsonl")
            for done, (cue, stream, scores) in enumerate(rows, start=1):
                every.setdefault(cue, {}).setdefault(stream, []).append(scores)
                progress(done, total)
        results, people = {}, 0
        for cue, path in paths.items():
            with Store(path) as store:
                arrays = {stream: np.array(scores) for stream, scores in every[cue].items()}
                results[cue] = summary(store, arrays)
                people = len(np.unique(store.groups[store.rows("test")]))
        if chosen.json:
            print(json.dumps(results, indent=1))
        else:
            tables().print(table(results, chosen.seeds, people))


if __name__ == "__main__":
    main()
