"""The guided notebook executed: its pictures, its figures, and what it leaves behind."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image
from sklearn import metrics

from artifacts.metrics.measures import compute_measures

pytestmark = pytest.mark.minutes

PICTURES = {
    "frames": 1,
    "faces": 1,
    "alignment": 1,
    "samples": 1,
    "motion": 2,
    "changes": 1,
    "noise": 2,
    "pseudo-fakes": 1,
    "training": 1,
    "decision": 1,
    "weights": 1,
    "pairs": 1,
    "untrained": 1,
    "matched": 1,
    "heat": 1,
    "heat-check": 1,
}


def _cell(notebook: NotebookNode, name: str) -> NotebookNode:
    (cell,) = (cell for cell in notebook.cells if cell.id == name)
    return cell


def _pictures(cell: NotebookNode) -> list[Image.Image]:
    data = [output.data["image/png"] for output in cell.outputs if "image/png" in _data(output)]
    return [Image.open(io.BytesIO(base64.b64decode(png))) for png in data]


def _data(output: NotebookNode) -> dict[str, str]:
    return dict(output.get("data", {}))


def _told(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def _table(cell: NotebookNode) -> dict[str, list[str]]:
    """Lines of the cell's table, by what stands first in each."""
    (text,) = (
        _data(output)["text/markdown"]
        for output in cell.outputs
        if "text/markdown" in _data(output)
    )
    lines = [[part.strip() for part in line.strip("|").split("|")] for line in text.split("\n")]
    return {first: rest for first, *rest in lines}


def test_every_cell_runs_and_no_warning_is_shown(executed: NotebookNode) -> None:
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", (cell.id, output.text)


def test_the_pictures_are_there(executed: NotebookNode) -> None:
    found = {cell.id: _pictures(cell) for cell in executed.cells if cell.cell_type == "code"}
    assert {name: len(some) for name, some in found.items() if some} == PICTURES
    for name, some in found.items():
        for picture in some:
            width, height = picture.size
            assert 200 < width < 1500, (name, picture.size)
            assert 80 < height < 1200, (name, picture.size)
            assert np.asarray(picture.convert("L")).std() > 10, name


def test_every_picture_has_a_text_alternative(executed: NotebookNode) -> None:
    pictures = [
        output
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if "image/png" in _data(output)
    ]
    words = [output.metadata.get("image/png", {}).get("alt", "") for output in pictures]
    assert len(words) == sum(PICTURES.values())
    assert all(len(text.split()) > 2 for text in words), words


def test_the_figures_are_those_of_the_scores(
    executed: NotebookNode, answers: dict[str, Any]
) -> None:
    labels, scores = np.array(answers["labels"]), np.array(answers["scores"])
    called = scores >= answers["threshold"]
    assert len(labels) == 12
    expected = {
        "accuracy": metrics.accuracy_score(labels, called),
        "precision": metrics.precision_score(labels, called, zero_division=0),
        "recall": metrics.recall_score(labels, called),
        "f1": metrics.f1_score(labels, called),
        "false_alarm_rate": called[labels == 0].mean(),
        "auc": metrics.roc_auc_score(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
    }
    shown = _table(_cell(executed, "results"))
    written = {name: shown[name][0].split(" ")[0] for name in expected}
    assert written == {name: f"{value:.3f}" for name, value in expected.items()}
    summary = _table(_cell(executed, "summary"))
    assert summary["F1"] == shown["f1"][:1]
    assert summary["AUC"] == shown["auc"][:1]


def test_the_intervals_are_those_over_people(
    executed: NotebookNode, answers: dict[str, Any]
) -> None:
    labels, scores = np.array(answers["labels"]), np.array(answers["scores"])
    groups, threshold = np.array(answers["groups"]), answers["threshold"]
    people = compute_measures(labels, scores, groups, threshold, answers["seed"])
    clips = np.arange(len(labels)).astype(str)
    one_by_one = compute_measures(labels, scores, clips, threshold, answers["seed"])
    shown = _table(_cell(executed, "people"))
    low, high = people.intervals["brier"]
    assert shown["brier"][1] == f"{people.values['brier']:.3f} [{low:.2f}, {high:.2f}]"
    low, high = one_by_one.intervals["brier"]
    assert shown["brier"][0] == f"{people.values['brier']:.3f} [{low:.2f}, {high:.2f}]"


def test_baselines_and_matched_pairs_are_measured(
    executed: NotebookNode, answers: dict[str, Any]
) -> None:
    labels, scores = np.array(answers["labels"]), np.array(answers["scores"])
    sources = np.array(answers["sources"])
    fakes = np.flatnonzero(sources >= 0)
    above = np.sign(scores[fakes] - scores[sources[fakes]])
    summary = _table(_cell(executed, "summary"))
    assert len(fakes) == 6
    assert summary["pair ranking"] == [f"{((above + 1) / 2).mean():.3f}"]
    alone = metrics.roc_auc_score(labels, answers["quantity"])
    start = "AUC of the best baseline"
    (baseline,) = (line for name, line in summary.items() if name.startswith(start))
    assert baseline[0].startswith(f"{max(alone, 1 - alone):.3f} ")
    matched = _table(_cell(executed, "matched"))
    assert matched["detector, AUC"][1].startswith(f"{answers['matched']:.3f} ")
    assert float(matched["sharpness alone, AUC"][1]) == pytest.approx(0.5, abs=0.2)


def test_tested_people_are_in_no_other_split(answers: dict[str, Any]) -> None:
    assert set(answers["groups"])
    assert not set(answers["groups"]) & set(answers["people of others"])


def test_weights_and_heat_are_what_they_are_called(answers: dict[str, Any]) -> None:
    assert np.allclose(answers["stream weights"], 1, atol=1e-5)
    assert np.allclose(answers["moments"], 1, atol=1e-5)
    low, high, *shape = answers["heat"]
    assert (low, high) == (0, 1)
    assert shape == [6, 8, 64, 64]


def test_the_same_network_sees_pictures_and_clips(executed: NotebookNode) -> None:
    told = _told(_cell(executed, "inflation"))
    largest, apart = (float(line.rsplit(" ", 1)[1]) for line in told.splitlines())
    assert largest > 0
    assert apart <= 1e-4 * largest


def test_nothing_is_written_outside_the_temporary_folder(
    place: Path, answers: dict[str, Any]
) -> None:
    touched = [Path(path) for path in answers["touched"]]
    ours = [path for path in touched if path.is_relative_to(place / "temporary")]
    assert any(path.name.endswith(".png") for path in ours)
    elsewhere = [path for path in touched if not path.is_relative_to(place)]
    assert [path for path in elsewhere if not path.is_relative_to("/dev")] == []
    assert list((place / "empty").iterdir()) == []
    assert list((place / "temporary").glob("dfsearch-walkthrough-*")) == []
