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
        int, typer.Option(min=0, max=65535, help="Port of the page; 0 for any free port.")
    ] = 8080,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Open a run in optuna-dashboard, with its pictures and curves, also while it is in progress.

    The page is reachable from this machine only, and it cannot change the run.
    """
    with reported():
        from artifacts.dashboard.serving import HOST, build_application, open_server
        from artifacts.run_directory import RunDirectory
        from search.studies.storage import StorageLocation
        from search.studies.study import (
            stages_with_study,
        )

        # It warns about each hyperparameter when there are few trials.
        warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
        directory = RunDirectory(run_dir).open()
        location = StorageLocation.read(directory)
        names = {stage.name: location.study_name(stage) for stage in stages_with_study(location)}
        if not names:
            raise UserError(f"{run_dir} has no trials yet; wait for the first one")
        page = build_application(directory, location.open(), names)
        with open_server(page, port) as server:
            address = f"http://{HOST}:{server.server_port}/"
            print(f"{run_dir}: {address} (stop it with Ctrl-C)", flush=True)
            if browser:
                webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return
