"""Objectives of other packages: what they are given, what they decide, how they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from data_prep import plugins
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.run_config import load, resolve
from search.preflight import remarks
from search.training import plugin_objectives
from search.training.objectives import ValidationScore, validation_score

LABELS = np.array([0, 0, 1, 1], np.uint8)
METHODS = np.array(["real", "real", "Drawn", "Painted"])
SAID = np.array([0.1, 0.6, 0.5, 0.9], np.float32)

# Of the second fake the probability, if it was given what it was promised.
CODE = """
import numpy as np
def IT(labels, methods, probabilities):
    assert labels.dtype == np.uint8 and probabilities.dtype == np.float64
    found = float(probabilities[(labels == 1) & (methods == "Painted")][0])
    probabilities[:] = 5
    labels[:] = 5
    return found
"""

AddPackage = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    plugin_objectives._loaded.cache_clear()
    yield
    plugin_objectives._loaded.cache_clear()


def test_an_objective_of_another_package_is_what_is_optimised(add_package: AddPackage) -> None:
    add_package(plugins.OBJECTIVES, "painted", CODE)
    score = validation_score(LABELS, SAID, objective="painted", methods=METHODS)
    assert score.value == pytest.approx(0.9)
    assert score.row["val_objective"] == score.value
    assert score.auc == 0.75
    lower = ValidationScore(1.0, 0.1, objective="painted", plugin_value=0.5)
    assert min([lower, score], key=lambda each: each.order) is score
    # It has worked on copies.
    assert SAID.max() < 1
    assert set(LABELS) == {0, 1}


def test_a_configuration_knows_it_by_name(add_package: AddPackage, tmp_path: Path) -> None:
    settings = {"store": "a.h5", "run_dir": str(tmp_path), "objective": "painted"}
    with pytest.raises(UserError, match=r"no objective painted; there are auc, .*auc\+size$"):
        resolve(settings)
    add_package(plugins.OBJECTIVES, "painted", CODE)
    assert resolve(settings).objective == "painted"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError"),
        ("IT = 5", "is int, expected a function"),
        ("def IT(labels): pass", "failed: TypeError"),
        ("def IT(*given): return given[2].nothing", r"failed: AttributeError.*other_code\.py:1"),
        ("def IT(*given): return float('nan')", "gives nan, expected a finite number"),
        ("def IT(*given): return '0.5'", "gives '0.5', expected a finite number"),
        ("def IT(*given): return None", "gives None, expected a finite number"),
    ],
)
def test_one_that_cannot_work_is_told_before_any_trial(
    code: str,
    said: str,
    add_package: AddPackage,
    write_config: Callable[..., Path],
    store: Store,
    tmp_path: Path,
) -> None:
    add_package(plugins.OBJECTIVES, "mine", code)
    config = load(write_config(tmp_path), {"objective": "mine"})
    with pytest.raises(UserError, match=f"the objective mine of the package other {said}"):
        remarks(config, store)


def test_a_name_of_ours_is_refused(add_package: AddPackage, tmp_path: Path) -> None:
    add_package(plugins.OBJECTIVES, "log_loss", CODE)
    with pytest.raises(UserError, match="log_loss of the package other has a name that is"):
        resolve({"store": "a.h5", "run_dir": str(tmp_path), "objective": "log_loss"})
