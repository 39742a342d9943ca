"""Agreement of heat maps with the manipulated region: ``python -m bench.explain``.

The pasted pixels of a SYNTHETIC fake are known. Detectors of one stream each, and one of all
streams, are trained on synthetic people. On test fakes, the share of heat inside the pasted region
is compared with the area of the region, and with the same share for untrained networks, which must
differ (Adebayo et al., Sanity Checks for Saliency Maps, 2018). Occlusion, which uses no gradient,
is measured in the same way and correlated with Grad-CAM by squares. Intervals are percentiles over
draws of people.

Results are kept by row in ``--keep``, and a restarted bench computes only missing rows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.quiet import import_tensorflow
from bench.shared.synthetic_store import make_synthetic_store
from data_prep.faces.crops import crop_track
from data_prep.faces.tracks import FaceTrack
from data_prep.preparation.clip import Preparation
from data_prep.store.store import FAKE, Store
from data_prep.synthetic.clip import SET, ClipPlan, pasted_region
from data_prep.synthetic.swap import CUES
from search.cli.console import bars, log, tables

DETECTORS = {
    "spatial": ("spatial",),
    "micro_expression": ("micro_expression",),
    "noise_residual": ("noise_residual",),
    "all three": ("spatial", "micro_expression", "noise_residual"),
}
VIDEO_SIDE, VIDEO_FRAMES = 128, 32
FRAMES, SIDE, PATCH = 8, 96, 12
EPOCHS, BATCH = 16, 8
DRAWS = 1000
PER_AREA = "times the area"
COLUMNS = {
    "area": "area",
    "heat inside": "heat inside",
    "times area": PER_AREA,
    "untrained, inside": "untrained inside",
    "occlusion, inside": "occlusion inside",
    "r, occlusion": "with occlusion",
    "r, untrained": "with untrained",
}
"""Columns of the table, and their keys in a kept row."""

Array = npt.NDArray[np.float64]


def compute_regions(store: Store, rows: npt.NDArray[np.int64], seed: int) -> Array:
    """Return the pasted part of each fake's crops, (n, T, S, S), 0..1; the seed made the people."""
    boxes, landmarks = store.clip_field("boxes"), store.clip_field("landmarks")
    scores, indices = store.clip_field("scores"), store.clip_field("frame_indices")
    found = []
    for row in rows:
        target, donor = map(int, str(store.keys[row]).rsplit("/", 1)[-1].split("_"))
        plan = ClipPlan(Path(), SET, seed, target, donor, CUES)
        region = pasted_region(plan, VIDEO_FRAMES, VIDEO_SIDE)[indices[row]]
        pictures = np.repeat(np.round(255 * region[..., None]).astype(np.uint8), 3, axis=3)
        track = FaceTrack(boxes[row], landmarks[row], scores[row], float(store.coverage[row]))
        found.append(crop_track(list(pictures), track, size=SIDE)[..., 0] / 255)
    return np.stack(found)


def train(store: Store, streams: tuple[str, ...], seed: int, epochs: int) -> tuple[Any, Any]:
    """Return a detector of these streams trained on a store, and the same detector untrained."""
    from bench.shared.epochs import passes
    from search.detectors.space import build_detector
    from search.features.cache import FeatureCache
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import TrainingTask, fit
    from spaces.detector import detector_space
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock
    from spaces.training.space import TrainingChoices

    models = []
    for model_seed in (seed, seed + 1000):
        graph = detector_space(
            store.clip_shape,
            streams=streams,
            searched=False,
            spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
            temporal=TemporalBlock(kind="mean"),
        )
        models.append(build_detector(graph, fixed_hyperparameters({}), model_seed))
    choices = TrainingChoices(batch_size=BATCH, schedule="cosine", **passes(store, epochs))
    with tempfile.TemporaryDirectory() as features:
        fit(models[0], TrainingTask(store, FeatureCache(Path(features)), seed), choices)
    return models[0], models[1]


def measure(store: Store, streams: tuple[str, ...], seed: int, people: int, epochs: int) -> Any:
    """Return a row: figures of each test fake by name, and the test AUC."""
    from sklearn.metrics import roc_auc_score

    from artifacts.explain.heat import Explainer
    from artifacts.explain.localisation import share_inside
    from artifacts.explain.occlusion import occlusion
    from artifacts.models.inference import read_inputs, score_clips

    model, untrained = train(store, streams, seed, epochs)
    test = store.rows("test")
    rows = test[store.labels[test] == FAKE]
    clips = read_inputs(model, store, rows)
    pasted = compute_regions(store, rows, people)
    evidence = Explainer(model).evidence(clips).astype(np.float64)
    random = Explainer(untrained).evidence(clips).astype(np.float64)
    drops = occlusion(model, clips, PATCH).astype(np.float64)
    over_time = pasted.mean(axis=1)
    return {
        "auc": float(roc_auc_score(store.labels[test], score_clips(model, store, test))),
        "groups": store.groups[rows].tolist(),
        "area": pasted.mean(axis=(1, 2, 3)).tolist(),
        "heat inside": share_inside(evidence, pasted).tolist(),
        "untrained inside": share_inside(random, pasted).tolist(),
        "occlusion inside": share_inside(drops, over_time).tolist(),
        "with occlusion": correlate_maps(
            average_squares(evidence.mean(axis=1)), average_squares(drops)
        ),
        "with untrained": correlate_maps(
            average_squares(evidence.mean(axis=1)), average_squares(random.mean(axis=1))
        ),
    }


def average_squares(values: Array) -> Array:
    """Return the mean of each occlusion square, (n, H, W) to (n, squares)."""
    count, cells = len(values), SIDE // PATCH
    squares: Array = values.reshape(count, cells, PATCH, cells, PATCH).mean(axis=(2, 4))
    return squares.reshape(count, -1)


def correlate_maps(one: Array, other: Array) -> list[float]:
    """Return the Pearson correlation of two maps, by clip."""
    with np.errstate(invalid="ignore"):
        return [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(one, other, strict=True)]


def estimate_mean(values: Array, groups: npt.NDArray[np.str_]) -> tuple[float, float, float]:
    """Return the mean of finite values and its 95% interval over draws of people."""
    people, person = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(0)
    known = np.isfinite(values)
    sums = np.bincount(person[known], values[known], len(people))
    counts = np.bincount(person[known], minlength=len(people))
    picked = rng.integers(len(people), size=(DRAWS, len(people)))
    means = sums[picked].sum(axis=1) / np.maximum(counts[picked].sum(axis=1), 1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values[known].mean()), float(low), float(high)


def build_table(found: dict[str, Any]) -> Table:
    """Return a table with a row a detector."""
    fakes = len(next(iter(found.values()))["groups"])
    shown = Table(title=f"heat on {fakes} SYNTHETIC test fakes; mean (95% CI over people)")
    for column in ("streams", "AUC", *COLUMNS):
        shown.add_column(column)
    for name, row in found.items():
        groups = np.array(row["groups"])
        values = {key: np.array(row[key], float) for key in COLUMNS.values() if key in row}
        values[PER_AREA] = values["heat inside"] / values["area"]
        cells = [_format_cell(estimate_mean(values[key], groups)) for key in COLUMNS.values()]
        shown.add_row(name, f"{row['auc']:.2f}", *cells)
    return shown


def _format_cell(figure: tuple[float, float, float]) -> str:
    value, low, high = figure
    return rf"{value:.2f} \[{low:.2f}, {high:.2f}]"


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.explain", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="data and results")
    parser.add_argument("--identities", type=int, default=60)
    parser.add_argument("--people", type=int, default=0, help="seed of the synthetic people")
    parser.add_argument("--seed", type=int, default=0, help="seed of the trainings")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--only", nargs="*", choices=DETECTORS, default=list(DETECTORS))
    chosen = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        path = make_synthetic_store(
            folder / f"explain-{chosen.identities}-{SIDE}px-{chosen.people}.h5",
            Preparation(frames=FRAMES, size=SIDE),
            identities=chosen.identities,
            frames=VIDEO_FRAMES,
            size=VIDEO_SIDE,
            seed=chosen.people,
        )
        found = {}
        with Store(path) as store, bars("training") as [progress]:
            for done, name in enumerate(chosen.only, start=1):
                kept = folder / f"{path.stem}-{name}-{chosen.seed}-{chosen.epochs}.json"
                if not kept.exists():
                    row = measure(store, DETECTORS[name], chosen.seed, chosen.people, chosen.epochs)
                    kept.write_text(json.dumps(row))
                found[name] = json.loads(kept.read_text())
                progress(done, len(chosen.only))
    tables().print(build_table(found))
    log.print("heat inside, area: shares of all heat and of the frame; r: correlation of maps")


if __name__ == "__main__":
    main()
