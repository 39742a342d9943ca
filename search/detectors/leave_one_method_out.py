"""How a detector does on manipulation methods it was not trained on, each left out in turn.

Generalisation to unseen manipulations is what published cross-method figures measure, as those of
Li et al., Face X-ray, 2020; here it is what a search can optimise.
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
"""Trains a new detector without a method, its state kept in a file."""


def left_out_aucs(
    store: Store,
    folder: Path,
    fit_without: FitWithout,
    tell: Callable[[int, dict[str, float]], None],
) -> dict[str, float]:
    """AUC of real validation clips against the fakes of each method, by detectors without it.

    The epoch that counts is chosen by the other methods, so that nothing is picked by what it
    scores on the one that was left out.

    Args:
        store: of the run.
        folder: for the state of these trainings; methods that are done are not trained again.
        fit_without: trains.
        tell: is told after each method how many are done, and their AUCs; may raise to stop.
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
        tell(number, {name: done[name] for name in methods[:number]})
    return done


def _read(file: Path) -> dict[str, float]:
    try:
        found: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}
