from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from artifacts.explain.clips import ExplainedClip, explain_clips
from artifacts.explain.heat import Explainer
from artifacts.models.inference import score_clips
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.masks import UNKNOWN


def test_clips_are_scored_and_drawn(
    tmp_path: Path, make_clip: Callable[..., Clip], detector: keras.Model
) -> None:
    rng = np.random.default_rng(0)
    clips = [
        make_clip(f"p{at}", kind, 4, frames=rng.integers(0, 256, (4, 32, 32, 4), np.uint8))
        for at, kind in enumerate(["real", "Swap"])
    ]
    write_store(tmp_path / "store.h5", clips, [], {})
    with Store(tmp_path / "store.h5") as store:
        found = explain_clips(detector, store, [1, 0])
        scores = score_clips(detector, store, np.array([1, 0]))
    assert [clip.key for clip in found] == ["set/Swap/c23/p1", "set/real/c23/p0"]
    np.testing.assert_allclose([clip.probability for clip in found], scores, atol=1e-6)
    assert found[0].caption.startswith(f"Swap, fake probability {scores[0]:.2f}")
    assert Image.open(io.BytesIO(found[0].png)).size == (4 * 116 - 4, 18 + 2 * 112 + 4)


def test_the_share_of_heat_on_manipulated_pixels_is_stated_where_a_mask_is_known(
    tmp_path: Path, make_clip: Callable[..., Clip], detector: keras.Model
) -> None:
    rng = np.random.default_rng(0)
    masks = {
        "known": np.zeros((4, 32, 32), np.uint8),
        "unknown": np.full((4, 32, 32), UNKNOWN, np.uint8),
        "whole": np.ones((4, 32, 32), np.uint8),
    }
    masks["known"][:, :, :8] = 1
    clips = [
        dataclasses.replace(
            make_clip(name, "Swap", 4, frames=rng.integers(0, 256, (4, 32, 32, 4), np.uint8)),
            modalities={"mask": mask},
        )
        for name, mask in masks.items()
    ]
    write_store(tmp_path / "store.h5", clips, [], {})
    with Store(tmp_path / "store.h5") as store:
        rows = {str(group): row for row, group in enumerate(store.groups)}
        found = explain_clips(detector, store, [rows[name] for name in masks])
        _, heat = Explainer(detector).scored({"frames": store.read([rows["known"]])})
    known, unknown, whole = found
    assert known.area == 0.25
    if known.heated:
        positive = np.maximum(heat[0], 0)
        assert known.inside == pytest.approx(positive[:, :, :8].sum() / positive.sum(), rel=1e-3)
        assert "of the heat on the 25% manipulated pixels" in known.caption
    assert (unknown.inside, unknown.area) == (None, None)
    assert whole.inside in (None, pytest.approx(1.0))


def test_a_caption_says_when_there_is_no_heat() -> None:
    clip = ExplainedClip("a/real/c23/b", 0, "real", 0.0312, False, b"")
    assert clip.caption == "real, fake probability 0.03; no region raised it"
