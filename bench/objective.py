"""Whether what steers a search ranks models as people never seen do: ``python -m bench.objective``.

Detectors of the spatial and of the noise-residual stream are trained in turn, in ways drawn from
the training space. After every epoch each figure of validation is noted, and beside it the AUC and
the pair ranking on test clips - how often a fake scores above the very clip it was made from - and
both on matched pairs, of which the sharper clip is blurred: fakes are softer than their originals,
and a model that sees nothing else ranks well without. For every figure of validation the table says
how it correlates with each of these over all epochs of all trainings (Spearman), and how good on
test the epochs are that it chooses, one of each training.

Without ``--train`` all clips are SYNTHETIC. Intervals are percentiles over draws of trainings.
Trainings are kept in ``--keep``, and a bench started again goes on with what is missing.
"""

from __future__ import annotations

import argparse
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
from artifacts.metrics.ranking import pair_ranking, source_places
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
    "last": "the last epoch, whatever it scored",
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
"""Of one training, the figures of every epoch on validation and on test."""


def make_matched_store(path: Path, folder: Path) -> Path | None:
    """The store of equally sharp pairs of the test clips of another, ``None`` where there are none.

    Fakes are softer than their originals, and a model that sees nothing else ranks well without.
    """
    with Store(path) as store:
        matched = folder / f"matched-{store.fingerprint[:12]}.h5"
        if not matched.exists():
            try:
                write_matched(store, _tested_rows(store), matched)
            except UserError:
                return None
    return matched


def trained(
    settings: Mapping[str, Any], tests: Mapping[str, Path], number: int, epochs: int
) -> Epochs:
    """Train one detector in a way drawn by its number.

    Args:
        settings: of a run, without how to train.
        tests: stores by the name of the figures they give.
        number: of the training.
        epochs: of it.
    """
    import keras_tuner

    from search.config.run_config import resolve
    from search.detectors.short_clips import build_short_detector
    from search.detectors.space import build_detector, build_space
    from search.features.cache import FeatureCache
    from search.studies.hyperparameters import fixed
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
    choices = training_space(hp, epochs, {"epochs": epochs})
    stream = STREAMS[number % len(STREAMS)]
    config = resolve({**settings, "space": {**settings["space"], "streams": [stream]}})
    found: Epochs = []
    with Store(config.store) as store, tempfile.TemporaryDirectory() as features:
        answers = fixed({})
        model = build_detector(build_space(config, store), answers, number)

        def test(epoch: Epoch) -> None:
            figures = dict(epoch.row, objective=epoch.score.value, last=float(epoch.number))
            for name, path in tests.items():
                figures |= {f"{name}_{what}": one for what, one in tested(model, path).items()}
            found.append(figures)

        fit(
            model,
            TrainingTask(store, FeatureCache(Path(features)), number, objective=GENERALISATION),
            choices,
            shorter=build_short_detector(config, store, answers, number),
            report=test,
        )
    return found


def tested(model: Any, path: Path) -> dict[str, float]:
    """AUC and, where fakes lie beside their originals, pair ranking of a model's scores."""
    from sklearn.metrics import roc_auc_score

    from artifacts.models.inference import score_clips

    with Store(path) as store:
        rows = _tested_rows(store)
        scores = score_clips(model, store, rows)
        sources = source_places(store.keys[rows], store.crop_sources[rows])
        pairs = pair_ranking(scores, sources)
        found = {"auc": float(roc_auc_score(store.labels[rows], scores))}
        return found if pairs is None else found | {"pairs": float(pairs)}


def _tested_rows(store: Store) -> npt.NDArray[np.int64]:
    """Its test split, or all of a store whose test split lacks a label."""
    rows = store.rows("test")
    return rows if len(np.unique(store.labels[rows])) == 2 else np.arange(len(store))


def measured(
    settings: Mapping[str, Any],
    tests: Mapping[str, Path],
    count: int,
    epochs: int,
    kept: Path,
    progress: Callable[[int, int], None],
) -> list[Epochs]:
    """Every training; those kept are not made again."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    known = {entry["key"]: entry["epochs"] for entry in map(json.loads, lines)}
    marks = []
    for path in (settings["store"], *tests.values()):
        with Store(path) as store:
            marks.append(store.fingerprint[:12])
    wanted = json.dumps([marks, settings["space"], settings["training"], epochs])
    found = []
    for number in range(count):
        key = f"{wanted} {number}"
        if key not in known:
            known[key] = trained(settings, tests, number, epochs)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "epochs": known[key]}) + "\n")
        found.append(known[key])
        progress(number + 1, count)
    return found


def correlate(trainings: Sequence[Epochs], figure: str, test: str) -> float:
    """Spearman's, over all epochs of all trainings; NaN where one of both never changes."""
    pairs = [(epoch[figure], epoch[test]) for epochs in trainings for epoch in epochs]
    ours, theirs = zip(*pairs, strict=True)
    if len(set(ours)) < 2 or len(set(theirs)) < 2:
        return float("nan")
    return float(spearmanr(ours, theirs).statistic)


def mean_of_best(trainings: Sequence[Epochs], figure: str, test: str) -> float:
    """What the best epoch of each training by a figure has on test; the mean over trainings."""
    return float(np.mean([max(epochs, key=lambda one: one[figure])[test] for epochs in trainings]))


def estimate_interval(
    trainings: Sequence[Epochs], value: Callable[[Sequence[Epochs]], float]
) -> Entry:
    """A value and its 95% interval over draws of trainings."""
    rng = np.random.default_rng(0)
    drawn = [
        value([trainings[at] for at in rng.integers(len(trainings), size=len(trainings))])
        for _ in range(DRAWS)
    ]
    finite = [one for one in drawn if np.isfinite(one)] or [float("nan")]
    low, high = np.percentile(finite, [2.5, 97.5])
    return value(trainings), float(low), float(high)


def summary(trainings: Sequence[Epochs]) -> dict[str, dict[str, dict[str, Entry]]]:
    """By test figure and figure of validation: how this ranks, and what it chooses."""
    tests = [name for name in TESTS if name in trainings[0][0]]
    return {
        test: {
            figure: {
                "ranks": estimate_interval(trainings, partial(correlate, figure=figure, test=test)),
                "chooses": estimate_interval(
                    trainings, partial(mean_of_best, figure=figure, test=test)
                ),
            }
            for figure in FIGURES
        }
        for test in tests
    }


def table(found: dict[str, dict[str, dict[str, Entry]]], title: str) -> Table:
    """The summary for people."""
    shown = Table(title=title, title_justify="left")
    for name in ("on test", "steered by"):
        shown.add_column(name)
    for name in ("Spearman", "mean of what it chooses"):
        shown.add_column(name, justify="right")
    for test, figures in found.items():
        for figure, entry in figures.items():
            cells = map(_cell, (entry["ranks"], entry["chooses"]))
            shown.add_row(TESTS[test], FIGURES[figure], *cells)
        shown.add_section()
    return shown


def _cell(entry: Entry) -> str:
    value, low, high = entry
    return rf"{value:.2f} \[{low:.2f}, {high:.2f}]" if np.isfinite(value) else "constant"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.objective", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--train", type=Path, metavar="STORE", help="default: synthetic people")
    parser.add_argument("--test", type=Path, metavar="STORE", help="default: its test split")
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--frames", type=int, default=0, help="of a sample; 0 for all of a clip")
    parser.add_argument("--backbone", default="small_cnn", help="of the spatial stream")
    parser.add_argument("--weights", default="none", help="of the backbone")
    parser.add_argument("--fine-tune", default="never", help="never, always or a number of stages")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where results stay")
    parser.add_argument("--json", action="store_true", help="for programs")
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
            trainings = measured(settings, tests, chosen.trainings, chosen.epochs, kept, progress)
    found = summary(trainings)
    if chosen.json:
        print(json.dumps(found, indent=1))
        return
    kind = "SYNTHETIC people" if chosen.train is None else train.name
    title = f"{len(trainings)} trainings of {chosen.epochs} epochs on {kind}"
    tables().print(table(found, title))


if __name__ == "__main__":
    main()
