"""The commands that make data: synthesize and prepare."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import Jobs, Json, app, listed, print_json, reported


@app.command(
    epilog="Example: dfsearch synthesize data/synthetic --identities 60 --cues spatial,noise"
)
def synthesize(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    identities: Annotated[int, typer.Option(help="People; even, at least 4.")] = 40,
    frames: Annotated[int, typer.Option(help="Frames a clip, 25 a second.")] = 32,
    size: Annotated[int, typer.Option(help="Side of a frame in pixels.")] = 256,
    cues: Annotated[
        str,
        typer.Option(
            help="Marks the fakes carry, of spatial, temporal, micro, noise; comma-separated, "
            "'all' or 'none'."
        ),
    ] = "all",
    per_cue: Annotated[
        bool, typer.Option("--per-cue", help="One manipulation method a cue, each with it alone.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same frames.")] = 0,
    jobs: Jobs = -1,
    as_json: Json = False,
) -> None:
    """Make a labelled SYNTHETIC data set from nothing, in the FaceForensics++ layout."""
    from data_prep.synthetic.swap import CUES
    from data_prep.synthetic.synthesize import synthesize as make
    from search.cli.console import bars

    chosen = {"all": CUES, "none": ()}.get(cues, listed(cues))
    with reported("the same command goes on where it was"), bars("synthesizing") as [progress]:
        made = make(
            out,
            identities=identities,
            frames=frames,
            size=size,
            seed=seed,
            cues=chosen,
            per_cue=per_cue,
            jobs=jobs,
            progress=progress,
        )
    if as_json:
        print_json(
            {
                "synthetic": True,
                "path": str(made.root),
                "reals": made.reals,
                "fakes": made.fakes,
                "cues": list(made.cues),
                "seed": made.seed,
                "seconds": round(made.seconds, 2),
            }
        )
    else:
        print(
            f"{made.root}: SYNTHETIC set of {made.reals} real and {made.fakes} fake clips "
            f"(cues: {', '.join(made.cues) or 'none'}) in {made.seconds:.0f} s"
        )


@app.command(
    epilog="Examples: dfsearch prepare FaceForensics++ ffpp.h5; dfsearch prepare my_videos my.h5 "
    "--frames 32 --size 160, where my_videos has the folders real and fake; dfsearch prepare "
    "DFDC dfdc --shard-clips 10000 --cluster tcp://10.0.0.1:8786"
)
def prepare(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of labelled videos or pictures.")
    ],
    store: Annotated[
        Path,
        typer.Argument(metavar="STORE.h5", help="Store to write, a folder with shards."),
    ],
    frames: Annotated[
        int, typer.Option(help="Evenly spaced frames a clip; of pictures always 1.")
    ] = 16,
    size: Annotated[int, typer.Option(help="Side of the face crop in pixels.")] = 128,
    margin: Annotated[float, typer.Option(help="Crop side, in sides of the face box.")] = 1.3,
    align: Annotated[
        str, typer.Option(help="box: a square around the face; points: turned by its landmarks.")
    ] = "box",
    faces: Annotated[
        str, typer.Option(help="main: the person talking; all: a clip of every face.")
    ] = "main",
    paired_crops: Annotated[
        bool,
        typer.Option(
            help="Crop a fake with its original's face track where both are there and their "
            "frames correspond."
        ),
    ] = True,
    modalities: Annotated[
        str, typer.Option(help="Kept beside the frames: flow, audio; comma-separated.")
    ] = "",
    detector: Annotated[
        str, typer.Option(help="centerface, mtcnn, yunet, or one that a package adds.")
    ] = "centerface",
    detector_model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Model file, for yunet.")
    ] = None,
    detect_every: Annotated[
        int, typer.Option(help="Look for faces in every so many frames, and where they move.")
    ] = 4,
    min_coverage: Annotated[
        float, typer.Option(help="Quarantine a video whose face is found in fewer of its frames.")
    ] = 0.5,
    layout: Annotated[
        str, typer.Option(help="Layout of SOURCE as docs/data.md names it; auto recognises it.")
    ] = "auto",
    label: Annotated[
        str | None, typer.Option(help="real or fake: SOURCE is of this kind alone.")
    ] = None,
    split_policy: Annotated[
        str,
        typer.Option(
            help="auto (official lists that divide no person, else by identity), official, "
            "identity, leave-one-method-out, or test (all in test, only to evaluate on)."
        ),
    ] = "auto",
    held_out: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="What leave-one-method-out keeps for test."),
    ] = None,
    allow_overlap: Annotated[
        bool,
        typer.Option("--allow-overlap", help="Keep official lists that divide people; recorded."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the split, where there is no official one.")] = 0,
    jobs: Jobs = -1,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler to work on instead of --jobs."),
    ] = None,
    clip_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Give a video up after this time.")
    ] = 600.0,
    shard_clips: Annotated[
        int | None, typer.Option(help="Write a folder of files with at most so many clips each.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the store.")] = False,
    as_json: Json = False,
) -> None:
    """Find the faces in a folder of videos and write them into one store."""
    from data_prep.preparation.clip import Preparation
    from data_prep.preparation.prepare import Execution, PreparationProgress
    from data_prep.preparation.prepare import prepare as run_preparation
    from data_prep.splits.splits import SplitRequest
    from search.cli.console import bars
    from search.cli.tables.preparation import print_preparation

    with (
        reported("the same command goes on where it was"),
        bars("preparing", "writing") as [progress, writing],
    ):
        preparation = Preparation(
            frames=frames,
            size=size,
            margin=margin,
            align=align,
            faces=faces,
            detector=detector,
            detector_model=None if detector_model is None else str(detector_model.absolute()),
            detect_every=detect_every,
            min_coverage=min_coverage,
            modalities=listed(modalities),
        )
        summary = run_preparation(
            source,
            store,
            preparation,
            layout=layout,
            label=_label(label),
            paired_crops=paired_crops,
            split=SplitRequest(split_policy, seed, held_out, allow_overlap),
            execution=Execution(jobs, cluster, clip_timeout),
            shard_clips=shard_clips,
            overwrite=overwrite,
            progress=PreparationProgress(progress, writing),
        )
    if as_json:
        print_json(
            {
                "store": str(summary.store),
                "videos": summary.videos,
                "clips": summary.clips,
                "coverage": summary.coverage,
                "seconds": round(summary.seconds, 2),
                "quarantined": [dataclasses.asdict(entry) for entry in summary.quarantined],
                "layout": summary.layout,
                "split_policy": summary.split_policy,
                "split_note": summary.split_note,
                "overlap": summary.overlap,
                "paired": summary.paired,
                "guided": summary.guided,
                "silent": summary.silent,
                "fingerprint": summary.fingerprint,
            }
        )
    else:
        print_preparation(summary)


def _label(name: str | None) -> int | None:
    if name is None:
        return None
    from data_prep.store.format import FAKE, REAL

    labels = {"real": REAL, "fake": FAKE}
    if name not in labels:
        raise UserError(f"--label must be real or fake; received {name!r}")
    return labels[name]
