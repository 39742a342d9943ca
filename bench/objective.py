"""Agreement of validation figures with unseen people: ``python -m bench.objective``.

Detectors of the spatial and of the noise-residual stream are trained in turn, with settings sampled
from the training space. Each epoch records every validation figure, and AUC and pair ranking on
test clips. Both are repeated on matched pairs, whose sharper clip is blurred, because a model that
detects only sharpness ranks fakes well. For every validation figure the table has its Spearman
correlation with each test figure over all epochs, and the test figure of the epochs that it
selects, one of each training.

Without ``--train`` all clips are SYNTHETIC. Intervals are percentiles over draws of trainings.
Trainings are kept in ``--keep``, and a restarted bench runs only missing ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from scipy.stats import spearmanr

from artifacts.evaluation.matching import write_matched
from artifacts.metrics.ranking import find_originals, pair_ranking
from artifacts.quiet import import_tensorflow
from bench.shared.synthetic_store import make_synthetic_store
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.store.store import Store
from search.cli.console import bars, tables

STREAMS = ("spatial", "noise_residual")
PEOPLE = {"identities": 40, "size": 128}
CLIPS = Preparation(frames=8, size=96)
FIGURES = {
    "objective": "generalisation",
    "val_auc": "AUC of validation",
    "val_pseudo_auc": "AUC against pseudo-fakes",
    "val_pair_ranking": "pair ranking of pseudo-fakes",
    "last": "the last epoch",
}
TESTS = {
    "test_auc": "AUC",
    "test_pairs": "pair ranking",
    "matched_auc": "AUC, matched",
    "matched_pairs": "pair ranking, matched",
}
DRAWS = 1000

Entry = tuple[float, float, float]
"""A value and its interval."""

Epochs = list[dict[str, float]]
"""Figures of every epoch of one training, on validation and on test."""


def make_matched_store(path: Path, folder: Path) -> Path | None:
    """Return a store of equally sharp pairs of test clips; ``None`` if there are none.

    Fakes are softer than their originals, so a model that detects only sharpness ranks them well.
    """
    with Store(path) as store:
        matched = folder / f"matched-{store.fingerprint[:12]}.h5"
        if not matched.exists():
            try:
                write_matched(store, _select_rows(store), matched)
            except UserError:
                return None
    return matched


def train(
    settings: Mapping[str, Any], tests: Mapping[str, Path], number: int, epochs: int
) -> Epochs:
    """Train one detector with settings sampled by its number.

    Args:
        settings: Settings of a run, without those of training.
        tests: Test stores by the prefix of their figures.
        number: Number of the training.
        epochs: Number of epochs.
    """
    import keras_tuner

    from bench.shared.epochs import passes
    from search.config.run_config import resolve
    from search.detectors.short_clips import build_short_detector
    from search.detectors.space import build_detector, build_space
    from search.features.cache import FeatureCache
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import Epoch, TrainingTask, fit
    from search.training.objectives import GENERALISATION
    from spaces.training.space import training_space

    rng = np.random.default_rng(number)
    hp = keras_tuner.HyperParameters()
    hp.values.update(
        learning_rate=float(10 ** rng.uniform(-4, -2.5)),
        batch_size=int(rng.choice([8, 16, 32])),
        loss=str(rng.choice(["binary_crossentropy", "focal", "pairwise"])),
        pseudo_fakes=float(rng.choice([0.0, 0.5, 1.0])),
        augmentation=str(rng.choice(["none", "light", "strong"])),
    )
    stream = STREAMS[number % len(STREAMS)]
    config = resolve({**settings, "space": {**settings["space"], "streams": [stream]}})
    found: Epochs = []
    with Store(config.store) as store, tempfile.TemporaryDirectory() as features:
        share = hp.values["pseudo_fakes"]
        choices = training_space(hp, 1, {"samples": 1})
        choices = dataclasses.replace(choices, **passes(store, epochs, share))
        answers = fixed_hyperparameters({})
        model = build_detector(build_space(config, store), answers, number)

        def test(epoch: Epoch) -> None:
            figures = dict(epoch.row, objective=epoch.score.value, last=float(epoch.number))
            for name, path in tests.items():
                figures |= {f"{name}_{what}": one for what, one in score_model(model, path).items()}
            found.append(figures)

        fit(
            model,
            TrainingTask(store, FeatureCache(Path(features)), number, objective=GENERALISATION),
            choices,
            shorter=build_short_detector(config, store, answers, number),
            report=test,
        )
    return found


def score_model(model: Any, path: Path) -> dict[str, float]:
    """Return AUC and, if fakes have their originals, pair ranking of a model on a store."""
    from sklearn.metrics import roc_auc_score

    from artifacts.models.inference import score_clips

    with Store(path) as store:
        rows = _select_rows(store)
        scores = score_clips(model, store, rows)
        sources = find_originals(store.keys[rows], store.crop_sources[rows])
        pairs = pair_ranking(scores, sources)
        found = {"auc": float(roc_auc_score(store.labels[rows], scores))}
        return found if pairs is None else found | {"pairs": float(pairs)}


def _select_rows(store: Store) -> npt.NDArray[np.int64]:
    """Return the rows of the test split, or all rows if it lacks a label."""
    rows = store.rows("test")
    return rows if len(np.unique(store.labels[rows])) == 2 else np.arange(len(store))


def train_all(
    settings: Mapping[str, Any],
    tests: Mapping[str, Path],
    count: int,
    epochs: int,
    kept: Path,
    progress: Callable[[int, int], None],
) -> list[Epochs]:
    """Return every training, kept or new."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    known = {entry["key"]: entry["epochs"] for entry in map(json.loads, lines)}
    fingerprints = []
    for path in (settings["store"], *tests.values()):
        with Store(path) as store:
            fingerprints.append(store.fingerprint[:12])
    wanted = json.dumps([fingerprints, settings["space"], settings["training"], epochs])
    found = []
    for number in range(count):
        key = f"{wanted} {number}"
        if key not in known:
            known[key] = train(settings, tests, number, epochs)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "epochs": known[key]}) + "\n")
        found.append(known[key])
        progress(number + 1, count)
    return found


def correlate(trainings: Sequence[Epochs], figure: str, test: str) -> float:
    """Return Spearman's correlation over all epochs; NaN if a figure is constant."""
    pairs = [(epoch[figure], epoch[test]) for epochs in trainings for epoch in epochs]
    ours, theirs = zip(*pairs, strict=True)
    if len(set(ours)) < 2 or len(set(theirs)) < 2:
        return float("nan")
    return float(spearmanr(ours, theirs).statistic)


def average_best(trainings: Sequence[Epochs], figure: str, test: str) -> float:
    """Return the mean test figure of the best epoch of each training."""
    return float(np.mean([max(epochs, key=lambda one: one[figure])[test] for epochs in trainings]))


def estimate_interval(
    trainings: Sequence[Epochs], value: Callable[[Sequence[Epochs]], float]
) -> Entry:
    """Return a value and its 95% interval over draws of trainings."""
    rng = np.random.default_rng(0)
    drawn = [
        value([trainings[index] for index in rng.integers(len(trainings), size=len(trainings))])
        for _ in range(DRAWS)
    ]
    finite = [one for one in drawn if np.isfinite(one)] or [float("nan")]
    low, high = np.percentile(finite, [2.5, 97.5])
    return value(trainings), float(low), float(high)


def summarise(trainings: Sequence[Epochs]) -> dict[str, dict[str, dict[str, Entry]]]:
    """Return correlation and selection, by test figure and validation figure."""
    tests = [name for name in TESTS if name in trainings[0][0]]
    return {
        test: {
            figure: {
                "ranks": estimate_interval(trainings, partial(correlate, figure=figure, test=test)),
                "chooses": estimate_interval(
                    trainings, partial(average_best, figure=figure, test=test)
                ),
            }
            for figure in FIGURES
        }
        for test in tests
    }


def build_table(found: dict[str, dict[str, dict[str, Entry]]], title: str) -> Table:
    """Return the summary as a table."""
    shown = Table(title=title, title_justify="left")
    for name in ("on test", "selected by"):
        shown.add_column(name)
    for name in ("Spearman", "mean of selected epochs"):
        shown.add_column(name, justify="right")
    for test, figures in found.items():
        for figure, entry in figures.items():
            cells = map(_format_cell, (entry["ranks"], entry["chooses"]))
            shown.add_row(TESTS[test], FIGURES[figure], *cells)
        shown.add_section()
    return shown


def _format_cell(entry: Entry) -> str:
    value, low, high = entry
    return rf"{value:.2f} \[{low:.2f}, {high:.2f}]" if np.isfinite(value) else "constant"


def main() -> None:
    """Train, summarise and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.objective", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--train", type=Path, metavar="STORE", help="default: synthetic people")
    parser.add_argument("--test", type=Path, metavar="STORE", help="default: its test split")
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--frames", type=int, default=0, help="frames of a sample; 0 for whole clips"
    )
    parser.add_argument("--backbone", default="small_cnn", help="backbone of the spatial stream")
    parser.add_argument("--weights", default="none", help="weights of the backbone")
    parser.add_argument("--fine-tune", default="never", help="never, always or a number of stages")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="stores and results")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    if chosen.epochs < 5:
        parser.error("--epochs must be at least 5")
    import_tensorflow()
    stages = int(chosen.fine_tune) if chosen.fine_tune.isdigit() else chosen.fine_tune
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        train = chosen.train or make_synthetic_store(folder / "people.h5", CLIPS, **PEOPLE)
        test = chosen.test or train
        matched = make_matched_store(test, folder)
        settings = {
            "store": train,
            "run_dir": folder,
            "space": {
                "backbones": [chosen.backbone],
                "weights": chosen.weights,
                "fine_tune": stages,
            },
            "training": {"frames": chosen.frames},
        }
        tests = {"test": test} | ({} if matched is None else {"matched": matched})
        with bars("training") as [progress]:
            kept = folder / "objective.jsonl"
            trainings = train_all(settings, tests, chosen.trainings, chosen.epochs, kept, progress)
    found = summarise(trainings)
    if chosen.json:
        print(json.dumps(found, indent=1))
        return
    kind = "SYNTHETIC people" if chosen.train is None else train.name
    title = f"{len(trainings)} trainings of {chosen.epochs} epochs on {kind}"
    tables().print(build_table(found, title))


if __name__ == "__main__":
    main()
