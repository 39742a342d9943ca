"""``dfsearch dashboard``: a run in optuna-dashboard."""

from __future__ import annotations

import warnings
import webbrowser
from typing import Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import RunDir, app, reported


@app.command(
    epilog="Examples: dfsearch dashboard runs/demo; from another machine: ssh -L "
    "8080:127.0.0.1:8080 HOST dfsearch dashboard RUN_DIR --no-browser"
)
def dashboard(
    run_dir: RunDir,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="To listen on; 0 for a free one.")
    ] = 8080,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Open a run in optuna-dashboard, with its pictures and curves; also while it is going on.

    Only this machine can reach the page, and nothing on it changes the run.
    """
    with reported():
        from artifacts.dashboard.serving import HOST, build_application, open_server
        from artifacts.run_directory import RunDirectory
        from search.studies.storage import StorageLocation
        from search.studies.study import (
            stages_with_study,
        )

        # What it computes of few trials, it says of each hyperparameter on standard error.
        warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
        directory = RunDirectory(run_dir).open()
        location = StorageLocation.read(directory)
        names = {stage.name: location.study_name(stage) for stage in stages_with_study(location)}
        if not names:
            raise UserError(f"{run_dir} has no trials yet; open its dashboard when one has begun")
        page = build_application(directory, location.open(), names)
        with open_server(page, port) as server:
            address = f"http://{HOST}:{server.server_port}/"
            print(f"{run_dir}: {address} (Ctrl-C ends it)", flush=True)
            if browser:
                webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return
