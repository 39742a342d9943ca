"""``dfsearch audit``, ``verify`` and ``pseudo-fakes``: the content of a store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import Json, app, print_json, report_errors, say

FOUND = 1

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="Store, or folder of shards.")]


@app.command(
    epilog="Examples: dfsearch audit ffpp.h5; dfsearch audit ffpp.h5 --json | jq '.findings'"
)
def audit(
    store: StorePath,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Picture of sample crops; default STORE.audit.png."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds and intervals.")] = 0,
    as_json: Json = False,
) -> None:
    """Find leaks between splits, imbalance, and shortcuts that separate real from fake.

    Sample crops of every method are drawn if the folder can be written. The exit code is 1 if
    there is a leak.
    """
    with report_errors():
        import dfsearch
        from data_prep.audit.sample_picture import draw_samples
        from data_prep.store.store import Store
        from search.cli.tables.audit import print_audit

        found = dfsearch.audit(store, seed=seed)
        wanted = picture or _beside(store, "audit.png")
        path: Path | None = wanted
        failure: UserError | None = None
        try:
            with Store(store) as opened:
                draw_samples(opened, wanted, seed=seed)
        except UserError as error:
            # The audit of a store in a folder that cannot be written is an audit all the same.
            path, failure = None, error
        if as_json:
            print_json(found.to_json() | {"picture": path and str(path)})
        else:
            print_audit(found, path)
        if failure and picture:
            raise failure
        if failure:
            say(f"note: {failure.command_line}")
        if found.leaks:
            raise typer.Exit(FOUND)


@app.command(epilog="Example: dfsearch verify ffpp.h5")
def verify(store: StorePath, as_json: Json = False) -> None:
    """Read a whole store and check it against its format and its fingerprint.

    The exit code is 1 if there is a problem.
    """
    with report_errors():
        import dfsearch
        from search.cli.tables.audit import print_problems

        problems = dfsearch.verify(store)
        if as_json:
            listed = [dataclasses.asdict(problem) for problem in problems]
            print_json({"store": str(store), "whole": not problems, "problems": listed})
        else:
            print_problems(store, problems)
        if problems:
            raise typer.Exit(FOUND)


@app.command(epilog="Example: dfsearch pseudo-fakes ffpp.h5 -o page.png")
def pseudo_fakes(
    store: StorePath,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", "-o", metavar="PNG", help="Picture; default STORE.pseudo-fakes.png."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, max=200, help="Number of pseudo-fakes.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed of the choice and of the pseudo-fakes.")] = 0,
) -> None:
    """Draw pseudo-fakes of real clips as training makes them, with their masks."""
    with report_errors():
        import dfsearch

        picture = picture or _beside(store, "pseudo-fakes.png")
        say(f"pseudo-fakes: {dfsearch.pseudo_fakes(store, picture, clips=clips, seed=seed)}")


def _beside(store: Path, ending: str) -> Path:
    """Return the path of a file named after a store."""
    # "." and ".." are not file names.
    named = store.resolve() if store.name in {"", ".."} else store
    return named.with_name(f"{named.name}.{ending}")
