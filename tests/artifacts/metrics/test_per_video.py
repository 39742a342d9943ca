from __future__ import annotations

import numpy as np
import pytest

from artifacts.metrics.per_video import ScoredClips, average_by_video, video_names


def test_further_faces_are_of_their_video() -> None:
    keys = np.array(["set/real/c23/a", "set/real/c23/a#face2", "set/real/c40/a"])
    assert video_names(keys).tolist() == ["set/real/c23/a", "set/real/c23/a", "set/real/c40/a"]


def test_a_file_that_is_named_like_a_face_is_a_video_of_its_own() -> None:
    keys = np.array(["set/real/c23/a", "set/real/c23/a#face2", "set/real/c23/b#face2"])
    paths = np.array(["a.mp4", "a#face2.mp4", "b.mp4"])
    assert video_names(keys, paths).tolist() == [*keys[:2], "set/real/c23/b"]


def test_clips_of_a_video_have_the_mean_logit_and_keep_their_order() -> None:
    clips = ScoredClips(
        labels=np.array([1, 0, 1]),
        probabilities=np.array([0.9, 0.123456789, 0.5]),
        groups=np.array(["z", "a", "z"]),
        methods=np.array(["swap", "real", "swap"]),
        coverage=np.array([1.0, 0.5, 0.0]),
        kinds={"quality": np.array(["c23", "raw", "c23"])},
    )
    found = average_by_video(clips, np.array(["z", "a", "z"]))
    assert found.labels.tolist() == [1, 0]
    assert found.probabilities[0] == pytest.approx(0.75)
    assert found.probabilities[1] == 0.123456789
    assert found.coverage.tolist() == [0.5, 0.5]
    assert found.kinds["quality"].tolist() == ["c23", "raw"]
