"""``dfsearch report``: one HTML file about a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import RunDir, app, reported

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from artifacts.run_directory import RunDirectory


@app.command(
    epilog="Examples: dfsearch report runs/demo; dfsearch report runs/ffpp --no-faces "
    "--out for-others.html"
)
def report(
    run_dir: RunDir,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default RUN_DIR/report.html.")
    ] = None,
    faces: Annotated[
        bool,
        typer.Option("--faces/--no-faces", help="Show sample clips; faces are personal data."),
    ] = True,
    store: Annotated[
        Path | None, typer.Option(help="The store of the run, where it is now.")
    ] = None,
) -> None:
    """Write one HTML file that says what was searched, what came out, and how far to trust it.

    It needs no other file and no connection, and is made of what there is, also while a run is
    going on.
    """
    with reported():
        from artifacts.report.report import write_report
        from artifacts.run_directory import RunDirectory

        directory = RunDirectory(run_dir).open()
        out = out or directory.root / "report.html"
        write_report(
            directory,
            out,
            trials=_trials_of(directory),
            store=store or _store_of(directory),
            faces=faces,
        )
        print(f"{out}: open it in a browser")


def _trials_of(directory: RunDirectory) -> dict[str, list[FrozenTrial]] | str:
    """The trials of a run, or why its studies cannot be read."""
    from search.studies.study import (
        read_trials,
    )

    try:
        return read_trials(directory)
    except UserError as error:
        return str(error)


def _store_of(directory: RunDirectory) -> Path | None:
    """Where the configuration says that the store is; nowhere if it is damaged."""
    from search.config import run_config

    try:
        return run_config.load(directory.config).store
    except UserError:
        return None
