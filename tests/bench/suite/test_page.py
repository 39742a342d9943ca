from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

from bench.suite.page import write_page
from bench.suite.plots import draw
from bench.suite.runs import Record
from bench.suite.sections import Bar, Plot, Section

MACHINE = {"processor": "Some CPU", "cores": "2", "keras": "3.15.1"}
RECORD = Record("--json", "2026-01-02T03:04:05+00:00", 4.4, 0.26, MACHINE, {})
PLOT = Plot(
    "times as fast",
    [Bar("a | b $x^2$", 3.0, (2.0, 4.5), "ours"), Bar("second", 0.5, None, "theirs")],
    1.0,
    "equal",
    log=True,
)
SECTION = Section("Storage", "How fast.", ("what", "times"), [["a | b", "3.0"]], PLOT, ("A note.",))


def text_of(path: Path) -> str:
    return " ".join(ElementTree.parse(path).getroot().itertext())


def test_a_page_has_machine_versions_commands_tables_plots_and_reasons(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "benchmarks.md"
    found = {"storage": (RECORD, dataclasses.replace(SECTION, missing="the rest"))}
    write_page(page, found, {"accuracy": "not run: no videos"}, quick=False)
    text = page.read_text()
    assert "| processor | Some CPU |\n| cores | 2 |\n| keras | 3.15.1 |" in text
    assert "## Storage\n\nHow fast.\n\n```\npython -m bench.storage\n```" in text
    assert "Measured 2026-01-02 03:04:05 UTC in 4 minutes, load before 0.3." in text
    assert "| what | times |\n| --- | --- |\n| a \\| b | 3.0 |" in text
    assert "- A note.\n- Missing: the rest." in text
    assert "(images/bench-storage.svg)" in text
    assert "## Accuracy\n\nNo figures: not run: no videos." in text
    assert "uick trial" not in text
    shown = text_of(page.parent / "images" / "bench-storage.svg")
    assert "a | b $x^2$" in shown
    assert "QUICK" not in shown


def test_a_quick_page_is_marked_at_the_top_in_every_section_and_plot(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    write_page(page, {"storage": (RECORD, SECTION)}, {}, quick=True)
    text = page.read_text()
    assert text.startswith('# Benchmarks\n\n!!! danger "Quick trial: these figures mean nothing"')
    assert text.count("figures mean nothing") == 2
    assert "QUICK: MEANS NOTHING" in text_of(tmp_path / "images" / "bench-storage.svg")


def test_each_machine_has_a_column(tmp_path: Path) -> None:
    other = dataclasses.replace(RECORD, machine=MACHINE | {"processor": "Another"})
    section = dataclasses.replace(SECTION, title="Search")
    page = tmp_path / "benchmarks.md"
    write_page(page, {"storage": (RECORD, SECTION), "search": (other, section)}, {}, quick=False)
    text = page.read_text()
    assert "|  | storage | search |" in text
    assert "| processor | Some CPU | Another |" in text


def test_the_same_figures_give_the_same_plot(tmp_path: Path) -> None:
    plots = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "bench.svg"
        path.parent.mkdir()
        draw(path, PLOT, quick=False)
        plots.append(path.read_bytes())
        assert [one.name for one in path.parent.iterdir()] == ["bench.svg"]
    assert plots[0] == plots[1]
