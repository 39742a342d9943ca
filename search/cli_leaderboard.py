"""``dfsearch leaderboard``: the trials of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from search.cli_common import Json, RunDir, app, print_json, reported

if TYPE_CHECKING:
    from artifacts.records import TrialRecord
    from artifacts.run_directory import RunDirectory


@app.command(
    epilog="Examples: dfsearch leaderboard runs/demo; dfsearch leaderboard runs/demo --trial "
    "architecture/1; dfsearch leaderboard runs/demo --json | jq '.[0]'"
)
def leaderboard(
    run_dir: RunDir,
    trial: Annotated[
        str | None, typer.Option(metavar="STAGE/NUMBER", help="Show one trial in full.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every trial, best first; also while a run is going on."""
    with reported():
        from artifacts import leaderboard as board
        from artifacts.ensemble_record import ensemble_rows
        from artifacts.records import ranked
        from artifacts.run_directory import RunDirectory
        from search import studies
        from search.console import tables

        directory = RunDirectory(run_dir).open()
        records = ranked(studies.trials(directory.journal), ensemble_rows(directory))
        if trial is not None:
            records = [board.find(records, trial)]
        if as_json:
            print_json(board.rows(records))
        elif trial is not None:
            tables().print(board.to_sheet(records[0], _history(directory, records[0])))
        else:
            tables().print(board.to_table(records, str(run_dir)))


def _history(directory: RunDirectory, record: TrialRecord) -> str:
    """The epochs of a trial as CSV; empty where it has not finished one."""
    path = directory.trial(record.stage, record.trial) / "history.csv"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
