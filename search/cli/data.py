"""``dfsearch synthesize``, ``prepare`` and ``merge``: data sets and stores."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from data_prep.errors import UserError
from search.cli.app import (
    RESUME,
    Jobs,
    Json,
    app,
    print_json,
    report_errors,
    split_list,
    write_lines,
)


@app.command(
    epilog="Example: dfsearch synthesize data/synthetic --identities 60 --cues spatial,noise"
)
def synthesize(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    identities: Annotated[int, typer.Option(help="People: an even number, at least 4.")] = 40,
    frames: Annotated[int, typer.Option(help="Frames of a video, at 25 a second.")] = 32,
    size: Annotated[int, typer.Option(help="Side of a frame in pixels.")] = 256,
    cues: Annotated[
        str,
        typer.Option(
            help="Marks of the fakes, comma-separated: spatial, temporal, micro, noise; 'all' or "
            "'none'."
        ),
    ] = "all",
    per_cue: Annotated[
        bool, typer.Option("--per-cue", help="Make one manipulation method for each cue.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same frames.")] = 0,
    jobs: Jobs = -1,
    as_json: Json = False,
) -> None:
    """Make a labelled SYNTHETIC data set in the folders of FaceForensics++."""
    import dfsearch
    from search.cli.console import work_bars

    chosen = cues if cues in ("all", "none") else split_list(cues)
    with report_errors(RESUME), work_bars("synthesizing") as progress:
        made = dfsearch.synthesize(
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
        write_lines(
            f"{made.root}: SYNTHETIC set of {made.reals} real and {made.fakes} fake videos "
            f"(cues: {', '.join(made.cues) or 'none'}) in {made.seconds:.0f} s",
            f"next: dfsearch prepare {made.root} STORE.h5",
        )


@app.command(
    epilog="Examples: dfsearch prepare FaceForensics++ ffpp.h5; dfsearch prepare my_videos my.h5 "
    "--frames 32 --size 160, where my_videos has the folders real and fake; dfsearch prepare "
    "FaceForensics++ Celeb-DF-v2 my_videos all.h5; dfsearch prepare sources.toml all.h5; dfsearch "
    "prepare --add new_videos all.h5; dfsearch prepare "
    "DFDC dfdc --shard-clips 10000 --cluster tcp://10.0.0.1:8786"
)
def prepare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE... STORE.h5",
            help="Folders of labelled videos or pictures, or a TOML file that lists them; last, "
            "the store to write: a file, or a folder with --shard-clips.",
        ),
    ],
    frames: Annotated[
        int, typer.Option(help="Evenly spaced frames of a clip; always 1 for pictures.")
    ] = 16,
    size: Annotated[int, typer.Option(help="Side of the face crop in pixels.")] = 256,
    margin: Annotated[
        float, typer.Option(help="Side of the crop, as a multiple of the face box.")
    ] = 1.5,
    align: Annotated[
        str, typer.Option(help="box: an upright square; points: turned by the landmarks.")
    ] = "box",
    faces: Annotated[
        str, typer.Option(help="main: the person talking; all: a clip of every face.")
    ] = "main",
    paired_crops: Annotated[
        bool,
        typer.Option(
            help="Crop a fake with the face track of its original, if both have the same frames."
        ),
    ] = True,
    modalities: Annotated[
        str,
        typer.Option(
            help="Stored beside the frames, comma-separated: flow, audio, mask, landmarks468."
        ),
    ] = "",
    detector: Annotated[
        str, typer.Option(help="centerface, mtcnn, yunet, or the name of an installed plug-in.")
    ] = "centerface",
    detector_model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Model file of yunet.")
    ] = None,
    detect_every: Annotated[
        int,
        typer.Option(help="Search faces in every n-th frame, and in between where they move."),
    ] = 4,
    min_coverage: Annotated[
        float, typer.Option(help="Quarantine a video with a face in a smaller share of its frames.")
    ] = 0.5,
    layout: Annotated[
        str, typer.Option(help="Layout of SOURCE by its name in docs/data.md; auto recognises it.")
    ] = "auto",
    label: Annotated[
        str | None, typer.Option(help="real or fake, if all of SOURCE has this label.")
    ] = None,
    split_policy: Annotated[
        str,
        typer.Option(
            help="auto (official lists if they separate all people, else identity), official, "
            "identity, leave-one-method-out, or test (everything in the test split)."
        ),
    ] = "auto",
    held_out: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="Test method of leave-one-method-out."),
    ] = None,
    allow_overlap: Annotated[
        bool,
        typer.Option(
            "--allow-overlap",
            help="Accept official lists with one person in two splits; the store records it.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the split without official lists.")] = 0,
    jobs: Jobs = -1,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead of --jobs."),
    ] = None,
    clip_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Quarantine a video after this time.")
    ] = 600.0,
    shard_clips: Annotated[
        int | None, typer.Option(help="Write a folder of files with at most N clips each.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing store.")
    ] = False,
    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Add the sources to an existing store, whose clips keep their splits; only new "
            "videos are prepared.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the faces in folders of videos and write their clips to one store."""
    import dfsearch
    from search.cli.console import work_bars
    from search.cli.tables.preparation import print_preparation

    with report_errors(RESUME), work_bars("preparing", "writing") as progress:
        *sources, store = paths
        if not sources:
            raise UserError(f"name the store to write too: dfsearch prepare {store} STORE.h5")
        summary = dfsearch.prepare(
            sources,
            store,
            frames=frames,
            size=size,
            margin=margin,
            align=align,
            faces=faces,
            paired_crops=paired_crops,
            modalities=split_list(modalities),
            detector=detector,
            detector_model=detector_model,
            detect_every=detect_every,
            min_coverage=min_coverage,
            layout=layout,
            label=label,
            split_policy=split_policy,
            held_out=held_out,
            allow_overlap=allow_overlap,
            seed=seed,
            jobs=jobs,
            cluster=cluster,
            clip_timeout=clip_timeout,
            shard_clips=shard_clips,
            overwrite=overwrite,
            add=add,
            progress=progress,
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
                "copies": [
                    {"paths": list(map(str, group.paths)), "contradictory": group.contradictory}
                    for group in summary.copies
                ],
                "fingerprint": summary.fingerprint,
            }
        )
    else:
        print_preparation(summary)


@app.command(epilog="Example: dfsearch merge ffpp.h5 celebdf.h5 both.h5")
def merge(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="STORE STORE... OUT.h5", help="Stores, and last the one to write."),
    ],
    shard_clips: Annotated[
        int | None, typer.Option(help="Write a folder of files with at most N clips each.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing store.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Join stores of the same settings in one; their clips keep their splits."""
    import dfsearch

    with report_errors():
        *stores, out = paths
        merged = dfsearch.merge(stores, out, shard_clips=shard_clips, overwrite=overwrite)
    if as_json:
        print_json(dataclasses.asdict(merged) | {"store": str(merged.store)})
    else:
        write_lines(
            f"{merged.store}: {merged.clips} clips of {merged.people} identity groups from "
            f"{merged.stores} stores\nnext: dfsearch audit {merged.store}"
        )
