"""``dfsearch datasets``: known data sets, and whether a folder has all of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.app import Json, app, print_json, report_errors

if TYPE_CHECKING:
    from data_prep.catalogue.known import DataSet

FOUND = 1


@app.command(
    epilog="Examples: dfsearch datasets; dfsearch datasets FaceForensics++; "
    "dfsearch datasets --check data/ffpp"
)
def datasets(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Data set to describe.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Compare a folder with lists and published counts."),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="Layout of the folder; 'auto' recognises it.")
    ] = "auto",
    as_json: Json = False,
) -> None:
    """List known data sets, describe one, or compare a folder with its official lists.

    The exit code is 1 if a video of the folder is missing or mislabelled.
    """
    with report_errors():
        from data_prep.catalogue.known import data_set
        from data_prep.errors import UserError

        if check is not None:
            if name is not None:
                raise UserError("--check recognises the data set; leave NAME out, or use --layout")
            _check(check, layout, as_json)
        elif name is not None:
            _describe(data_set(name), as_json)
        else:
            _list(as_json)


def _list(as_json: bool) -> None:
    import dfsearch
    from search.cli.tables.datasets import print_data_sets

    if as_json:
        print_json([known.to_json() for known in dfsearch.datasets()])
    else:
        print_data_sets(dfsearch.datasets())


def _describe(known: DataSet, as_json: bool) -> None:
    from search.cli.tables.datasets import print_data_set

    if as_json:
        print_json(known.to_json())
    else:
        print_data_set(known)


def _check(folder: Path, layout: str, as_json: bool) -> None:
    import dfsearch
    from search.cli.tables.datasets import print_check

    result = dfsearch.check_dataset(folder, layout=layout)
    if as_json:
        print_json(result.to_json())
    else:
        print_check(result)
    if not result.whole:
        raise typer.Exit(FOUND)
