"""MkDocs hook: the executed notebook in the documentation, where ``make notebook`` has made it."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

EXECUTED = Path(__file__).parents[1] / "build" / "walkthrough.html"
PAGE, SHOWN_AS = "walkthrough.md", "walkthrough-executed.html"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the executed notebook to the files of the site."""
    if EXECUTED.is_file():
        files.append(File.generated(config, SHOWN_AS, abs_src_path=str(EXECUTED)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link it where the notebook is described."""
    if page.file.src_uri == PAGE and files.get_file_from_path(SHOWN_AS):
        return f"{markdown}\n**[The notebook as it was executed]({SHOWN_AS})**\n"
    return markdown
