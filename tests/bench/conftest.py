"""A small SYNTHETIC data set for the benches."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from PIL import Image

from data_prep.synthetic.synthesize import synthesize
from data_prep.video.video import read_frames


@pytest.fixture(scope="session")
def synthetic_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in the layout of DFSEARCH_REAL_DATA: SYNTHETIC people and three stills."""
    root = tmp_path_factory.mktemp("data")
    synthesize(root / "ffpp", identities=8, frames=8, size=128, cues=("spatial",), jobs=2)
    others = tmp_path_factory.mktemp("others")
    synthesize(others / "set", identities=4, frames=2, size=128, seed=9, jobs=2)
    reals = others / "set" / "original_sequences" / "youtube" / "c23" / "videos"
    for number, video in enumerate(sorted(reals.glob("*.mp4"))[:3]):
        folder = root / "faces_lfw" / f"Person_{number}"
        folder.mkdir(parents=True)
        for index, frame in enumerate(read_frames(video, 2).frames):
            larger = cv2.resize(frame, (250, 250))
            Image.fromarray(larger).save(folder / f"Person_{number}_{index:04d}.jpg")
    return root


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of stores, models and scores that tests share."""
    return tmp_path_factory.mktemp("kept")
