"""What streams need of a clip."""

from __future__ import annotations

import pytest

from spaces.streams import STREAMS, obstacle


@pytest.mark.parametrize("stream", STREAMS)
def test_whole_clips_with_sound_are_an_obstacle_to_no_stream(stream: str) -> None:
    assert obstacle(stream, 16, ("flow", "audio")) is None


def test_a_still_has_no_motion_and_a_silent_store_no_sound() -> None:
    assert obstacle("micro_expression", 1, ()) == "clips of one frame have no motion"
    assert "--modalities audio" in (obstacle("audio", 16, ("flow",)) or "")
    assert obstacle("spatial", 1, ()) is None
    assert obstacle("noise_residual", 1, ()) is None
