"""The card says what the certificate says, and what data it was made on."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.certificate import Certificate
from artifacts.models.card import model_card, write_model_card
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError


def test_a_card_has_every_part_and_the_run_s_own_figures(finished_run: RunDirectory) -> None:
    path = write_model_card(finished_run)
    assert path == finished_run.root / "MODEL_CARD.md"
    card = path.read_text(encoding="utf-8")
    headings = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        *("Intended use", "Data", "Preparation", "Model", "Training"),
        *("Metrics", "Limits", "Ethics", "Files and versions"),
    ]
    certificate = Certificate.read(finished_run)
    assert f"`{certificate.files.h5.sha256}`" in card
    assert f"{certificate.params:,} weights" in card
    low, high = certificate.validation.intervals["auc"] or (0.0, 0.0)
    assert f"| auc | 1.000 | {low:.3f} to {high:.3f} |" in card
    assert "| Drawn | 2 | 1.000 | 1.000 |" in card
    assert "at and above 0.4000" in card
    assert f"| `keras` | {certificate.versions['keras']} |" in card


def test_synthetic_data_is_said_first_and_only_where_it_is(finished_run: RunDirectory) -> None:
    certificate = Certificate.read(finished_run)
    assert model_card(certificate).splitlines()[2].startswith("> **Made on synthetic data.**")
    filmed = certificate.model_copy(update={"synthetic": False})
    assert "ynthetic" not in model_card(filmed)


def test_a_run_that_was_not_tested_says_so(finished_run: RunDirectory) -> None:
    certificate = Certificate.read(finished_run).model_copy(update={"test": None})
    assert "**nothing was tested.**" in model_card(certificate)


def test_counts_are_by_label_method_and_split(finished_run: RunDirectory) -> None:
    certificate = Certificate.read(finished_run)
    counts = [
        {"label": "fake", "method": "A|B", "split": "train", "clips": 3},
        {"label": "fake", "method": "A|B", "split": "val", "clips": 2},
    ]
    kept = certificate.preparation | {"counts": counts, "split": {"overlap": 4}}
    card = model_card(certificate.model_copy(update={"preparation": kept}))
    assert r"| fake | A\|B | 3 | 2 | 0 |" in card
    assert "**4 identity groups are in more than one split.**" in card


def test_a_run_without_a_model_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run at"):
        write_model_card(RunDirectory(tmp_path))
