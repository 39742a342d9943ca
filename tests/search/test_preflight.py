from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.store.store import Clip, Store, write_store
from search.config.run_config import resolve
from search.preflight import remarks


@pytest.fixture
def said_of(make_clips: Callable[..., list[Clip]], tmp_path: Path) -> Callable[..., list[str]]:
    """Remarks about a store: ``said_of(change, training={...})``.

    The lines about people and budgets, the first three, are left out.
    """

    def said(change: Callable[[Clip], Clip], **settings: Any) -> list[str]:
        path = tmp_path / "s.h5"
        write_store(path, list(map(change, make_clips(8))), [], {"synthetic": True})
        with Store(path) as store:
            config = resolve({"store": path, "run_dir": tmp_path, **settings})
            people, *rest = remarks(config, store)
            assert people.startswith("real people: 4 in training, 2 in validation; a detector of")
            assert [line.split(",")[0] for line in rest[:2]] == ["architecture", "training"]
            return rest[2:]

    return said


def whole(clip: Clip) -> Clip:
    """With landmarks, and one of two methods."""
    method = clip.method
    if clip.label and clip.group in ("person000", "person004"):
        method = "Other"
    points = np.full_like(clip.landmarks, 20.0)
    return dataclasses.replace(clip, landmarks=points, method=method)


def test_a_store_with_all_it_takes_is_no_news(said_of: Callable[..., list[str]]) -> None:
    assert said_of(whole) == []


def test_one_method_alone_is_named_with_what_can_be_done(
    said_of: Callable[..., list[str]],
) -> None:
    def one(clip: Clip) -> Clip:
        return dataclasses.replace(whole(clip), method="Drawn" if clip.label else "real")

    (with_pseudo,) = said_of(one)
    assert "all training fakes are Drawn" in with_pseudo
    assert "pseudo-fakes alone" in with_pseudo
    (without,) = said_of(one, training={"pseudo_fakes": 0})
    assert "set training.pseudo_fakes" in without


def test_missing_landmarks_are_counted_where_they_are_needed(
    said_of: Callable[..., list[str]],
) -> None:
    def some(clip: Clip) -> Clip:
        lost = clip.group in ("person001", "person002", "person003")
        points = np.full_like(clip.landmarks, np.nan)
        return dataclasses.replace(whole(clip), landmarks=points) if lost else whole(clip)

    # Of the lost, one is of training, one of validation and one of the test split.
    (line,) = said_of(some)
    assert line.startswith("2 of 6 real clips have no landmarks")
    (line,) = said_of(some, objective="auc")
    assert line.startswith("1 of 4 real clips")
    assert said_of(some, objective="auc", training={"pseudo_fakes": 0}) == []


def test_a_pairwise_loss_without_pairs_is_said(said_of: Callable[..., list[str]]) -> None:
    settings = {"loss": "pairwise", "pseudo_fakes": 0}
    (line,) = said_of(whole, training=settings)
    assert "cross-entropy alone" in line

    def named(clip: Clip) -> Clip:
        source = f"set/real/c23/{clip.key[-3:]}" if clip.label else ""
        return dataclasses.replace(whole(clip), crop_source=source)

    assert said_of(named, training=settings) == []


@pytest.mark.parametrize(
    ("samples", "batch", "line"),
    [
        (4096, 32, "architecture, 6 trial(s): each at most 4,096 samples, 128 steps"),
        (100, 8, "architecture, 6 trial(s): each at most 100 samples, 13 steps"),
    ],
)
def test_samples_and_steps_of_each_stage_are_stated(
    make_clips: Callable[..., list[Clip]], tmp_path: Path, samples: int, batch: int, line: str
) -> None:
    path = tmp_path / "s.h5"
    write_store(path, make_clips(8), [], {"synthetic": True})
    first = {"samples": samples, "batch_size": batch}
    settings = {"store": path, "run_dir": tmp_path, "architecture": first}
    with Store(path) as store:
        found = remarks(resolve({**settings, "training": {"max_samples": 640}}), store)
        without = remarks(resolve({**settings, "training": {"trials": 0}}), store)
    assert found[1:3] == [line, "training, 4 trial(s): each at most 640 samples, 20 to 80 steps"]
    assert without[1] == line
    assert not any(other.startswith("training, ") for other in without)
