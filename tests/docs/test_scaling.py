"""The plan on the page follows from the figures that were measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import scaling

ROOT = Path(__file__).parents[2]


def test_every_line_of_the_plan_follows_from_what_was_measured() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    (block,) = re.findall(r"^```text\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    # What it is, then a figure, its unit and how it was got.
    rows = [(line[:42].strip(), *line[42:].split()[:2]) for line in block.splitlines()]
    shown = {what: float(value) for what, value, _ in rows if what}
    found = scaling.Costs(
        features=shown["features of a picture"] / 1e3,
        step=shown["a training step, per picture"] / 1e3,
        bytes=245_760,
    )
    lines = scaling.build_plan(found, clips=1_000_000, trials=100, passes=10, cores=256)
    assert [line.unit for line in lines] == [unit for *_, unit in rows]
    # What was printed is rounded to three digits, and so is what it is computed from.
    assert [line.value for line in lines] == pytest.approx(
        [float(value) for _, value, _ in rows], rel=0.01
    )


def test_a_plan_grows_with_its_clips_and_shrinks_with_its_cores() -> None:
    found = scaling.Costs(0.003, 0.013, 245_760)

    def hours(**changed: int) -> list[float]:
        given = {"clips": 1000, "trials": 10, "passes": 10, "cores": 4} | changed
        return [line.value for line in scaling.build_plan(found, **given) if line.unit == "h"]

    assert sum(hours(clips=2000)) == pytest.approx(2 * sum(hours()))
    assert hours(cores=8)[1] == pytest.approx(hours()[1] / 2)
    assert hours(trials=20)[-1] == pytest.approx(2 * hours()[-1])
