"""The plain training loop trains on one store and is tested on another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bench.accuracy import plain
from data_prep.preparation.clip import Preparation
from data_prep.store.store import Clip, write_store


@pytest.mark.slow
def test_a_network_is_trained_on_pseudo_fakes_and_tested_on_other_people(
    tmp_path: Path, make_clip: Callable[..., Clip], capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)

    def noise(frames: int) -> npt.NDArray[np.uint8]:
        return rng.integers(0, 256, (frames, 48, 48, 4), np.uint8)

    description = {"clip": Preparation(frames=2, size=48).to_dict(), "synthetic": True}
    for name, people in (("train", "abcd"), ("test", "uvwx")):
        clips = [
            make_clip(
                person,
                kind,
                2,
                split="train",
                frames=rng.integers(0, 256, (2, 48, 48, 4), np.uint8),
            )
            for person in people
            for kind in ("real", "Swap")
        ]
        write_store(tmp_path / f"{name}.h5", clips, [], description)
    stores = [str(tmp_path / "train.h5"), str(tmp_path / "test.h5")]
    plain.main([*stores, "--samples", "64", "--size", "32", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert np.isfinite(found["loss"])
    assert 0 <= found["auc"]["value"] <= 1
    assert found["samples"] == 64
    assert "auc margin" in found
