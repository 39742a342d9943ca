"""What judges a video is what a store would hold of it; what slides covers it, bit by bit."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from artifacts.prediction.clip_windows import Clip, Gatherer, Pace, choose_pace, place_clips
from data_prep.video.video import sample_indices

PACE = Pace(frames=4, longest=10.0, spacing=0.25, hop=2)


def _judging(clips: list[Clip]) -> list[npt.NDArray[np.int64]]:
    return [clip.positions for clip in clips if clip.judges]


def _sliding(clips: list[Clip]) -> list[npt.NDArray[np.int64]]:
    return [clip.positions for clip in clips if not clip.judges]


@pytest.mark.parametrize(("total", "seconds"), [(1, 0.0), (3, 0.1), (24, 1.0), (250, 10.0)])
def test_a_video_as_long_as_those_of_training_is_judged_by_the_clip_of_a_store(
    total: int, seconds: float
) -> None:
    (positions,) = _judging(place_clips(total, seconds, PACE))
    np.testing.assert_array_equal(positions, sample_indices(total, 4))


def test_no_frames_lie_further_apart_than_in_training() -> None:
    clips = _judging(place_clips(25 * 95, 95.0, PACE))
    assert len(clips) == 10
    every = np.concatenate(clips)
    np.testing.assert_array_equal(every, sample_indices(25 * 95, 40))
    assert np.diff(every).max() / 25 <= 10.0 / 4


def test_sliding_clips_overlap_and_reach_from_the_first_sample_to_the_last() -> None:
    clips = _sliding(place_clips(253, 10.12, PACE))
    grid = sample_indices(253, 40)
    assert clips[0][0] == grid[0]
    assert clips[-1][-1] == grid[-1]
    for one, other in itertools.pairwise(clips[:-1]):
        np.testing.assert_array_equal(one[2:], other[:2])
    assert set(np.concatenate(clips)) == set(grid)


def test_a_short_video_has_no_sliding_clips() -> None:
    assert _sliding(place_clips(30, 1.2, PACE)) == []
    assert len(_sliding(place_clips(38, 1.5, PACE))) == 2


def test_windows_are_dealt_out_to_clips_over_the_whole_video() -> None:
    clips = _judging(place_clips(24, 1.0, Pace(4, 10.0, 0.25, 2, windows=3)))
    dealt = sample_indices(24, 12)
    for clip, first in zip(clips, range(3), strict=True):
        np.testing.assert_array_equal(clip, dealt[first::3])
    assert len(_judging(place_clips(5, 0.2, Pace(4, 10.0, 0.25, 2, windows=3)))) == 1


def test_a_model_that_asks_for_order_gets_clips_as_long_as_it_was_trained_on() -> None:
    pace = choose_pace(16, (8.0, 20.0), by_frames_alone=False)
    assert pace.spacing == 0.5
    assert pace.longest == 20.0
    assert choose_pace(16, (8.0, 20.0), by_frames_alone=True).spacing == 0.125
    assert choose_pace(1, (8.0, 20.0), by_frames_alone=True).hop == 1


def test_frames_become_clips_as_soon_as_they_can_and_few_are_held() -> None:
    began, found, most = [], [], 0

    def emit(
        clip: Clip, frames: tuple[npt.NDArray[np.uint8], ...], times: npt.NDArray[np.float64]
    ) -> None:
        assert [int(frame[0, 0, 0]) for frame in frames] == clip.positions.tolist()
        np.testing.assert_allclose(times, clip.positions / 25)
        found.append((clip, at))

    gatherer = Gatherer(PACE, lambda: began.append(1), emit)
    for _ in range(2):
        found.clear()
        wanted = gatherer.begin(200, 8.0)
        for at in wanted.tolist():
            gatherer.take(at, at / 25, np.full((1, 1, 3), at, np.uint8))
            most = max(most, len(gatherer._held))
        assert [clip.positions.tolist() for clip, _ in found] == [
            clip.positions.tolist() for clip in place_clips(200, 8.0, PACE)
        ]
        assert all(clip.positions[-1] == last for clip, last in found)
        assert not gatherer._held
    assert len(began) == 2
    # The clip that judges is held to the end, and of those that slide the last one.
    assert most <= 2 * PACE.frames
