"""``dfsearch run``, ``work`` and ``demo``: searches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli.app import RESUME, RunDir, app, report_errors, split_list, write_lines


@app.command(
    epilog="Examples: dfsearch run ffpp.h5 runs/ffpp --preset quick; dfsearch run config.toml; "
    "to resume a run: dfsearch run runs/ffpp/config.toml; dfsearch run ffpp.h5 runs/vgg "
    "--backbones vgg16 --weights hed"
)
def run(
    store: Annotated[
        Path, typer.Argument(metavar="STORE.h5|CONFIG.toml", help="Store, or a configuration.")
    ],
    run_dir: Annotated[
        Path | None, typer.Argument(metavar="RUN_DIR", help="Folder of the run.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="quick, standard (default) or thorough.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the whole run.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trials that run at the same time.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weights of pretrained backbones: imagenet, hed (vgg16 only), none, a file or a "
            "folder."
        ),
    ] = None,
    backbones: Annotated[
        str | None,
        typer.Option(help="Networks of the spatial stream, comma-separated: small_cnn,vgg16."),
    ] = None,
    streams: Annotated[
        str | None, typer.Option(help="Streams that the search may use, comma-separated.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Database of the studies, postgresql://USER@HOST/DATABASE."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers run trials, tcp://HOST:8786.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device of the workers: any, cpu or gpu:N.")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="Objective on validation: auc, leave-one-method-out, auc+size, ..."),
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(metavar="RUN_DIR", help="Try the best trials of an earlier run first."),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(help="Average up to N models if that validates better; 0 for none."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Start no trial after this time; the finish follows.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="End a stage after N trials without a better one.")
    ] = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option("--tensorboard/--no-tensorboard", help="Write RUN_DIR/tensorboard."),
    ] = None,
    extend: Annotated[
        bool,
        typer.Option(
            "--extend",
            help="Continue a finished run: after trials was raised in its config.toml, or with "
            "more --minutes.",
        ),
    ] = False,
) -> None:
    """Search architectures, GAN and training; refit, test once, export best_model.h5."""
    import dfsearch
    from dfsearch.searches import configure
    from search.cli.console import run_progress

    settings = _given(
        preset=preset,
        seed=seed,
        workers=workers,
        storage=storage,
        cluster=cluster,
        device=device,
        objective=objective,
        warm_start=None if warm_start is None else str(warm_start),
        ensemble=ensemble,
        minutes=minutes,
        patience=patience,
        tensorboard=tensorboard,
        space=_given(
            weights=weights,
            backbones=None if backbones is None else split_list(backbones),
            streams=None if streams is None else split_list(streams),
        ),
    )
    with report_errors(RESUME):
        config = configure(store, run_dir, settings)
        with run_progress(config.run_dir) as progress:
            finished = dfsearch.search(config, extend=extend, progress=progress)
    write_lines(
        f"{finished.path}: best_model.h5, best_model.keras, best_model.png, best_model.json, "
        "leaderboard.csv",
        f"next: dfsearch leaderboard {finished.path}; dfsearch evaluate {finished.path}; "
        f"dfsearch predict {finished.path} VIDEO",
    )


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


@app.command(
    epilog="Examples: dfsearch work runs/ffpp; one worker for each GPU: dfsearch work runs/ffpp "
    "--device gpu:1; where the store has another path: dfsearch work runs/ffpp --store "
    "/data/ffpp.h5"
)
def work(
    run_dir: RunDir,
    store: Annotated[Path | None, typer.Option(help="Store of the run on this host.")] = None,
    device: Annotated[str | None, typer.Option(help="any, cpu or gpu:N.")] = None,
) -> None:
    """Join a run as a worker, from any host with access to its folder, until the run ends.

    Workers may join and leave at any time. Ctrl-C returns the current trial to the queue.
    """
    import dfsearch

    with report_errors("another worker repeats the current trial"):
        done = dfsearch.Run(run_dir).work(store=store, device=device)
        write_lines(f"{run_dir} is finished; this worker ran {done} of its trials")


@app.command(epilog="Example: dfsearch demo runs/demo")
def demo(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of data and search.")] = 0,
) -> None:
    """Try everything on SYNTHETIC data: make it, prepare, search, evaluate, predict."""
    with report_errors(RESUME):
        from search.cli.demo import run_demo

        run_demo(run_dir, seed)
