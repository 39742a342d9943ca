"""The executed notebook as one page, and in the documentation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbformat import NotebookNode, v4

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def _page(notebook: NotebookNode) -> BeautifulSoup:
    exporter = HTMLExporter(template_name="page", extra_template_basedirs=[str(NOTEBOOKS)])
    page, _ = exporter.from_notebook_node(notebook)
    return BeautifulSoup(page, "html.parser")


def _drawn(words: str) -> NotebookNode:
    output = v4.new_output(
        "display_data", {"image/png": PICTURE}, metadata={"image/png": {"alt": words}}
    )
    return v4.new_code_cell("draw()", execution_count=1, outputs=[output])


def test_the_page_needs_no_script_and_no_connection(kept: NotebookNode) -> None:
    page = _page(kept)
    assert page.h1.get_text().startswith("A deepfake detector, step by step")
    assert page.title.get_text() == "A deepfake detector, step by step"
    assert page.find_all(["script", "link", "iframe"]) == []
    assert all("url(http" not in style.get_text() for style in page.find_all("style"))


def test_every_picture_has_its_words() -> None:
    words = ['a "quoted" face', "another"]
    page = _page(v4.new_notebook(cells=[_drawn(each) for each in words]))
    pictures = page.find_all("img")
    assert [picture["alt"] for picture in pictures] == words
    assert [picture["src"] for picture in pictures] == [f"data:image/png;base64,{PICTURE}"] * 2


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with documentation of one page, and the hook beside it."""
    pytest.importorskip("mkdocs", reason="mkdocs comes with make docs")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(NOTEBOOKS / "in_docs.py", tmp_path / "notebooks")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "walkthrough.md").write_text("# A guided walk-through\n")
    (tmp_path / "docs" / "index.md").write_text("# Others\n")
    (tmp_path / "mkdocs.yml").write_text(
        "site_name: tested\nstrict: true\nhooks: [notebooks/in_docs.py]\n"
    )
    return tmp_path


def _built(site: Path) -> Path:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    build(load_config(str(site / "mkdocs.yml"), site_dir=str(site / "site")))
    return site / "site"


def test_documentation_links_the_executed_notebook(site: Path) -> None:
    (site / "build").mkdir()
    (site / "build" / "walkthrough.html").write_text("<p>executed</p>")
    built = _built(site)
    assert (built / "walkthrough-executed.html").read_text() == "<p>executed</p>"
    linked = 'href="../walkthrough-executed.html"'
    assert linked in (built / "walkthrough" / "index.html").read_text()
    assert linked not in (built / "index.html").read_text()


def test_documentation_is_built_where_the_notebook_was_not_executed(site: Path) -> None:
    built = _built(site)
    assert not list(built.glob("*executed*"))
    assert "executed" not in (built / "walkthrough" / "index.html").read_text()
