"""The guided notebook as it is kept: clean, whole and true to the commands it names."""

from __future__ import annotations

import ast
import re

import nbformat
import typer
from nbformat import NotebookNode

import dfsearch
from search.cli.__main__ import app

PARTS = (
    "1. Preprocessing",
    "2. Model architecture",
    "3. Fusion and classification",
    "4. Evaluation and results",
    "5. Conclusion",
)


def _headings(notebook: NotebookNode, level: int) -> list[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)


def _cell(notebook: NotebookNode, name: str) -> NotebookNode:
    (cell,) = (cell for cell in notebook.cells if cell.id == name)
    return cell


def test_no_output_is_kept(kept: NotebookNode) -> None:
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert len(code) > 20
    for cell in code:
        assert cell.outputs == [], cell.id
        assert cell.execution_count is None, cell.id


def test_it_is_a_notebook_whose_cells_have_names(kept: NotebookNode) -> None:
    nbformat.validate(kept)
    names = [cell.id for cell in kept.cells]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names), names


def test_the_five_parts_are_there_in_their_order(kept: NotebookNode) -> None:
    assert _headings(kept, 2) == list(PARTS)
    links = re.findall(r"\[.+?\]\(#(.+?)\)", _cell(kept, "title").source)
    assert links == [part.replace(" ", "-") for part in PARTS]


def test_every_command_it_names_exists(kept: NotebookNode) -> None:
    command = typer.main.get_command(app)
    text = "\n".join(cell.source for cell in kept.cells if cell.cell_type == "markdown")
    named = re.findall(r"(?:^|`)dfsearch ([a-z-]+)([^`\n]*)", text, flags=re.MULTILINE)
    assert {"synthesize", "prepare", "audit", "run", "evaluate", "predict"} <= dict(named).keys()
    for verb, rest in named:
        options = {name for option in command.commands[verb].params for name in option.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, verb


def test_what_the_public_package_offers_is_called_through_it(kept: NotebookNode) -> None:
    code = "\n".join(cell.source for cell in kept.cells if cell.cell_type == "code")
    imported = {
        alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & set(dfsearch.__all__)
    for name in ("synthesize", "prepare", "Store", "audit"):
        assert f"dfsearch.{name}(" in code


def test_it_says_that_all_is_synthetic(kept: NotebookNode) -> None:
    assert "SYNTHETIC" in _cell(kept, "title").source
    assert "no score below is evidence about real deepfakes" in _cell(kept, "title").source
