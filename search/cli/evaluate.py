"""``dfsearch evaluate``: metrics of a finished run on labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import (
    Json,
    RunDir,
    Untrusted,
    app,
    limited_inference,
    print_json,
    report_errors,
    say,
)


@app.command(
    epilog="Examples: dfsearch evaluate runs/ffpp; dfsearch evaluate runs/ffpp --matched sharpness "
    "--robustness; dfsearch evaluate runs/ffpp celebdf.h5 --split all"
)
def evaluate(
    run_dir: RunDir,
    store: Annotated[
        Path | None,
        typer.Argument(metavar="STORE.h5", help="Another store; the run's own by default."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average the scores of each clip and its mirror image.")
    ] = False,
    matched: Annotated[
        str,
        typer.Option(
            metavar="sharpness",
            help="Also score pairs of a fake and its real at equal sharpness.",
        ),
    ] = "",
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Also score clips after H.264, JPEG, blur, noise, half resolution and darkening.",
        ),
    ] = False,
    untrusted: Untrusted = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Also write the score of every clip."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the metrics of a run on its test split, or on another store.

    The metrics on the run's own test split are those of its end. Scoring that split again is
    recorded in the run, because results that are looked at repeatedly become choices.
    """
    with report_errors(), limited_inference():
        import dfsearch
        from artifacts.run_directory import write_text
        from search.cli.console import work_bars
        from search.cli.tables.evaluation import print_assessment

        if out is not None and not out.parent.is_dir():
            raise UserError(f"there is no folder {out.parent}; make it, or name another --out")
        with work_bars("clips", "matched pairs", "degraded clips") as progress:
            found = dfsearch.Run(run_dir).evaluate(
                store,
                split,
                mirror=mirror,
                matched=matched,
                robustness=robustness,
                untrusted=untrusted,
                progress=progress,
            )
        if as_json:
            print_json(found.to_json())
        else:
            print_assessment(found, run_dir)
        for remark in found.remarks:
            say(f"note: {remark}")
        # After the figures, which must not be lost with the file.
        if out is not None:
            if not found.scores:
                raise UserError(
                    f"{run_dir / 'scores.csv'} is missing or damaged: no scores to write"
                )
            write_text(out, found.scores)
