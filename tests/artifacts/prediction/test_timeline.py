"""Clips become stretches of time, and stretches called fake segments."""

from __future__ import annotations

import numpy as np
import pytest

from artifacts.prediction.timeline import Moment, fake_segments, join_moments, spans


def _decide(probability: float) -> str:
    return "fake" if probability >= 0.5 else "real"


def _moment(start: float, end: float, probability: float) -> Moment:
    return Moment(start, end, probability, _decide(probability))


def test_clips_stand_for_the_time_to_halfway_to_their_neighbours() -> None:
    sampled = np.array([5, 15, 25, 35])
    times = {at: at / 10 for at in sampled.tolist()}
    found = spans([sampled[:2], sampled[2:], sampled[1:3]], sampled, times, 4.0)
    assert found == [(0.0, 2.0), (2.0, 4.0), (1.0, 3.0)]
    # A face that is missing in the middle leaves a gap there.
    assert spans([sampled[:1], sampled[3:]], sampled, times, 4.0) == [(0.0, 1.0), (3.0, 4.0)]


def test_overlapping_clips_are_averaged_where_they_overlap() -> None:
    found = join_moments([_moment(0, 2, 0.9), _moment(1, 3, 0.1), _moment(5, 6, 0.7)], _decide)
    assert [(one.start, one.end) for one in found] == [(0, 1), (1, 2), (2, 3), (5, 6)]
    assert [one.probability for one in found] == pytest.approx([0.9, 0.5, 0.1, 0.7])


def test_fake_stretches_are_joined_where_nothing_lies_between() -> None:
    moments = [_moment(0, 1, 0.9), _moment(1, 2, 0.6), _moment(2, 3, 0.1), _moment(4, 5, 0.7)]
    found = fake_segments(join_moments(moments, _decide))
    assert [(one.start, one.end) for one in found] == [(0, 2), (4, 5)]
    assert [one.probability for one in found] == [0.9, 0.7]
    gap = fake_segments([_moment(0, 1, 0.9), _moment(2, 3, 0.9)])
    assert len(gap) == 2


def test_nothing_has_no_timeline() -> None:
    assert join_moments([], _decide) == []
    assert fake_segments([]) == ()
