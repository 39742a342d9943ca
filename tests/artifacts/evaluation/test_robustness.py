from __future__ import annotations

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from artifacts.evaluation.robustness import (
    CLEAN,
    CONDITIONS,
    DARK,
    Condition,
    degrade,
    robustness,
    score_conditions,
)
from artifacts.metrics.per_video import ScoredClips
from artifacts.models.inference import score_clips
from data_prep.preparation.shortcuts import sharpness
from data_prep.store.store import Store
from data_prep.video.grey import with_grey

BY_NAME = {condition.name: condition for condition in CONDITIONS}
UNCHANGED = Condition("unchanged", "as they are", lambda frames, rng: frames)


@pytest.fixture(scope="module")
def portrait() -> npt.NDArray[np.uint8]:
    """Four frames of a face, uint8 (4, 64, 64, 4)."""
    face = cv2.resize(skimage.data.astronaut()[0:200, 130:330], (64, 64))
    return with_grey(np.stack([np.roll(face, shift, axis=1) for shift in range(4)]))


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_degraded_clip_is_another_clip_of_the_same_face(
    portrait: npt.NDArray[np.uint8], condition: Condition
) -> None:
    before = portrait.copy()
    found = degrade(portrait, condition, "key")
    assert (portrait == before).all()
    assert (found.shape, found.dtype) == (portrait.shape, np.uint8)
    np.testing.assert_array_equal(found, with_grey(found[..., :3]))
    np.testing.assert_array_equal(found, degrade(portrait, condition, "key"))
    assert (found != portrait).mean() > 0.2
    assert np.corrcoef(found[..., 3].ravel(), portrait[..., 3].ravel())[0, 1] > 0.9


def test_each_condition_takes_away_what_it_says(portrait: npt.NDArray[np.uint8]) -> None:
    clips = {name: degrade(portrait, condition, "key") for name, condition in BY_NAME.items()}

    def away(name: str) -> float:
        return float(np.abs(clips[name].astype(int) - portrait).mean())

    assert away("h264_crf35") > away("h264_crf28")
    assert sharpness(clips["blur"]) < 0.7 * sharpness(portrait)
    assert sharpness(clips["half_resolution"]) < 0.7 * sharpness(portrait)
    assert sharpness(clips["noise"]) > sharpness(portrait)
    assert clips["dark"].mean() == pytest.approx(DARK * portrait.mean(), rel=0.02)


def test_noise_differs_from_clip_to_clip(portrait: npt.NDArray[np.uint8]) -> None:
    noise = BY_NAME["noise"]
    assert (degrade(portrait, noise, "one") != degrade(portrait, noise, "other")).any()


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_clip_of_an_odd_side_is_degraded_too(
    portrait: npt.NDArray[np.uint8], condition: Condition
) -> None:
    odd = np.ascontiguousarray(portrait[:1, :33, :33])
    assert degrade(odd, condition, "key").shape == odd.shape


def test_every_clip_is_scored_in_every_condition(
    detector: keras.Model, labelled_store: Path
) -> None:
    seen: list[tuple[int, int]] = []
    conditions = UNCHANGED, BY_NAME["dark"]
    with Store(labelled_store) as store:
        rows = store.rows("test")
        found = score_conditions(
            detector, store, rows, conditions, progress=lambda *done: seen.append(done)
        )
        clean = score_clips(detector, store, rows)
        frames = np.stack(
            [degrade(store.read([row])[0], BY_NAME["dark"], store.keys[row]) for row in rows]
        )
    np.testing.assert_array_equal(found["unchanged"], clean)
    expected = np.asarray(detector.predict_on_batch(frames))[:, 0]
    np.testing.assert_allclose(found["dark"], expected, atol=1e-5)
    assert seen == [(8, 12), (12, 12)]


def _videos(probabilities: list[float]) -> ScoredClips:
    labels = np.tile([0, 1], 8)
    return ScoredClips(
        labels=labels,
        probabilities=np.array(probabilities),
        groups=np.arange(16).astype(str),
        methods=np.where(labels, "swap", "real"),
        coverage=np.ones(16),
    )


def test_the_grid_has_what_is_lost_of_the_same_videos() -> None:
    clean = _videos([0.1, 0.9] * 8)
    worse = clean.probabilities.copy()
    worse[[0, 1]] = 0.9, 0.1
    conditions = UNCHANGED, Condition("worse", "swapped", UNCHANGED.change)
    scored = {"unchanged": clean.probabilities, "worse": worse}
    grid = robustness(clean, scored, 0.5, conditions)
    assert [row.name for row in grid] == [CLEAN, "unchanged", "worse"]
    assert grid[0].auc_drop is None
    assert grid[1].auc_drop == 0
    # Both are perfect, so no draw tells how far apart they may be.
    assert grid[1].auc_drop_ci is None
    assert grid[1].auc_ci == pytest.approx((0.025 ** (1 / 8), 1))
    assert grid[2].recall == 7 / 8
    assert grid[2].false_alarm_rate == 1 / 8
    assert grid[2].auc is not None
    assert grid[2].auc_drop == pytest.approx(1 - grid[2].auc)
    low, high = grid[2].auc_drop_ci or (0, 0)
    assert 0 <= low < grid[2].auc_drop < high
    json.dumps([row.to_json() for row in grid], allow_nan=False)


def test_of_reals_alone_the_grid_has_false_alarms() -> None:
    clean = _videos([0.1, 0.9] * 8).select(np.arange(0, 16, 2))
    scored = {"unchanged": clean.probabilities + 0.5}
    grid = robustness(clean, scored, 0.5, (UNCHANGED,))
    assert [row.false_alarm_rate for row in grid] == [0, 1]
    assert [row.auc for row in grid] == [None, None]
    assert grid[1].auc_drop is None
