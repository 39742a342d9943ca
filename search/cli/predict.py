"""``dfsearch predict``: verdicts of a finished run on unlabelled videos."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_prep.text import enumerate_first
from search.cli.app import (
    USAGE,
    RunDir,
    Untrusted,
    app,
    limited_inference,
    report_errors,
    say,
    write_lines,
)

if TYPE_CHECKING:
    from dfsearch import NoVerdict, Verdict

# With this number of files and more, progress is printed at this interval in seconds.
_MANY, _EVERY = 4, 5.0


@app.command(
    epilog="Examples: dfsearch predict runs/demo a.mp4 b.mp4 --json; dfsearch predict runs/demo "
    "'clips/**/*.mov'; dfsearch predict runs/demo a.mp4 --annotate annotated.mp4"
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
            help="Share of real videos that may be called fake, and of fake videos that may be "
            "called real. Less certain videos are undecided."
        ),
    ] = 0.1,
    windows: Annotated[
        int, typer.Option(help="Clips over each stretch of a video whose logits are averaged.")
    ] = 1,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write the video with boxes, running score, heat map and its sound: OUT.mp4, or "
            "a folder for several videos.",
        ),
    ] = None,
    heat: Annotated[
        bool, typer.Option(help="Draw heat maps of the evidence, with --annotate.")
    ] = True,
    detector_model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Model file of yunet, if it has moved.")
    ] = None,
    untrusted: Untrusted = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON for each video, as it is ready.")
    ] = False,
) -> None:
    """Judge raw videos: find the faces, score each over time, give one verdict per video.

    A video is fake if any of its faces is fake, else undecided if any is undecided, else real. The
    exit code is 2 if a video cannot be judged.
    """
    with report_errors(), limited_inference():
        import dfsearch
        from artifacts.prediction.sources import find_sources

        run = dfsearch.Run(run_dir)
        files = find_sources(map(Path, paths))
        outputs = _outputs(annotate, files)
        detector = run.detector(
            error_rate=error_rate,
            windows=windows,
            heat_maps=annotate is not None and heat,
            detector_model=detector_model,
            untrusted=untrusted,
        )
        if detector.note:
            say(f"note: {detector.note}")
        failed = False
        for path in _counted(files):
            judged = detector.examine(path)
            answer = judged.answer
            if as_json:
                write_lines(json.dumps(answer.to_json(), allow_nan=False))
            else:
                write_lines(*_lines(answer))
            failed = failed or isinstance(answer, dfsearch.NoVerdict)
            if path in outputs and judged.watched is not None:
                try:
                    for note in detector.annotate(path, outputs[path], judged=judged):
                        say(f"note: {outputs[path]}: {note}")
                except dfsearch.DfsearchError as error:
                    say(f"error: {error.command_line}")
                    failed = True
        if failed:
            raise typer.Exit(USAGE)


def _outputs(annotate: Path | None, files: list[Path]) -> dict[Path, Path]:
    """Return the path of each annotated video."""
    if annotate is None:
        return {}
    from artifacts.prediction.sources import name_outputs

    return name_outputs(annotate, files)


def _counted(files: list[Path]) -> Iterator[Path]:
    """Yield the files; of many, print the number judged and the time left."""
    started = printed = time.monotonic()
    for done, path in enumerate(files, start=1):
        yield path
        now = time.monotonic()
        if len(files) >= _MANY and (now - printed >= _EVERY or done == len(files)):
            printed = now
            left = round((now - started) / done * (len(files) - done))
            say(f"{done} of {len(files)} judged, about {datetime.timedelta(seconds=left)} left")


def _lines(answer: Verdict | NoVerdict) -> Iterator[str]:
    """Yield the line on a video, and lines on its faces where they add something."""
    import dfsearch

    if isinstance(answer, dfsearch.NoVerdict):
        yield f"{answer.path}: no verdict: {answer.error}"
        return
    undecided = ""
    if answer.band is not None:
        low, high = sorted((answer.band.fake_from, answer.band.real_up_to))
        undecided = f", undecided from {low:.3f} to {high:.3f}"
    yield (
        f"{answer.path}: {answer.label}, fake probability {answer.probability:.3f} "
        f"(threshold {answer.threshold:.3f}{undecided}), face in {answer.coverage:.0%} of "
        f"sampled frames, {answer.seconds:.1f} s"
    )
    for face in answer.faces:
        if len(answer.faces) > 1:
            text = face.reason
            if face.probability is not None:
                text = f"{face.label}, fake probability {face.probability:.3f}"
            yield f"  face {face.number}, {face.start:.1f} to {face.end:.1f} s: {text}"
        if face.segments and len(face.timeline) > 1:
            stretches = [f"{one.start:.1f} to {one.end:.1f}" for one in face.segments]
            yield f"  face {face.number} looks fake from {enumerate_first(stretches)} s"
