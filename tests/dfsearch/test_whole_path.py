"""The whole path in ten lines of Python, on a small synthetic data set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dfsearch

WHOLE_PATH = """
import dfsearch

store = dfsearch.prepare("FaceForensics++", "ffpp.h5")
run = dfsearch.search("ffpp.h5", "runs/ffpp", preset="quick")
run = dfsearch.Run("runs/ffpp")
run.leaderboard()
run.evaluate("other.h5", split="all")
run.report()
detector = run.detector()
verdict = detector.judge("video.mp4")
print(store.clips, len(store.quarantined), verdict.label, len(verdict.faces), verdict.segments)
detector.model
dfsearch.__version__
"""


@pytest.mark.minutes
def test_from_videos_to_a_verdict(tmp_path: Path) -> None:
    for name, people, seed in (("FaceForensics++", 20, 0), ("other", 8, 1)):
        made = {"identities": people, "frames": 16, "size": 128, "seed": seed}
        dfsearch.synthesize(tmp_path / name, jobs=2, **made)
    dfsearch.prepare(tmp_path / "other", tmp_path / "other.h5", split_policy="test", jobs=2)
    video = next((tmp_path / "other").rglob("original_sequences/**/*.mp4"))
    video.rename(tmp_path / "video.mp4")
    (tmp_path / "whole_path.py").write_text(WHOLE_PATH)
    done = subprocess.run(
        [sys.executable, "whole_path.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    clips, quarantined, label, faces, _ = done.stdout.split(maxsplit=4)
    assert (clips, quarantined, faces) == ("40", "0", "1")
    assert label in ("real", "fake", "undecided")
    assert (tmp_path / "runs" / "ffpp" / "report.html").stat().st_size
