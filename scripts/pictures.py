"""Pictures of README.md: the leaderboard and two verdicts of the demo, ``make pictures``.

Both show what ``dfsearch leaderboard`` and ``dfsearch predict --json`` print for a finished demo.
The demo's data are SYNTHETIC, and both pictures state it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
COLUMNS = "rank,trial,val_auc,file_mb,latency_ms,seconds,what"
COLOURS = {"real": "#009e73", "fake": "#d55e00", "undecided": "#b8a000"}

_WIDTH, _LEFT, _PLOT, _PANEL = 800, 60, 96, 160
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Write both pictures to ``docs/images``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished demo, such as runs/demo")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures")
    options = parser.parse_args()
    data = options.run.with_name(f"{options.run.name}-data")
    videos = [data / f"unseen_{name}.mp4" for name in ("real", "fake")]
    board = _dfsearch("leaderboard", options.run, "--top", "10", "--columns", COLUMNS)
    shown = f"dfsearch leaderboard {options.run.name} --top 10 --columns {COLUMNS}"
    judged = _dfsearch("predict", options.run, *videos, "--json").splitlines()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, picture in (
        ("leaderboard", terminal(shown, board)),
        ("verdict", timelines([json.loads(line) for line in judged])),
    ):
        (options.out / f"{name}.svg").write_text(picture, encoding="utf-8")


def terminal(command: str, printed: str) -> str:
    """Return a command and its output as an SVG of a terminal, without fonts to download."""
    text = Text.from_ansi(printed.rstrip())
    width = max(len(line) for line in [f"$ {command}", *text.plain.splitlines()])
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(Text(f"$ {command}", style="bold"))
    console.print(text)
    svg = console.export_svg(title="SYNTHETIC data of the demo", unique_id="dfsearch")
    return _FONT_FACES.sub("", svg)


def timelines(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG with one panel per video: the probability of its clips over time.

    Args:
        verdicts: Objects that ``dfsearch predict --json`` prints.
    """
    height = 40 + _PANEL * len(verdicts)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#fff" stroke="#bbb"/>',
        '<text x="20" y="26" font-weight="bold">SYNTHETIC data of the demo: '
        "fake probability over time</text>",
    ]
    for at, verdict in enumerate(verdicts):
        parts += _panel(verdict, 40 + _PANEL * at)
    return "\n".join([*parts, "</svg>\n"])


def _panel(verdict: Mapping[str, Any], top: int) -> list[str]:
    label, duration = verdict["verdict"], verdict["duration"]
    left, right, upper = _LEFT, _WIDTH - 20, top + 30
    threshold = verdict["threshold"]
    band = verdict["band"] or {"fake_from": threshold, "real_up_to": threshold}
    low, high = sorted((band["fake_from"], band["real_up_to"]))

    def across(seconds: float) -> float:
        return round(left + (right - left) * min(seconds / duration, 1), 1)

    def down(probability: float) -> float:
        return round(upper + _PLOT * (1 - probability), 1)

    parts = [
        f'<text x="20" y="{top + 18}">{escape(Path(verdict["path"]).name)}: '
        f'<tspan font-weight="bold" fill="{COLOURS[label]}">{label}</tspan>, '
        f"fake probability {verdict['fake_probability']:.3f}</text>"
    ]
    for name, lower, higher in (("real", 0.0, low), ("undecided", low, high), ("fake", high, 1.0)):
        parts.append(
            f'<rect x="{left}" y="{down(higher)}" width="{right - left}" '
            f'height="{round(_PLOT * (higher - lower), 1)}" fill="{COLOURS[name]}" opacity="0.15"/>'
        )
    parts += [
        f'<text x="{left - 8}" y="{down(value) + 4}" text-anchor="end">{value}</text>'
        for value in (0, 1)
    ]
    for face in verdict["tracks"]:
        for clip in face["timeline"]:
            y = down(clip["fake_probability"])
            parts.append(
                f'<line x1="{across(clip["start"])}" x2="{across(clip["end"])}" y1="{y}" y2="{y}" '
                f'stroke="{COLOURS[clip["verdict"]]}" stroke-width="5" stroke-linecap="round"/>'
            )
    for seconds, anchor in ((0.0, "start"), (duration, "end")):
        parts.append(
            f'<text x="{across(seconds)}" y="{upper + _PLOT + 18}" text-anchor="{anchor}">'
            f"{seconds:.1f} s</text>"
        )
    return parts


def _dfsearch(*arguments: str | Path) -> str:
    """Return the standard output of a command, with the styles of a terminal."""
    command = [sys.executable, "-m", "search.cli", *map(str, arguments)]
    env = os.environ | {"FORCE_COLOR": "1"}
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
