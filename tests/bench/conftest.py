"""A small SYNTHETIC set for the benches."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from PIL import Image

from data_prep.synthetic.synthesize import synthesize
from data_prep.video.video import read_frames


@pytest.fixture(scope="session")
def synthetic_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as DFSEARCH_REAL_DATA names one: drawn people, and stills of three of others."""
    root = tmp_path_factory.mktemp("data")
    synthesize(root / "ffpp", identities=8, frames=8, size=128, cues=("spatial",), jobs=2)
    others = tmp_path_factory.mktemp("others")
    synthesize(others / "set", identities=4, frames=2, size=128, seed=9, jobs=2)
    reals = others / "set" / "original_sequences" / "youtube" / "c23" / "videos"
    for number, video in enumerate(sorted(reals.glob("*.mp4"))[:3]):
        folder = root / "faces_lfw" / f"Person_{number}"
        folder.mkdir(parents=True)
        for at, frame in enumerate(read_frames(video, 2).frames):
            larger = cv2.resize(frame, (250, 250))
            Image.fromarray(larger).save(folder / f"Person_{number}_{at:04d}.jpg")
    return root


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of stores, models and scores; tests that share it find what others have made."""
    return tmp_path_factory.mktemp("kept")
