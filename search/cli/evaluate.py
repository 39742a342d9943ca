"""``dfsearch evaluate``: a finished run on labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import Json, RunDir, app, print_json, reported, say

if TYPE_CHECKING:
    from artifacts.evaluation.request import Assessment, Request
    from artifacts.run_directory import RunDirectory


@app.command(
    epilog="Examples: dfsearch evaluate runs/ffpp; dfsearch evaluate runs/ffpp --matched sharpness "
    "--robustness; dfsearch evaluate runs/ffpp celebdf.h5 --split all"
)
def evaluate(
    run_dir: RunDir,
    store: Annotated[
        Path | None,
        typer.Argument(metavar="[STORE.h5]", help="Another data set; default the run's own."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average every clip with its mirror image.")
    ] = False,
    matched: Annotated[
        str,
        typer.Option(
            metavar="sharpness",
            help="Also on pairs of a fake and its real that were made equally sharp.",
        ),
    ] = "",
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Also after H.264, JPEG, blur, noise, half resolution and dark.",
        ),
    ] = False,
    untrusted: Annotated[
        bool,
        typer.Option(
            "--untrusted", help="Take a model file that is not the one of the certificate."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write the score of every clip, too."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the metrics of a run on its test split, or on another store.

    The figures on the run's own test split are those of its end. What scores that split anew is
    recorded in the run, as whoever opens it often chooses by it.
    """
    with reported():
        from artifacts.evaluation.request import Request
        from artifacts.run_directory import RunDirectory, write_text
        from search.cli.tables.evaluation import print_assessment

        directory = RunDirectory(run_dir).open()
        request = Request(split, mirror, matched, robustness, untrusted)
        request.check()
        if out is not None and not out.parent.is_dir():
            raise UserError(f"{out.parent} is no folder; make it, or write {out.name} elsewhere")
        found = _assess(directory, store, request)
        if out is not None:
            if not found.scores:
                raise UserError(f"{directory.scores} is missing or damaged: no scores to write")
            write_text(out, found.scores)
        if as_json:
            print_json(found.to_json())
        else:
            print_assessment(found, run_dir)
        for remark in found.remarks:
            say(f"note: {remark}")


def _assess(directory: RunDirectory, store: Path | None, request: Request) -> Assessment:
    from artifacts.certificate import Certificate
    from artifacts.evaluation.request import read_assessment

    Certificate.read(directory)
    if store is None and request.is_plain and (found := read_assessment(directory)):
        return found
    from artifacts import quiet

    quiet.import_tensorflow()
    from artifacts.evaluation.evaluate import assess
    from artifacts.evaluation.scoring import differing_preparation
    from data_prep.store.store import Store
    from search.cli.console import bars
    from search.config import run_config as configuration

    own = configuration.load(directory.config).store
    path = store or own
    with Store(path) as opened:
        if store is None and opened.fingerprint != directory.read_fingerprint():
            raise UserError(f"{path} is no longer the store {directory.root} was made on")
        for difference in differing_preparation(directory, opened):
            say(f"note: this store was prepared otherwise than the model expects: {difference}")
    steps = ["clips", *(["matched pairs"] if request.matched else [])]
    steps += ["degraded clips"] if request.robustness else []
    with bars(*steps) as updates:
        update = dict(zip(steps, updates, strict=True))
        return assess(
            directory,
            path,
            request,
            own=own,
            say=say,
            progress=lambda what, done, total: update[what](done, total),
        )
