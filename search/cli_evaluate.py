"""``dfsearch evaluate``: a finished run on labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_prep.errors import UserError
from search.cli_common import Json, RunDir, app, print_json, reported, say

if TYPE_CHECKING:
    from artifacts.run_directory import RunDirectory


@app.command(
    epilog="Examples: dfsearch evaluate runs/ffpp; dfsearch evaluate runs/ffpp celebdf.h5 "
    "--split all"
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
    as_json: Json = False,
) -> None:
    """Show the metrics of a run on its test split, or on another store."""
    with reported():
        from artifacts.certificate import Certificate
        from artifacts.run_directory import RunDirectory
        from search.summaries import print_evaluation

        directory = RunDirectory(run_dir).open()
        if split not in ("train", "val", "test", "all"):
            raise UserError(f"--split must be train, val, test or all, not {split}")
        if store is None and split == "test" and not mirror:
            certificate = Certificate.read(directory)
            if certificate.test is None:
                raise UserError(f"{run_dir}: its store has no test split with both labels")
            result = certificate.test.to_json() | {"synthetic": certificate.synthetic}
        else:
            result = _evaluate_on(directory, store, split, mirror)
        if as_json:
            print_json(result)
        else:
            print_evaluation(result, run_dir)


def _evaluate_on(
    directory: RunDirectory, store: Path | None, split: str, mirror: bool
) -> dict[str, Any]:
    from artifacts import quiet

    quiet.import_tensorflow()
    from artifacts.scoring import differing_preparation, evaluate_on
    from data_prep.store import Store
    from search import config as configuration

    with Store(store or configuration.load(directory.config).store) as opened:
        own = opened.fingerprint == directory.read_fingerprint()
        if store is None and not own:
            raise UserError(f"{opened.path} is no longer the store {directory.root} was made on")
        if own and split != "test":
            say(f"note: the {split} split of this store was seen when the model was made")
        for difference in differing_preparation(directory, opened):
            say(f"note: this store was prepared otherwise than the model expects: {difference}")
        result = evaluate_on(directory, opened, split, mirror=mirror).to_json()
        return result | {"synthetic": opened.is_synthetic}
