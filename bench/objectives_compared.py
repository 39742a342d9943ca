"""The winner of ``leave-one-method-out`` against that of plain ``auc``: test AUC by method.

``python -m bench.objectives_compared`` makes a SYNTHETIC set whose fakes are of four methods with
one mark each, and searches it twice, with only the objective changed. ``--store`` uses any other
store with two methods or more. The AUC of both winners is printed for every method on test people;
with ``--split val``, for a store with too few, on the people that guided both searches:

- of the exported model, which was trained on all methods;
- of its configuration retrained without that method, the quantity that ``leave-one-method-out``
  optimises, here on test people, which it has not seen.

Intervals are percentiles over draws of people. They are for one seed and do not cover the variation
between searches. Runs and scores in ``--keep`` are resumed.

Synthetic clips are not augmented by default, because strong degradation hides their faint marks;
for real ones use ``--augmentation strong --pseudo-fakes 0.5``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from sklearn.metrics import roc_auc_score

from artifacts.metrics.ranking import Figure
from artifacts.quiet import import_tensorflow
from artifacts.run_directory import RunDirectory, write_text
from bench.shared.cells import format_figure
from bench.shared.synthetic_store import make_synthetic_store
from data_prep.bootstrap import Interval, group_intervals
from data_prep.preparation.clip import Preparation
from data_prep.store.format import FAKE, REAL
from data_prep.store.store import Store
from data_prep.synthetic.swap import CUES
from search.cli.console import log, run_progress, tables
from search.config.feasible import methods_of
from search.config.names import AUC, LEAVE_ONE_OUT
from search.config.run_config import RunConfig, resolve

OBJECTIVES = (AUC, LEAVE_ONE_OUT)
TRAINED_ON, HELD_OUT = "trained on", "held out"
# Videos are small, because shrinking faces would remove camera noise.
VIDEO_SIDE = 96
CLIPS = Preparation(frames=8, size=64)

Scores = dict[str, list[float]]
"""Test scores of a winner: ``trained on`` all methods, and without each method."""

Entry = tuple[float, Interval]
Results = dict[str, dict[str, dict[str, Entry]]]
"""AUC and interval by use of the method, method, and objective or difference."""

DIFFERENCE = f"{LEAVE_ONE_OUT} - {AUC}"


def make_four_method_store(folder: Path, identities: int, seed: int) -> Path:
    """Return a SYNTHETIC store with one method a cue, made if missing."""
    path = folder / f"cues-{identities}-{seed}.h5"
    people = {"identities": identities, "size": VIDEO_SIDE, "seed": seed}
    return make_synthetic_store(path, CLIPS, cues=CUES, per_cue=True, **people)


def build_config(
    store: Path, folder: Path, objective: str, chosen: argparse.Namespace
) -> RunConfig:
    """Return the configuration of a search of small detectors with all possible streams."""
    return resolve(
        {
            "store": str(store),
            "run_dir": str(folder / objective),
            "seed": chosen.seed,
            "workers": chosen.workers,
            "objective": objective,
            "space": {"backbones": chosen.backbones.split(","), "weights": chosen.weights},
            "architecture": {
                "trials": chosen.trials,
                "samples": chosen.samples,
                "batch_size": 8,
                "learning_rate": 1e-3,
            },
            "gan": {"trials": 0},
            "training": {
                "trials": 0,
                "epoch_samples": max(1, chosen.samples // 5),
                "frames": 0,
                "views": chosen.views,
                "augmentation": chosen.augmentation,
                "pseudo_fakes": chosen.pseudo_fakes,
            },
        }
    )


def search_and_score(config: RunConfig, kept: Path, split: str) -> Scores:
    """Run or resume a search, and return the scores of its winner on a split."""
    import keras

    from artifacts.models.inference import score_clips
    from search.run import run

    with run_progress(config.run_dir) as progress:
        directory = run(config, progress)
    found: Scores = json.loads(kept.read_text()) if kept.exists() else {}
    import_tensorflow()
    with Store(config.store) as store:
        rows = store.rows(split)
        for name in (TRAINED_ON, *methods_of(store)):
            if name in found:
                continue
            log.print(f"{config.objective}: scoring the winner, {name}", highlight=False)
            if name == TRAINED_ON:
                model = keras.models.load_model(directory.h5, compile=False)
            else:
                model = _train_without(config, store, name, directory)
            found[name] = score_clips(model, store, rows).tolist()
            write_text(kept, json.dumps(found))
    return found


def _train_without(config: RunConfig, store: Store, method: str, directory: RunDirectory) -> Any:
    """Retrain the winner's configuration without a method, and return the model."""
    from search.detectors.space import build_detector, build_space
    from search.features.cache import FeatureCache
    from search.stages.finish import choose
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import TrainingTask, fit

    winner = choose(config)
    answers = fixed_hyperparameters(dict(winner.architecture))
    model = build_detector(build_space(config, store), answers, config.seed)
    fit(
        model,
        TrainingTask(
            store,
            FeatureCache(directory.features, config.features_bytes),
            config.seed,
            without=method,
        ),
        winner.choices,
    )
    return model


def summarise(
    labels: npt.NDArray[np.uint8],
    methods: npt.NDArray[np.str_],
    groups: npt.NDArray[np.str_],
    scores: Mapping[str, Scores],
) -> Results:
    """Return the AUC of every method against all real clips, of both winners and their difference.

    Args:
        labels: Labels of the scored clips.
        methods: Methods of the scored clips.
        groups: Identity groups of the scored clips.
        scores: Scores of the winner of each objective.
    """
    results: Results = {TRAINED_ON: {}, HELD_OUT: {}}
    # A method that only this split has was never held out.
    known = [name for name in scores[AUC] if name != TRAINED_ON]
    for method in (name for name in known if np.any(methods == name)):
        ours = (labels == REAL) | ((labels == FAKE) & (methods == method))
        for use in results:
            chosen_scores = {
                objective: np.array(scores[objective][TRAINED_ON if use == TRAINED_ON else method])
                for objective in OBJECTIVES
            }
            results[use][method] = _entries(labels[ours], groups[ours], chosen_scores, ours)
    return results


def _entries(
    labels: npt.NDArray[np.uint8],
    groups: npt.NDArray[np.str_],
    chosen_scores: Mapping[str, npt.NDArray[np.float64]],
    ours: npt.NDArray[np.bool_],
) -> dict[str, Entry]:
    def aucs(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        found = {
            objective: float(roc_auc_score(labels, scores[ours], sample_weight=weights))
            for objective, scores in chosen_scores.items()
        }
        return found | {DIFFERENCE: found[LEAVE_ONE_OUT] - found[AUC]}

    values = aucs(np.ones(len(labels), np.int64))
    intervals = group_intervals(aucs, labels, groups, seed=0)
    return {name: (value, intervals[name]) for name, value in values.items()}


def build_table(results: Results, title: str) -> Table:
    """Return a table with a row for each method and use, and a column a winner."""
    shown = Table(title=title)
    for name in ("method was", "method", *(f"winner of {one}" for one in OBJECTIVES), DIFFERENCE):
        shown.add_column(name)
    for use, of_methods in results.items():
        for method, entries in of_methods.items():
            cells = [format_figure(Figure(*entries[one])) for one in OBJECTIVES]
            shown.add_row(use, method, *cells, format_figure(Figure(*entries[DIFFERENCE]), "+"))
        shown.add_section()
    return shown


def main() -> None:
    """Search twice, score and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.objectives_compared", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="data and runs")
    parser.add_argument("--store", type=Path, metavar="STORE.h5", help="default: a synthetic store")
    parser.add_argument("--split", choices=("test", "val"), default="test", help="split to score")
    parser.add_argument("--identities", type=int, default=60, help="number of synthetic people")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--samples", type=int, default=1024, help="samples of a trial")
    parser.add_argument("--backbones", default="small_cnn,small_resnet,meso")
    parser.add_argument("--weights", default="imagenet", help="weights of pretrained backbones")
    parser.add_argument("--views", type=int, default=4, help="stored views for frozen parts")
    parser.add_argument("--augmentation", choices=("none", "light", "strong"), default="none")
    parser.add_argument(
        "--pseudo-fakes", type=float, default=0.0, metavar="SHARE", help="share of pseudo-fakes"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        path = chosen.store or make_four_method_store(folder, chosen.identities, chosen.seed)
        scores = {
            objective: search_and_score(
                build_config(path, folder, objective, chosen),
                folder / f"{objective}-{chosen.split}.json",
                chosen.split,
            )
            for objective in OBJECTIVES
        }
        with Store(path) as store:
            rows = store.rows(chosen.split)
            clips = store.labels[rows], store.methods[rows], store.groups[rows]
            kind = "SYNTHETIC fakes" if store.is_synthetic else path.name
            people = len(set(store.groups[rows]))
        results = summarise(*clips, scores)
    if chosen.json:
        print(json.dumps(results, indent=1))
        return
    tables().print(
        build_table(
            results,
            f"AUC of each method against real clips, {kind}: {people} {chosen.split} "
            f"identity groups, {chosen.trials} trials a search, 95% CI over people",
        )
    )


if __name__ == "__main__":
    main()
