"""``dfsearch report``: one HTML file about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import RunDir, app, limited_inference, report_errors, write_lines


@app.command(
    epilog="Examples: dfsearch report runs/demo; dfsearch report runs/ffpp --no-faces "
    "--out for-others.html"
)
def report(
    run_dir: RunDir,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write; default RUN_DIR/report.html."),
    ] = None,
    faces: Annotated[
        bool,
        typer.Option("--faces/--no-faces", help="Show sample clips; faces are personal data."),
    ] = True,
    store: Annotated[Path | None, typer.Option(help="Store of the run, if it has moved.")] = None,
) -> None:
    """Write one HTML file about the search, its result and how far to trust it.

    It needs no other file and no connection. It can be written while a run is in progress, from
    the results so far.
    """
    with report_errors(), limited_inference():
        import dfsearch

        path = dfsearch.Run(run_dir).report(out, faces=faces, store=store)
        write_lines(f"{path}: open it in a browser")
