"""Pictures of README.md: complete SVG files that load nothing and state that data are SYNTHETIC."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pictures
import pytest

BAND = {"error_rate": 0.1, "fake_from": 0.7, "real_up_to": 0.4}


def _verdict(label: str, probability: float, **values: Any) -> dict[str, Any]:
    clips = [
        {"start": start, "end": start + 1.0, "fake_probability": probability, "verdict": label}
        for start in (0.0, 0.5, 1.0)
    ]
    found = {"verdict": label, "fake_probability": probability, "threshold": 0.5, "band": BAND}
    found |= {"path": f"videos/<{label}>.mp4", "duration": 2.0, "tracks": [{"timeline": clips}]}
    return found | values


def _texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("band", [BAND, None])
def test_a_panel_shows_verdict_probability_and_every_clip(band: dict[str, float] | None) -> None:
    svg = pictures.timelines([_verdict("real", 0.25, band=band), _verdict("fake", 0.8, band=band)])
    texts = _texts(svg)
    assert "SYNTHETIC" in texts[0]
    assert "<real>.mp4: real, fake probability 0.250" in texts
    assert "<fake>.mp4: fake, fake probability 0.800" in texts
    lines = list(ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}line"))
    assert len(lines) == 6
    heights = [float(line.attrib["y1"]) for line in lines]
    assert heights[0] > heights[3] - 160  # 0.25 is lower in its panel than 0.8 in the next


def test_a_terminal_shows_command_and_output_and_loads_no_font() -> None:
    svg = pictures.terminal("dfsearch leaderboard demo", "\x1b[1mrank  trial\x1b[0m\n   1  a & b\n")
    text = "".join(_texts(svg)).replace("\xa0", " ")
    assert "SYNTHETIC" in text
    assert "$ dfsearch leaderboard demo" in text
    assert "a & b" in text
    assert "url(" not in svg.replace("url(#", "")
