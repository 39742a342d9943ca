"""AUC of a detector on manipulation methods that were left out of its training, each in turn.

Published cross-method results measure generalisation to unseen manipulations, such as those of
Li et al., Face X-ray, 2020. Here a search can optimise it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from artifacts.run_directory import write_text
from data_prep.store.store import Store
from search.config.feasible import methods_of
from search.training.fit import Fit
from search.training.objectives import method_auc

_FILE = "methods.json"

FitWithout = Callable[[str, Path], Fit]
"""Function that trains a new detector without a method, with its state in a file."""


def left_out_aucs(
    store: Store,
    folder: Path,
    fit_without: FitWithout,
    report: Callable[[int, dict[str, float]], None],
) -> dict[str, float]:
    """Return the AUC of real validation clips against each method, by detectors without it.

    The other methods choose the best epoch, so that the method that was left out selects nothing.

    Args:
        store: Store of the run.
        folder: Folder for the state of these trainings; finished methods are not trained again.
        fit_without: Trains a detector without a method.
        report: Called after each method with the number of finished methods and their AUCs; may
            raise to stop.
    """
    val = store.rows("val")
    done: dict[str, float] = _read(folder / _FILE)
    methods = methods_of(store)
    for number, method in enumerate(methods, start=1):
        if method not in done:
            kept = folder / f"without-{number}.npz"
            trained = fit_without(method, kept)
            labels, names = store.labels[val], store.methods[val]
            done[method] = method_auc(labels, names, trained.probabilities, method)
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / _FILE, json.dumps(done))
            kept.unlink(missing_ok=True)
        report(number, {name: done[name] for name in methods[:number]})
    return done


def _read(file: Path) -> dict[str, float]:
    try:
        found: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}
