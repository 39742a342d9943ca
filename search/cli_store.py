"""The commands that look into a store: audit and verify."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from search.cli_common import Json, app, print_json, reported

FOUND = 1

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="Store, or folder of shards.")]


@app.command(
    epilog="Example: dfsearch audit ffpp.h5; dfsearch audit ffpp.h5 --json | jq '.findings'"
)
def audit(
    store: StorePath,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Sample crops; default STORE.audit.png."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of folds and intervals.")] = 0,
    as_json: Json = False,
) -> None:
    """Find leaks between the splits, imbalance, and shortcuts that tell real from fake.

    Draws sample crops of every method. The exit code is 1 if there is a leak.
    """
    with reported():
        from data_prep.audit import audit as look
        from data_prep.sample_picture import draw_samples
        from data_prep.store import Store
        from search.audit_tables import print_audit

        # "." and ".." are no names to make another of.
        named = store.resolve() if store.name in {"", ".."} else store
        picture = picture or named.with_name(f"{named.name}.audit.png")
        with Store(store) as opened:
            found = look(opened, seed=seed)
            draw_samples(opened, picture, seed=seed)
        if as_json:
            print_json(found.to_json() | {"picture": str(picture)})
        else:
            print_audit(found, picture)
        if found.leaks:
            raise typer.Exit(FOUND)


@app.command(epilog="Example: dfsearch verify ffpp.h5")
def verify(store: StorePath, as_json: Json = False) -> None:
    """Read a whole store and check it against its format and its fingerprint.

    The exit code is 1 if something is wrong.
    """
    with reported():
        from data_prep.verify import verify_in_time
        from search.audit_tables import print_problems

        problems = verify_in_time(store)
        if as_json:
            listed = [dataclasses.asdict(problem) for problem in problems]
            print_json({"store": str(store), "whole": not problems, "problems": listed})
        else:
            print_problems(store, problems)
        if problems:
            raise typer.Exit(FOUND)
