"""``dfsearch leaderboard``: the trials of one run, or of several on the same store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import Json, app, print_json, report_errors, split_list, write_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artifacts.leaderboard.columns import Column
    from artifacts.leaderboard.rows import Row
    from artifacts.run_directory import RunDirectory


_WIDEST = 10_000


@app.command(
    epilog="Examples: dfsearch leaderboard runs/demo; dfsearch leaderboard runs/a runs/b --top 5; "
    "dfsearch leaderboard runs/demo --filter state=complete --filter 'val_auc>0.8' --sort "
    "latency_ms; dfsearch leaderboard runs/demo --columns trial,val_auc,val_eer,peak_mb,lineage; "
    "dfsearch leaderboard runs/demo --trial architecture/1; dfsearch leaderboard runs/demo --json "
    "| jq '.[] | select(.rank == 1)'"
)
def leaderboard(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR...", help="Folder of a run, or of several on one store."),
    ],
    trial: Annotated[
        str | None, typer.Option(metavar="STAGE/NUMBER", help="Show one trial in full.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns of the table, comma-separated, or all.")
    ] = None,
    sort: Annotated[str, typer.Option(metavar="NAME", help="Column to sort by, best first.")] = "",
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="CONDITION",
            help="Condition on rows: state=complete, 'val_auc>0.8', what~bilstm; repeatable.",
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Greatest number of rows.")] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a Markdown table.")
    ] = False,
) -> None:
    """Print every trial, best first, beside baselines without training, also during a run."""
    with report_errors():
        from artifacts.leaderboard import board
        from artifacts.leaderboard.columns import choose_columns
        from artifacts.leaderboard.rows import FIELDS
        from artifacts.leaderboard.selection import Condition, check_fields, select_rows
        from artifacts.run_directory import RunDirectory
        from dfsearch.leaderboards import read_leaderboard

        if as_json + as_csv + as_markdown > 1:
            raise UserError("choose one of --json, --csv and --markdown")
        names, for_programs = split_list(columns or ""), as_json or as_csv
        fields = check_fields(names) if names and for_programs else FIELDS
        wanted = [Condition.parse(text) for text in conditions or ()]
        runs = [RunDirectory(path).open() for path in run_dirs]
        found = read_leaderboard(runs)
        rows: Sequence[Row] = found.rows
        if trial is not None:
            if len(runs) > 1:
                raise UserError("--trial shows one trial of one run; name one run")
            rows = [board.find_row(rows, trial)]
        rows = select_rows(rows, wanted, sort, top, backwards=reverse)
        shown = choose_columns(names, rows) if names and not for_programs else None
        if as_json:
            print_json(board.to_dicts(rows, fields))
        elif as_csv:
            write_lines(*board.to_csv(rows, fields).removesuffix("\n").split("\n"))
        elif as_markdown:
            write_lines(*board.to_markdown(rows, shown).splitlines())
        elif trial is not None:
            _print_sheet(RunDirectory(run_dirs[0]), rows)
        else:
            _print_table(rows, ", ".join(map(str, run_dirs)), shown, found.notes)


def _print_sheet(run: RunDirectory, rows: Sequence[Row]) -> None:
    """Print one trial in full, if it meets the conditions."""
    from artifacts.histories import HISTORY
    from artifacts.leaderboard import board
    from data_prep.files import read_text
    from search.cli.console import tables

    for row in rows:
        path = run.trial(row.stage, row.record.trial) / HISTORY
        history = read_text(path, errors="replace") if path.is_file() else ""
        tables().print(board.to_sheet(row, history))


def _print_table(
    rows: Sequence[Row],
    title: str,
    shown: Sequence[Column] | None,
    notes: Sequence[str],
) -> None:
    """Print the table and its notes; the columns of ``--columns`` are never cut off."""
    from artifacts.leaderboard import board
    from search.cli.console import cell, tables

    console, table = tables(), board.to_table(rows, title, shown)
    if shown:
        wide = console.options.update(max_width=_WIDEST)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)
    for note in notes:
        console.print(cell(note))
