"""``dfsearch predict``: a finished run on videos nobody has labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli_common import USAGE, Json, RunDir, app, print_json, reported


@app.command(epilog="Example: dfsearch predict runs/demo a.mp4 b.mp4 --json")
def predict(
    run_dir: RunDir,
    paths: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video files.")],
    windows: Annotated[
        int, typer.Option(help="Clips of each video whose answers are averaged.")
    ] = 1,
    detector_model: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Model file, for yunet, where it has been moved."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge raw videos: find the face, score it, give one verdict each.

    The exit code is 2 if a video could not be judged.
    """
    with reported():
        from artifacts import quiet
        from artifacts.run_directory import RunDirectory

        RunDirectory(run_dir).open()
        quiet.import_tensorflow()
        from artifacts import predict as predictor

        answers = []
        judged = predictor.predict(
            RunDirectory(run_dir), paths, windows=windows, detector_model=detector_model
        )
        for answer in judged:
            answers.append(answer)
            if as_json:
                continue
            if isinstance(answer, predictor.NoVerdict):
                print(f"{answer.path}: no verdict: {answer.error}")
            else:
                print(
                    f"{answer.path}: {answer.verdict}, fake probability "
                    f"{answer.fake_probability:.3f} (threshold {answer.threshold:.3f}), face in "
                    f"{answer.coverage:.0%} of sampled frames, {answer.seconds:.1f} s"
                )
        if as_json:
            print_json([predictor.to_json(answer) for answer in answers])
        if any(isinstance(answer, predictor.NoVerdict) for answer in answers):
            raise typer.Exit(USAGE)
