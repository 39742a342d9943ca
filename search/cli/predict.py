"""``dfsearch predict``: a finished run on videos nobody has labelled."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.app import USAGE, RunDir, app, reported, say

if TYPE_CHECKING:
    from artifacts.prediction.predict import Verdict

# Of so many files and more it is told how far one is, every so many seconds.
_MANY, _EVERY = 4, 5.0


@app.command(
    epilog="Examples: dfsearch predict runs/demo a.mp4 b.mp4 --json; dfsearch predict runs/demo "
    "'clips/**/*.mov'; dfsearch predict runs/demo a.mp4 --annotate seen.mp4"
)
def predict(
    run_dir: RunDir,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Videos, pictures, folders of them, or patterns such as 'clips/**/*.mp4'.",
        ),
    ],
    error_rate: Annotated[
        float,
        typer.Option(
            help="Share of real videos that may be called fake, and of fake ones that may be "
            "called real; what would be wrong more often is undecided."
        ),
    ] = 0.1,
    windows: Annotated[
        int, typer.Option(help="Clips dealt out to each stretch of a video and averaged.")
    ] = 1,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write the video with boxes, running score, heat map and its sound: OUT.mp4, or "
            "a folder for several.",
        ),
    ] = None,
    heat: Annotated[
        bool, typer.Option(help="Draw where the model looked, with --annotate.")
    ] = True,
    detector_model: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Model file, for yunet, where it has been moved."),
    ] = None,
    untrusted: Annotated[
        bool,
        typer.Option(
            "--untrusted", help="Take a model file that is not the one of the certificate."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, as each is ready.")
    ] = False,
) -> None:
    """Judge raw videos: find the faces, score each over time, give one verdict a video.

    A video is fake where any of its faces is, else undecided where any is, else real. The exit
    code is 2 if a video could not be judged.
    """
    with reported():
        from artifacts import quiet
        from artifacts.prediction.sources import find_sources
        from artifacts.run_directory import RunDirectory
        from data_prep.errors import UserError

        run = RunDirectory(run_dir).open()
        files = find_sources(map(Path, paths))
        outputs = _outputs(annotate, files)
        quiet.import_tensorflow()
        from artifacts.prediction import predict as predictor

        judge = predictor.Predictor(
            run,
            windows=windows,
            error_rate=error_rate,
            detector_model=detector_model,
            looking=annotate is not None and heat,
            untrusted=untrusted,
        )
        if judge.remark:
            say(f"note: {judge.remark}")
        failed = False
        for path in _counted(files):
            judged = judge.judge(path)
            answer = judged.answer
            if as_json:
                print(json.dumps(answer.to_json(), allow_nan=False), flush=True)
            elif isinstance(answer, predictor.NoVerdict):
                print(f"{answer.path}: no verdict: {answer.error}", flush=True)
            else:
                print("\n".join(_lines(answer)), flush=True)
            failed = failed or isinstance(answer, predictor.NoVerdict)
            if path in outputs and judged.watched is not None:
                from artifacts.prediction.annotate import annotate as draw

                try:
                    remarks = draw(path, outputs[path], judged, judge.preparation, judge.decide)
                    for remark in remarks:
                        say(f"note: {outputs[path]}: {remark}")
                except UserError as error:
                    say(f"error: {error}")
                    failed = True
        if failed:
            raise typer.Exit(USAGE)


def _outputs(annotate: Path | None, files: list[Path]) -> dict[Path, Path]:
    """Where the annotated video of each file goes, if anybody wants it."""
    if annotate is None:
        return {}
    from artifacts.prediction.sources import name_outputs

    return name_outputs(annotate, files)


def _counted(files: list[Path]) -> Iterator[Path]:
    """The files, and of many how many are done and how long the rest will take."""
    started = told = time.monotonic()
    for done, path in enumerate(files, start=1):
        yield path
        now = time.monotonic()
        if len(files) >= _MANY and (now - told >= _EVERY or done == len(files)):
            told = now
            left = round((now - started) / done * (len(files) - done))
            say(f"{done} of {len(files)} judged, about {datetime.timedelta(seconds=left)} left")


def _lines(verdict: Verdict) -> Iterator[str]:
    """What a person is told of a video: one line, and more of its faces where there is more."""
    band = verdict.band
    between = ""
    if band is not None:
        low, high = sorted((band.fake_from, band.real_up_to))
        between = f", undecided from {low:.3f} to {high:.3f}"
    yield (
        f"{verdict.path}: {verdict.label}, fake probability {verdict.probability:.3f} "
        f"(threshold {verdict.threshold:.3f}{between}), face in {verdict.coverage:.0%} of "
        f"sampled frames, {verdict.seconds:.1f} s"
    )
    for face in verdict.faces:
        if len(verdict.faces) > 1:
            answer = face.reason
            if face.probability is not None:
                answer = f"{face.label}, fake probability {face.probability:.3f}"
            yield f"  face {face.number}, {face.start:.1f} to {face.end:.1f} s: {answer}"
        if face.segments and len(face.timeline) > 1:
            stretches = [f"{one.start:.1f} to {one.end:.1f}" for one in face.segments]
            yield f"  face {face.number} looks fake from {', '.join(stretches)} s"
