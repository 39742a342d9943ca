"""Pictures of README.md, drawn from a finished demo: ``make pictures``.

The leaderboard is the output of ``dfsearch leaderboard``. The verdict is that of ``dfsearch
predict`` on a video whose face is swapped in its middle third. All data are SYNTHETIC, and the
pictures state it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from moviepy import VideoFileClip, concatenate_videoclips
from rich.console import Console
from rich.text import Text

from data_prep.synthetic.synthesize import synthesize_clip

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
COLOURS = {"real": "#009e73", "undecided": "#8a7a00", "fake": "#d55e00"}
SWAP = (4.0, 8.0)
"""Start and end of the swapped face in seconds."""

_FRAMES, _SEED = 300, 1
_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 800, 90, 780, 70, 170
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished demo, such as runs/demo")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures")
    options = parser.parse_args()
    command = ["leaderboard", str(options.run), "--top", "8"]
    board = terminal(" ".join(["dfsearch", *command]), _dfsearch(*command))
    with tempfile.TemporaryDirectory() as folder:
        video = partly_fake(Path(folder), _FRAMES, SWAP)
        verdict = json.loads(_dfsearch("predict", str(options.run), str(video), "--json"))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "leaderboard.svg").write_text(board, encoding="utf-8")
    (options.out / "verdict.svg").write_text(timeline(verdict, SWAP), encoding="utf-8")


def partly_fake(folder: Path, frames: int, swap: tuple[float, float]) -> Path:
    """Write a synthetic video with a swapped face, and return its path.

    Args:
        folder: Folder of the video.
        frames: Number of frames, 25 per second.
        swap: Start and end of the swapped face in seconds.
    """
    start, end = swap
    real, fake = (
        VideoFileClip(
            str(
                synthesize_clip(
                    folder / f"{name}.mp4", fake=name == "fake", seed=_SEED, frames=frames
                )
            )
        )
        for name in ("real", "fake")
    )
    parts = [real.subclipped(0, start), fake.subclipped(start, end), real.subclipped(end)]
    path = folder / "VIDEO.mp4"
    with real, fake, concatenate_videoclips(parts) as joined:
        joined.write_videofile(
            str(path),
            codec="libx264",
            audio=False,
            logger=None,
            ffmpeg_params=["-crf", "12", "-tune", "grain", "-pix_fmt", "yuv420p"],
        )
    return path


def terminal(command: str, printed: str) -> str:
    """Return a command and its output as an SVG of a terminal, without fonts to download."""
    text = Text.from_ansi(printed.rstrip())
    width = max(len(line) for line in [f"$ {command}", *text.plain.splitlines()])
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(Text(f"$ {command}", style="bold"))
    console.print(text, end="\n\n")
    svg = console.export_svg(title="SYNTHETIC data of the demo", unique_id="dfsearch")
    return _FONT_FACES.sub("", svg)


def timeline(verdict: Mapping[str, Any], swap: tuple[float, float]) -> str:
    """Return an SVG of the fake probability of each clip over time.

    Args:
        verdict: Object that ``dfsearch predict --json`` prints for a video.
        swap: Start and end of the swapped face in seconds.
    """
    label, duration, threshold = verdict["verdict"], verdict["duration"], verdict["threshold"]
    band = verdict["band"] or {"fake_from": threshold, "real_up_to": threshold}
    low, high = sorted((band["fake_from"], band["real_up_to"]))
    bottom = _TOP + _PLOT
    height = bottom + 60

    def across(seconds: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * min(seconds / duration, 1), 1)

    def down(probability: float) -> float:
        return round(bottom - _PLOT * probability, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="14" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#fff" stroke="#bbb"/>',
        f'<text x="20" y="28" font-size="16">{escape(Path(verdict["path"]).name)}: '
        f'<tspan font-weight="bold" fill="{COLOURS[label]}">{label}</tspan>, '
        f"fake probability {verdict['fake_probability']:.3f}</text>",
        f'<text x="{_RIGHT}" y="28" text-anchor="end">SYNTHETIC video</text>',
        '<text x="20" y="54">fake probability of each clip, and the verdict it leads to</text>',
    ]
    for name, lower, upper in (("real", 0.0, low), ("undecided", low, high), ("fake", high, 1.0)):
        parts.append(
            f'<rect x="{_LEFT}" y="{down(upper)}" width="{_RIGHT - _LEFT}" '
            f'height="{round(_PLOT * (upper - lower), 1)}" fill="{COLOURS[name]}" opacity="0.15"/>'
        )
        parts.append(
            f'<text x="{_LEFT - 8}" y="{down((lower + upper) / 2) + 5}" text-anchor="end" '
            f'fill="{COLOURS[name]}">{name}</text>'
        )
    for face in verdict["tracks"]:
        for clip in face["timeline"]:
            y = down(clip["fake_probability"])
            parts.append(
                f'<line x1="{across(clip["start"])}" x2="{across(clip["end"])}" y1="{y}" y2="{y}" '
                f'stroke="{COLOURS[clip["verdict"]]}" stroke-width="4" stroke-linecap="round"/>'
            )
    start, end = map(across, swap)
    parts += [
        f'<path d="M{start} {bottom + 6}v8H{end}v-8" fill="none" stroke="#222" stroke-width="2"/>',
        f'<text x="{(start + end) / 2}" y="{bottom + 34}" text-anchor="middle">'
        f"face swapped, {swap[0]:g} to {swap[1]:g} s</text>",
        f'<text x="{_LEFT}" y="{bottom + 34}">0 s</text>',
        f'<text x="{_RIGHT}" y="{bottom + 34}" text-anchor="end">{duration:.0f} s</text>',
        "</svg>\n",
    ]
    return "\n".join(parts)


def _dfsearch(*arguments: str) -> str:
    """Return the standard output of a command, with the styles of a terminal."""
    command = [sys.executable, "-m", "search.cli", *arguments]
    env = os.environ | {"FORCE_COLOR": "1"}
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
