"""Pictures of README.md: complete SVG files that load nothing and state that data are SYNTHETIC."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pictures
import pytest

from data_prep.video.video import read_frames

BAND = {"error_rate": 0.1, "fake_from": 0.7, "real_up_to": 0.4}


def _verdict(band: dict[str, float] | None) -> dict[str, Any]:
    clips = [
        {"start": at, "end": at + 2.0, "fake_probability": at / 10, "verdict": label}
        for at, label in ((1.0, "real"), (5.0, "undecided"), (9.0, "fake"))
    ]
    found = {"verdict": "fake", "fake_probability": 0.8, "threshold": 0.5, "band": band}
    return found | {"path": "a/<b>.mp4", "duration": 12.0, "tracks": [{"timeline": clips}]}


def _texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("band", [BAND, None])
def test_a_timeline_shows_the_verdict_every_clip_and_the_swap(
    band: dict[str, float] | None,
) -> None:
    svg = pictures.timeline(_verdict(band), (4.0, 8.0))
    texts = _texts(svg)
    assert "SYNTHETIC video" in texts
    assert "<b>.mp4: fake, fake probability 0.800" in texts
    assert "face swapped, 4 to 8 s" in texts
    lines = list(ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}line"))
    heights = [float(line.attrib["y1"]) for line in lines]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)


@pytest.mark.slow
def test_the_middle_of_the_video_is_fake(tmp_path: Path) -> None:
    path = pictures.partly_fake(tmp_path, 24, (0.32, 0.64))
    joined, *parts = (
        np.stack(read_frames(tmp_path / name, 24).frames).astype(int)
        for name in (path.name, "real.mp4", "fake.mp4")
    )
    differences = [np.abs(joined - part).mean(axis=(1, 2, 3)) for part in parts]
    assert np.argmin(differences, axis=0).tolist() == [0] * 8 + [1] * 8 + [0] * 8


def test_a_terminal_shows_command_and_output_and_loads_no_font() -> None:
    svg = pictures.terminal("dfsearch leaderboard demo", "\x1b[1mrank  trial\x1b[0m\n   1  a & b\n")
    text = "".join(_texts(svg)).replace("\xa0", " ")
    assert "SYNTHETIC" in text
    assert "$ dfsearch leaderboard demo" in text
    assert "a & b" in text
    assert "url(" not in svg.replace("url(#", "")
