"""The command line: thin calls into documented functions. Imports what a command needs, late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_prep.errors import UserError
from search.cli.app import RunDir, app, listed, reported, say

if TYPE_CHECKING:
    from search.config.run_config import RunConfig


@app.command(
    epilog="Examples: dfsearch run ffpp.h5 runs/ffpp --preset quick; dfsearch run config.toml; "
    "dfsearch run runs/ffpp/config.toml goes on with a run that was stopped; dfsearch run ffpp.h5 "
    "runs/vgg --backbones vgg16 --weights hed"
)
def run(
    store: Annotated[
        Path, typer.Argument(metavar="STORE.h5|CONFIG.toml", help="Store, or a configuration.")
    ],
    run_dir: Annotated[
        Path | None, typer.Argument(metavar="[RUN_DIR]", help="Folder of the run.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="quick, standard (default) or thorough.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the whole run.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trials at a time.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Of pretrained backbones: imagenet, hed (vgg16), none, file or folder."),
    ] = None,
    backbones: Annotated[
        str | None,
        typer.Option(help="Networks of the spatial stream, as small_cnn,vgg16; comma-separated."),
    ] = None,
    streams: Annotated[
        str | None, typer.Option(help="Streams the search may use; comma-separated.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Database of the studies, postgresql://USER@HOST/DATABASE."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers run trials, tcp://HOST:8786.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Of the workers: any, cpu or gpu:N.")] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="What validation steers by: auc, leave-one-method-out, auc+size, ..."),
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(metavar="RUN_DIR", help="Try the best trials of an earlier run first."),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(help="Average up to so many models where that validates better; 0: never."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Begin no trial after so many; the finish follows.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="End a stage after so many trials without a better one.")
    ] = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option("--tensorboard/--no-tensorboard", help="Write RUN_DIR/tensorboard."),
    ] = None,
) -> None:
    """Search architectures, GAN and training; refit, test once, export best_model.h5."""
    from search.cli.console import run_progress
    from search.run import run as run_search

    flags: dict[str, Any] = {"preset": preset, "seed": seed, "workers": workers}
    flags |= {"ensemble": ensemble, "minutes": minutes, "patience": patience}
    flags["tensorboard"] = tensorboard
    flags["objective"] = objective
    flags["warm_start"] = None if warm_start is None else str(warm_start)
    flags |= {"storage": storage, "cluster": cluster, "device": device}
    flags = {name: value for name, value in flags.items() if value is not None}
    space = {
        "weights": weights,
        "backbones": None if backbones is None else listed(backbones),
        "streams": None if streams is None else listed(streams),
    }
    flags["space"] = {name: value for name, value in space.items() if value is not None}
    with reported("the same command goes on where it was"):
        config = _run_config(store, run_dir, flags)
        with run_progress(config.run_dir) as progress:
            directory = run_search(config, progress)
    print(
        f"{directory.root}: best_model.h5, best_model.keras, best_model.png, best_model.json, "
        "leaderboard.csv\n"
        f"next: dfsearch leaderboard {directory.root}; dfsearch evaluate {directory.root}; "
        f"dfsearch predict {directory.root} VIDEO"
    )


@app.command(
    epilog="Examples: dfsearch work runs/ffpp; one a GPU: dfsearch work runs/ffpp --device gpu:1; "
    "where the store is elsewhere on this host: dfsearch work runs/ffpp --store /data/ffpp.h5"
)
def work(
    run_dir: RunDir,
    store: Annotated[
        Path | None, typer.Option(help="The store of the run, where it is on this host.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="any, cpu or gpu:N.")] = None,
) -> None:
    """Join a run as a worker, from any host that sees its folder; it ends with the run.

    Workers come and go as they like: Ctrl-C gives the trial at hand back.
    """
    with reported("the trial at hand is repeated by another worker"):
        from artifacts.run_directory import RunDirectory
        from search.workers.join import work as join

        done = join(RunDirectory(run_dir), say, store=store, device=device)
        print(f"{run_dir} is finished; this worker ran {done} of its trials")


def _run_config(store: Path, run_dir: Path | None, flags: dict[str, Any]) -> RunConfig:
    """The configuration the arguments of ``run`` describe."""
    from search.config import run_config as configuration

    if store.suffix == ".toml":
        return configuration.load(store, flags | ({"run_dir": run_dir} if run_dir else {}))
    if run_dir is None:
        raise UserError(f"name a run directory: dfsearch run {store} RUN_DIR")
    begun = run_dir / "config.toml"
    places = {"store": store, "run_dir": run_dir}
    # A resolved file names every value: a preset asked for anew must not be read over by it.
    if begun.is_file() and "preset" not in flags:
        return configuration.load(begun, flags | places)
    return configuration.resolve(flags | places)


@app.command(epilog="Example: dfsearch demo runs/demo")
def demo(
    run_dir: Annotated[Path, typer.Argument(metavar="[RUN_DIR]", help="Folder of the run.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of data and search.")] = 0,
) -> None:
    """Try everything on SYNTHETIC data: make it, prepare, search, evaluate, predict."""
    with reported("the same command goes on where it was"):
        from search.cli.demo import run_demo

        run_demo(run_dir, seed)
