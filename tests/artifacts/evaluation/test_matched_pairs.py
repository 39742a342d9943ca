from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.evaluation.matched_pairs import evaluate_matched
from artifacts.evaluation.matching import match_pair, pairs_among
from artifacts.metrics.baselines import find_orientation
from artifacts.metrics.ranking import RankedClips, compute_figures
from artifacts.models.inference import score_clips
from data_prep.errors import UserError
from data_prep.store.clip_reader import ClipReader
from data_prep.store.store import Clip, Store, write_store


def test_pairs_are_scored_as_equally_sharp_clips(
    detector: keras.Model, labelled_store: Path
) -> None:
    with Store(labelled_store) as store:
        rows = store.rows("test")
        before = score_clips(detector, store, rows)
        found = evaluate_matched(
            detector,
            store,
            rows,
            before,
            threshold=0.5,
            directions=find_orientation(store, store.rows("train"), "train"),
        )
        read = ClipReader(store)
        pairs = [match_pair(read(fake), read(real)) for fake, real in pairs_among(store, rows)]
        clips = [clip for pair in pairs for clip in pair or ()]
        scores = np.asarray(detector.predict_on_batch(np.stack([c.frames for c in clips])))[:, 0]
    assert found.pairs == 6
    assert found.left_out == ()
    fakes, reals = scores[::2], scores[1::2]
    assert found.pair_ranking == pytest.approx((fakes > reals).mean())
    assert found.recall == pytest.approx((fakes >= 0.5).mean())
    assert found.false_alarm_rate == pytest.approx((reals >= 0.5).mean())
    assert found.by_method["paint"]["pairs"] + found.by_method["swap"]["pairs"] == 6
    clips = RankedClips(store.labels[rows], store.groups[rows], np.full(len(rows), -1))
    then = compute_figures(before, clips)
    assert found.auc_as_they_are == pytest.approx(then["auc"].value)
    assert found.auc_gain == pytest.approx(found.auc - found.auc_as_they_are)
    # Sharpness told all fakes; between equals it tells nothing much.
    assert found.quantity_auc_as_they_are == 1
    assert 0.3 < found.quantity_auc < 0.7
    assert found.untrained is not None
    json.dumps(found.to_json(), allow_nan=False)


def test_a_flat_pair_is_left_out_and_the_rest_goes_on(
    detector: keras.Model, labelled_store: Path, tmp_path: Path
) -> None:
    with Store(labelled_store) as store:
        read = ClipReader(store)
        clips = [read(int(row)) for row in store.rows("test")]
    flat = [_flat(clips[1]), *clips[2:], clips[0]]
    write_store(tmp_path / "store.h5", flat, [], {})
    with Store(tmp_path / "store.h5") as store:
        rows = np.arange(len(store))
        found = evaluate_matched(
            detector, store, rows, np.full(len(rows), 0.5), threshold=0.5, directions=None
        )
    assert found.left_out == (clips[1].key,)
    assert found.pairs == 5
    assert found.untrained is None


def test_a_store_without_pairs_is_refused(detector: keras.Model, labelled_store: Path) -> None:
    with Store(labelled_store) as store, pytest.raises(UserError, match="no pairs to match"):
        rows = store.rows("test", 0)
        evaluate_matched(detector, store, rows, np.zeros(len(rows)), threshold=0.5, directions=None)


def test_a_store_of_flat_pairs_alone_is_refused(
    detector: keras.Model, make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    real = make_clip("anna")
    frames = np.full_like(real.frames, 90)
    fake = make_clip("anna", "swap", crop_source=real.key, frames=frames)
    write_store(tmp_path / "store.h5", [real, fake], [], {})
    with (
        Store(tmp_path / "store.h5") as store,
        pytest.raises(UserError, match="none of 1 pairs can be made equally sharp"),
    ):
        evaluate_matched(detector, store, np.arange(2), np.zeros(2), threshold=0.5, directions=None)


def _flat(clip: Clip) -> Clip:
    return dataclasses.replace(clip, frames=np.full_like(clip.frames, 90))
