"""Whether what steers a search ranks models as people never seen do: ``python bench/objective.py``.

Small detectors of the spatial and of the noise-residual stream are trained in ways drawn from the
training space. After every epoch each figure of validation is noted, and beside it the AUC and the
pair ranking on test clips: how often a fake scores above the very clip it was made from. For every
figure of validation the table says how it correlates with both over all epochs of all trainings
(Spearman), and how good on test the epoch is that it would choose of each training.

Without ``--train`` all clips are SYNTHETIC. Intervals are percentiles over draws of trainings.
Trainings are kept in ``--keep``, and a bench started again goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from scipy.stats import spearmanr

from artifacts.quiet import import_tensorflow
from artifacts.ranking import pair_ranking, source_places
from data_prep.clip import Preparation
from data_prep.errors import UserError
from data_prep.prepare import prepare
from data_prep.store import Store
from data_prep.synthesize import finished_seed, synthesize
from search.console import bars, tables

STREAMS = ("spatial", "noise_residual")
IDENTITIES, VIDEO_SIDE, FRAMES, SIDE = 40, 128, 8, 96
FIGURES = {
    "objective": "generalisation",
    "val_auc": "AUC of validation",
    "val_pseudo_auc": "AUC against pseudo-fakes",
    "val_pair_ranking": "pair ranking of pseudo-fakes",
    "last": "the last epoch, whatever it scored",
}
DRAWS = 1000

Epochs = list[dict[str, float]]
"""Of one training, the figures of every epoch on validation and on test."""


def synthetic_store(folder: Path) -> Path:
    """A store of synthetic people with every mark, made where it is missing."""
    videos, store = folder / "people", folder / "people.h5"
    if not store.exists():
        with bars("drawing", "preparing", "writing") as [drawing, preparing, writing]:
            if finished_seed(videos) is None:
                synthesize(
                    videos, identities=IDENTITIES, size=VIDEO_SIDE, jobs=-1, progress=drawing
                )
            prepare(
                videos,
                store,
                preparation=Preparation(frames=FRAMES, size=SIDE),
                jobs=-1,
                progress=preparing,
                writing=writing,
            )
    return store


def trained(train: Path, tests: Sequence[Path], number: int, epochs: int) -> Epochs:
    """Train one detector in a way drawn by its number."""
    import keras_tuner

    from artifacts.scoring import score_clips
    from search import detectors
    from search.fit import Epoch, fit
    from search.hyperparameters import fixed
    from search.objectives import GENERALISATION
    from spaces.detector import detector_space
    from spaces.spatial import SpatialBlock
    from spaces.training import training_space

    rng = np.random.default_rng(number)
    hp = keras_tuner.HyperParameters()
    hp.values.update(
        learning_rate=float(10 ** rng.uniform(-4, -2)),
        batch_size=int(rng.choice([8, 16])),
        loss=str(rng.choice(["binary_crossentropy", "focal", "pairwise"])),
        pseudo_fakes=float(rng.choice([0.0, 0.5, 1.0])),
        augmentation=str(rng.choice(["none", "light", "strong"])),
    )
    choices = training_space(hp, epochs, {"epochs": epochs})
    found: Epochs = []
    with Store(train) as store, tempfile.TemporaryDirectory() as features:
        graph = detector_space(
            store.clip_shape,
            streams=(STREAMS[number % len(STREAMS)],),
            spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
        )
        model = detectors.build(graph, fixed({}), number)

        def test(epoch: Epoch) -> None:
            figures = dict(epoch.row, objective=epoch.score.value, last=float(epoch.number))
            scored = []
            for path in tests:
                with Store(path) as other:
                    rows = other.rows("test")
                    rows = (
                        rows if len(np.unique(other.labels[rows])) == 2 else np.arange(len(other))
                    )
                    scores = score_clips(model, other, rows)
                    sources = source_places(other.keys[rows], other.crop_sources[rows])
                    scored.append((_auc(other.labels[rows], scores), pair_ranking(scores, sources)))
            figures["test_auc"] = float(np.mean([auc for auc, _ in scored]))
            pairs = [ranking for _, ranking in scored if ranking is not None]
            if pairs:
                figures["test_pairs"] = float(np.mean(pairs))
            found.append(figures)

        fit(
            model,
            store,
            choices,
            seed=number,
            features=Path(features),
            objective=GENERALISATION,
            report=test,
        )
    return found


def measured(
    train: Path,
    tests: Sequence[Path],
    count: int,
    epochs: int,
    kept: Path,
    progress: Callable[[int, int], None],
) -> list[Epochs]:
    """Every training; those kept are not made again."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    known = {entry["key"]: entry["epochs"] for entry in map(json.loads, lines)}
    with Store(train) as store:
        mark = store.fingerprint[:12]
    found = []
    for number in range(count):
        key = f"{mark}/{'+'.join(sorted(path.name for path in tests))}/{epochs}/{number}"
        if key not in known:
            known[key] = trained(train, tests, number, epochs)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "epochs": known[key]}) + "\n")
        found.append(known[key])
        progress(number + 1, count)
    return found


def correlation(trainings: Sequence[Epochs], figure: str, test: str) -> float:
    """Spearman's, over all epochs of all trainings; NaN where one of both never changes."""
    pairs = [(epoch[figure], epoch[test]) for epochs in trainings for epoch in epochs]
    ours, theirs = zip(*pairs, strict=True)
    if len(set(ours)) < 2 or len(set(theirs)) < 2:
        return float("nan")
    return float(spearmanr(ours, theirs).statistic)


def chosen_by(trainings: Sequence[Epochs], figure: str, test: str) -> float:
    """What the best epoch of each training by a figure has on test; the mean over trainings."""
    return float(np.mean([max(epochs, key=lambda one: one[figure])[test] for epochs in trainings]))


def with_interval(
    trainings: Sequence[Epochs], value: Callable[[Sequence[Epochs]], float]
) -> tuple[float, float, float]:
    """A value and its 95% interval over draws of trainings."""
    rng = np.random.default_rng(0)
    drawn = [
        value([trainings[at] for at in rng.integers(len(trainings), size=len(trainings))])
        for _ in range(DRAWS)
    ]
    finite = [one for one in drawn if np.isfinite(one)] or [float("nan")]
    low, high = np.percentile(finite, [2.5, 97.5])
    return value(trainings), float(low), float(high)


def summary(trainings: Sequence[Epochs]) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Of every figure, how it ranks and what it chooses, by test figure."""
    tests = [name for name in ("test_auc", "test_pairs") if name in trainings[0][0]]
    return {
        figure: {
            f"{what.__name__} {test}": with_interval(
                trainings,
                lambda some, f=figure, t=test, w=what: w(some, f, t),  # type: ignore[misc]
            )
            for test in tests
            for what in (correlation, chosen_by)
        }
        for figure in FIGURES
    }


def table(found: dict[str, dict[str, tuple[float, float, float]]], title: str) -> Table:
    """The summary for people."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("steered by")
    names = {
        "correlation test_auc": "Spearman with test AUC",
        "chosen_by test_auc": "test AUC of what it chooses",
        "correlation test_pairs": "Spearman with test pairs",
        "chosen_by test_pairs": "test pairs of what it chooses",
    }
    columns = [name for name in names if name in found["objective"]]
    for name in columns:
        shown.add_column(names[name], justify="right")
    for figure, values in found.items():
        cells = [values[name] for name in columns]
        shown.add_row(FIGURES[figure], *map(_cell, cells))
    return shown


def _cell(entry: tuple[float, float, float]) -> str:
    value, low, high = entry
    return rf"{value:.2f} \[{low:.2f}, {high:.2f}]" if np.isfinite(value) else "constant"


def _auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--train", type=Path, metavar="STORE", help="default: synthetic people")
    parser.add_argument(
        "--test", type=Path, action="append", metavar="STORE", help="default: its test split"
    )
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where results stay")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    if chosen.epochs < 5:
        raise UserError("--epochs must be at least 5")
    import_tensorflow()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        train = chosen.train or synthetic_store(folder)
        tests = chosen.test or [train]
        with bars("training") as [progress]:
            kept = folder / "objective.jsonl"
            trainings = measured(train, tests, chosen.trainings, chosen.epochs, kept, progress)
    found = summary(trainings)
    if chosen.json:
        print(json.dumps(found, indent=1))
        return
    kind = "SYNTHETIC people" if chosen.train is None else train.name
    title = f"{len(trainings)} trainings of {chosen.epochs} epochs on {kind}"
    tables().print(table(found, title))


if __name__ == "__main__":
    main()
