"""``dfsearch export``: the detector in other formats, each run and measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.app import Json, RunDir, app, listed, print_json, reported, say

if TYPE_CHECKING:
    import keras

    from artifacts.models.export_check import Clips
    from artifacts.run_directory import RunDirectory

FAILED = 1


@app.command(
    epilog="Examples: dfsearch export runs/ffpp; dfsearch export runs/ffpp --format onnx,litert "
    "--precision float16,int8"
)
def export(
    run_dir: RunDir,
    formats: Annotated[
        str,
        typer.Option("--format", help="all, or of h5,keras,saved_model,onnx,litert,openvino."),
    ] = "all",
    precision: Annotated[
        str, typer.Option(help="Variants in fewer bits, float16,int8, where a format has them.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; default RUN_DIR/exports.")
    ] = None,
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Open a model that is not the certified file.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the detector in other formats, run each in a fresh process and compare.

    A model card is written beside the run's model. The exit code is 1 if a format failed.
    """
    with reported():
        from artifacts import quiet
        from artifacts.run_directory import RunDirectory

        directory = RunDirectory(run_dir).open()
        quiet.import_tensorflow()
        from artifacts.models import export_run
        from artifacts.models.formats import select_formats
        from artifacts.models.saved import load_detector
        from search.cli.tables.export import print_exports

        wanted = select_formats(listed(formats))
        export_run.check_precisions(wanted, listed(precision))
        model, _ = load_detector(directory, untrusted=untrusted)
        clips = _clips(model, directory)
        result = export_run.export_run(
            directory,
            model,
            wanted,
            listed(precision),
            clips,
            out,
            on_row=lambda row: say(f"{row.format} {row.precision}: {row.error or 'done'}"),
        )
        if as_json:
            print_json(result.to_json())
        else:
            print_exports(result)
        if any(row.error for row in result.rows):
            raise typer.Exit(FAILED)


def _clips(model: keras.Model, directory: RunDirectory) -> Clips:
    """Of the run's store, or noise where that is not at hand."""
    from artifacts.models.export_check import clips_of_store, random_clips
    from data_prep.errors import UserError
    from data_prep.store.store import Store
    from search.config import run_config as configuration

    try:
        with Store(configuration.load(directory.config).store) as store:
            if store.fingerprint != directory.read_fingerprint():
                raise UserError(f"{store.path} is another store")
            return clips_of_store(model, store)
    except UserError as error:
        say(f"note: compared on noise, without AUC: {error}")
        return random_clips(model)
