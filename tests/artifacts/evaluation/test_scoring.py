"""An exported detector is scored on any store of clips it can take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from artifacts.evaluation.scoring import differing_preparation, rows_to_score, score_either
from artifacts.metrics.metrics import Evaluation
from artifacts.metrics.single_label import SingleLabel
from artifacts.models.inference import score_clips
from artifacts.models.saved import load_detector
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.store.store import SPLITS, Clip, Quarantined, Store, write_store


def _clips(count: int, frames: int = 4, side: int = 32) -> Iterator[Clip]:
    for number in range(count):
        rng = np.random.default_rng(number)
        yield Clip(
            key=f"set/method/c23/{number:03}",
            label=number % 2,
            method="Deepfakes" if number % 2 else "real",
            quality="c23",
            group=f"person {number // 2}",
            split=SPLITS[number // 2 % 3],
            path=f"{number}.mp4",
            sha256="0" * 64,
            frame_indices=np.arange(frames),
            frame_times=np.arange(frames) / 25,
            boxes=np.zeros((frames, 4), np.float32),
            landmarks=np.zeros((frames, 5, 2), np.float32),
            scores=np.ones(frames, np.float32),
            coverage=1.0,
            frames=rng.integers(0, 256, (frames, side, side, 4), np.uint8),
        )


def _store(path: Path, count: int = 22, frames: int = 4, side: int = 32) -> Store:
    lost = [Quarantined("lost.mp4", "decode", "the file is empty")]
    write_store(path, _clips(count, frames, side), lost, {})
    return Store(path)


def test_clips_are_scored_in_the_order_of_the_rows_over_several_batches(
    detector: keras.Model, tmp_path: Path
) -> None:
    with _store(tmp_path / "store.h5") as store:
        rows = np.arange(len(store))[::-1]
        found = score_clips(detector, store, rows)
        expected = np.asarray(detector.predict_on_batch(store.read(rows)))[:, 0]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_clip_and_its_mirror_image_are_averaged_if_wanted(
    detector: keras.Model, tmp_path: Path
) -> None:
    with _store(tmp_path / "store.h5") as store:
        rows = np.arange(len(store))
        found = score_clips(detector, store, rows, mirror=True)
        frames = store.read(rows)
        plain = score_clips(detector, store, rows)
    other = np.asarray(detector.predict_on_batch(frames[:, :, :, ::-1]))[:, 0]
    both = np.clip([plain, other.astype(np.float64)], 1e-7, 1 - 1e-7)
    logits = np.log(both / (1 - both))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.mean(logits, axis=0))), atol=1e-5)
    assert (found != plain).any()


def _evaluated(run: RunDirectory, store: Store, split: str = "test") -> Evaluation | SingleLabel:
    """The run's model on a split of a store, at the threshold of its certificate."""
    model, certificate = load_detector(run)
    rows = rows_to_score(store, certificate, split)
    scores = score_clips(model, store, rows)
    return score_either(scores, store, rows, split=split, threshold=certificate.threshold)


@pytest.mark.parametrize(("split", "videos"), [("test", 6), ("train", 8), ("all", 22)])
def test_a_run_is_evaluated_on_a_split_of_a_store(
    finished_run: RunDirectory, detector: keras.Model, tmp_path: Path, split: str, videos: int
) -> None:
    with _store(tmp_path / "store.h5") as store:
        found = _evaluated(finished_run, store, split)
        rows = np.arange(22) if split == "all" else store.rows(split)
        scores = score_clips(detector, store, rows)
    assert (found.split, found.videos, found.quarantined) == (split, videos, 1)
    assert found.threshold == 0.4
    assert found.recall == pytest.approx((scores[store.labels[rows] == 1] >= 0.4).mean())
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(("frames", "side"), [(5, 32), (4, 48)])
def test_clips_of_another_shape_are_refused_with_the_way_to_prepare_them(
    finished_run: RunDirectory, tmp_path: Path, frames: int, side: int
) -> None:
    expected = rf"clips of {frames} x {side} x {side} x 4, the model takes 4 x 32 x 32 x 4; "
    with (
        _store(tmp_path / "store.h5", 4, frames, side) as store,
        pytest.raises(UserError, match=expected + "prepare it with frames=4 size=32"),
    ):
        _evaluated(finished_run, store)


def test_a_split_of_one_label_has_the_figures_that_need_no_other(
    finished_run: RunDirectory, tmp_path: Path
) -> None:
    with _store(tmp_path / "store.h5", 3) as store:
        found = _evaluated(finished_run, store, "val")
    assert found.auc is None
    assert (found.reals, found.fakes) == (1, 0)


def test_a_split_without_clips_is_refused(finished_run: RunDirectory, tmp_path: Path) -> None:
    with (
        _store(tmp_path / "store.h5", 3) as store,
        pytest.raises(UserError, match="has no clip in the test split; try split all"),
    ):
        _evaluated(finished_run, store, "test")


def test_scores_that_are_no_numbers_are_refused(detector: keras.Model, tmp_path: Path) -> None:
    broken = keras.models.clone_model(detector)
    broken.set_weights([np.full_like(weight, np.nan) for weight in detector.get_weights()])
    with (
        _store(tmp_path / "store.h5", 3) as store,
        pytest.raises(UserError, match="the model gives nan, which is no probability"),
    ):
        score_clips(broken, store, np.arange(3))


def test_a_certificate_without_a_threshold_is_refused(
    finished_run: RunDirectory, tmp_path: Path
) -> None:
    certificate = json.loads(finished_run.certificate.read_text())
    del certificate["threshold"]
    write_json(finished_run.certificate, certificate)
    with (
        _store(tmp_path / "store.h5") as store,
        pytest.raises(UserError, match="is not a certificate of this version"),
    ):
        _evaluated(finished_run, store)


@pytest.fixture
def differences(finished_run: RunDirectory, tmp_path: Path) -> Callable[..., list[str]]:
    """Differences between the run's preparation and that of a store made with these settings."""

    def between(**settings: Any) -> list[str]:
        clip = Preparation(frames=4, size=32, **settings).to_dict()
        write_store(tmp_path / "other.h5", _clips(2), [], {"clip": clip})
        with Store(tmp_path / "other.h5") as store:
            return differing_preparation(finished_run, store)

    return between


def test_settings_that_change_the_frames_are_told(differences: Callable[..., list[str]]) -> None:
    assert differences() == []
    assert differences(align="points", margin=2.0) == [
        "margin 2.0, expected 1.5",
        "align points, expected box",
    ]


def test_settings_that_leave_the_frames_as_they_are_are_not_told(
    differences: Callable[..., list[str]],
) -> None:
    assert differences(modalities=("flow", "audio")) == []
    found = differences(detector="yunet", detector_model="/elsewhere/yunet.onnx")
    assert found == ["detector yunet, expected centerface"]


def test_settings_that_an_older_certificate_does_not_name_are_told(
    finished_run: RunDirectory, differences: Callable[..., list[str]]
) -> None:
    certificate = json.loads(finished_run.certificate.read_text())
    for name in ("align", "faces", "detect_every", "modalities"):
        del certificate["preparation"]["clip"][name]
    write_json(finished_run.certificate, certificate)
    assert differences() == []
    assert differences(align="points") == ["align points, expected box"]
