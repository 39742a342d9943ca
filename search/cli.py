"""The command line: thin calls into documented functions. Imports what a command needs, late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data_prep.errors import UserError
from search import cli_data, cli_store  # noqa: F401
from search.cli_common import USAGE, Json, RunDir, app, listed, print_json, reported, say

if TYPE_CHECKING:
    from artifacts.records import TrialRecord
    from artifacts.run_directory import RunDirectory
    from search.config import RunConfig


def main() -> None:
    """Entry point of ``dfsearch``."""
    app()


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
    from search.console import run_progress
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
        from search.joining import work as join

        done = join(RunDirectory(run_dir), say, store=store, device=device)
        print(f"{run_dir} is finished; this worker ran {done} of its trials")


def _run_config(store: Path, run_dir: Path | None, flags: dict[str, Any]) -> RunConfig:
    """The configuration the arguments of ``run`` describe."""
    from search import config as configuration

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


@app.command(
    epilog="Examples: dfsearch leaderboard runs/demo; dfsearch leaderboard runs/demo --trial "
    "architecture/1; dfsearch leaderboard runs/demo --json | jq '.[0]'"
)
def leaderboard(
    run_dir: RunDir,
    trial: Annotated[
        str | None, typer.Option(metavar="STAGE/NUMBER", help="Show one trial in full.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every trial, best first; also while a run is going on."""
    with reported():
        from artifacts import leaderboard as board
        from artifacts.ensemble_record import ensemble_rows
        from artifacts.records import ranked
        from artifacts.run_directory import RunDirectory
        from search import studies
        from search.console import tables

        directory = RunDirectory(run_dir).open()
        records = ranked(studies.trials(directory.journal), ensemble_rows(directory))
        if trial is not None:
            records = [board.find(records, trial)]
        if as_json:
            print_json(board.rows(records))
        elif trial is not None:
            tables().print(board.to_sheet(records[0], _history(directory, records[0])))
        else:
            tables().print(board.to_table(records, str(run_dir)))


def _history(directory: RunDirectory, record: TrialRecord) -> str:
    """The epochs of a trial as CSV; empty where it has not finished one."""
    path = directory.trial(record.stage, record.trial) / "history.csv"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@app.command(
    epilog="Examples: dfsearch evaluate runs/ffpp; dfsearch evaluate runs/ffpp celebdf.h5 "
    "--split all"
)
def evaluate(
    run_dir: RunDir,
    store: Annotated[
        Path | None,
        typer.Argument(metavar="[STORE.h5]", help="Another data set; default the run's own."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average every clip with its mirror image.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the metrics of a run on its test split, or on another store."""
    with reported():
        from artifacts.certificate import Certificate
        from artifacts.run_directory import RunDirectory
        from search.summaries import print_evaluation

        directory = RunDirectory(run_dir).open()
        if split not in ("train", "val", "test", "all"):
            raise UserError(f"--split must be train, val, test or all, not {split}")
        if store is None and split == "test" and not mirror:
            certificate = Certificate.read(directory)
            if certificate.test is None:
                raise UserError(f"{run_dir}: its store has no test split with both labels")
            result = certificate.test.to_json() | {"synthetic": certificate.synthetic}
        else:
            result = _evaluate_on(directory, store, split, mirror)
        if as_json:
            print_json(result)
        else:
            print_evaluation(result, run_dir)


def _evaluate_on(
    directory: RunDirectory, store: Path | None, split: str, mirror: bool
) -> dict[str, Any]:
    from artifacts import quiet

    quiet.import_tensorflow()
    from artifacts.scoring import differing_preparation, evaluate_on
    from data_prep.store import Store
    from search import config as configuration

    with Store(store or configuration.load(directory.config).store) as opened:
        own = opened.fingerprint == directory.read_fingerprint()
        if store is None and not own:
            raise UserError(f"{opened.path} is no longer the store {directory.root} was made on")
        if own and split != "test":
            say(f"note: the {split} split of this store was seen when the model was made")
        for difference in differing_preparation(directory, opened):
            say(f"note: this store was prepared otherwise than the model expects: {difference}")
        result = evaluate_on(directory, opened, split, mirror=mirror).to_json()
        return result | {"synthetic": opened.is_synthetic}


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


@app.command(epilog="Example: dfsearch demo runs/demo")
def demo(
    run_dir: Annotated[Path, typer.Argument(metavar="[RUN_DIR]", help="Folder of the run.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of data and search.")] = 0,
) -> None:
    """Try everything on SYNTHETIC data: make it, prepare, search, evaluate, predict."""
    with reported("the same command goes on where it was"):
        from search.demo import run_demo

        run_demo(run_dir, seed)


if __name__ == "__main__":
    main()
