"""What streams need of a clip."""

from __future__ import annotations

import pytest

from spaces.streams.names import STREAMS, obstacle


@pytest.mark.parametrize("stream", STREAMS)
def test_whole_clips_with_sound_and_a_gan_are_an_obstacle_to_no_stream(stream: str) -> None:
    assert obstacle(stream, 16, ("flow", "audio"), discriminator=True) is None


def test_a_still_has_no_motion_and_a_silent_store_no_sound() -> None:
    still = obstacle("micro_expression", 1, (), discriminator=True)
    assert still == "clips of one frame have no motion"
    assert "--modalities audio" in (obstacle("audio", 16, ("flow",), discriminator=True) or "")
    for stream in ("spatial", "noise_residual", "gan"):
        assert obstacle(stream, 1, (), discriminator=True) is None


def test_without_a_discriminator_its_stream_alone_is_left_out() -> None:
    found = {stream: obstacle(stream, 16, ("audio",), discriminator=False) for stream in STREAMS}
    assert found.pop("gan") == "there is no discriminator of a GAN"
    assert set(found.values()) == {None}
