"""``dfsearch export``: the detector in other formats, each run and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import (
    Json,
    RunDir,
    Untrusted,
    app,
    limited_inference,
    print_json,
    report_errors,
    split_list,
)

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
        str, typer.Option(help="Variants with fewer bits, where a format has them: float16,int8.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to write to; default RUN_DIR/exports."),
    ] = None,
    untrusted: Untrusted = False,
    as_json: Json = False,
) -> None:
    """Write the detector in other formats, run each in a fresh process and compare.

    A model card is written beside the run's model. The exit code is 1 if a format failed.
    """
    with report_errors(), limited_inference():
        import dfsearch
        from search.cli.tables.export import print_exports

        exports = dfsearch.Run(run_dir).export(
            split_list(formats), split_list(precision), out=out, untrusted=untrusted
        )
        if as_json:
            print_json(exports.to_json())
        else:
            print_exports(exports)
        if any(row.error for row in exports.rows):
            raise typer.Exit(FAILED)
