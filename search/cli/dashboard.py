"""``dfsearch dashboard``: a run in optuna-dashboard."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from search.cli.app import RunDir, app, report_errors, write_lines


@app.command(
    epilog="Examples: dfsearch dashboard runs/demo; from another machine: ssh -L "
    "8080:127.0.0.1:8080 HOST dfsearch dashboard RUN_DIR --no-browser"
)
def dashboard(
    run_dir: RunDir,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0 for any free port.")
    ] = 8080,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Open a run in optuna-dashboard, with its pictures and curves, also while it is in progress.

    The page is reachable from this machine only, and it cannot change the run.
    """
    with report_errors():
        import dfsearch

        def show(address: str) -> None:
            write_lines(f"{run_dir}: {address} (stop it with Ctrl-C)")
            if browser:
                webbrowser.open(address)

        dfsearch.Run(run_dir).dashboard(port=port, ready=show)
