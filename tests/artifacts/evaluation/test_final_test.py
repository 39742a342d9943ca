from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.evaluation import final_test, openings
from artifacts.evaluation.final_test import FinalTest, open_test_split
from artifacts.metrics.metrics import Evaluation
from artifacts.run_directory import RunDirectory, write_json
from data_prep.store.store import Store


@pytest.fixture
def store(labelled_store: Path) -> Iterator[Store]:
    with Store(labelled_store) as opened:
        yield opened


@pytest.fixture
def run(own_run: RunDirectory) -> RunDirectory:
    """A run that has a model and no certificate yet."""
    own_run.certificate.unlink()
    return own_run


def _test(run: RunDirectory, model: keras.Model, store: Store) -> FinalTest:
    on_val = np.full(len(store.rows("val")), 0.5)
    found = open_test_split(run, model, store, on_val, threshold=0.4, seed=0)
    assert found is not None
    return found


def test_the_first_opening_is_on_record_with_its_scores(
    run: RunDirectory, detector: keras.Model, store: Store
) -> None:
    found = _test(run, detector, store)
    assert isinstance(found.evaluation, Evaluation)
    assert found.evaluation.untrained is not None
    (opening,) = openings.openings(run)
    assert (opening.by, opening.opened) == (openings.BY_RUN, found.opened)
    written = json.loads(run.evaluation.read_text())
    assert written["auc"] == found.evaluation.auc
    assert written["model"] == opening.model
    splits = [line.split(",")[1] for line in run.scores.read_text().splitlines()[1:]]
    assert splits == ["val"] * 12 + ["test"] * 12


def test_a_run_that_was_killed_before_its_certificate_does_not_open_the_split_again(
    run: RunDirectory, detector: keras.Model, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _test(run, detector, store)
    before = run.scores.read_text()

    def never(*_: object) -> None:
        raise AssertionError("the test split was read again")

    monkeypatch.setattr(final_test, "score_clips", never)
    assert _test(run, detector, store) == first
    assert run.scores.read_text() == before
    assert len(openings.openings(run)) == 1


@pytest.mark.parametrize("changed", ["model", "store_fingerprint", "scores"])
def test_another_model_or_store_opens_the_split_again(
    run: RunDirectory, detector: keras.Model, store: Store, changed: str
) -> None:
    _test(run, detector, store)
    if changed == "scores":
        lines = run.scores.read_text().splitlines(keepends=True)
        run.scores.write_text("".join(lines[:-1]))
    else:
        write_json(run.evaluation, json.loads(run.evaluation.read_text()) | {changed: "f" * 64})
    _test(run, detector, store)
    assert len(openings.openings(run)) == 2


def test_a_store_without_a_test_split_opens_nothing(
    run: RunDirectory, detector: keras.Model, store: Store
) -> None:
    store.splits[store.splits == "test"] = "train"
    on_val = np.full(len(store.rows("val")), 0.5)
    assert open_test_split(run, detector, store, on_val, threshold=0.4, seed=0) is None
    assert openings.openings(run) == []
    assert len(run.scores.read_text().splitlines()) == 13
    assert not run.evaluation.exists()
