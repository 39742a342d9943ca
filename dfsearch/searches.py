"""Searches: a store in, a finished run out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.errors import UserError
from dfsearch.arguments import StrPath, to_path
from dfsearch.runs import Run
from search.config import run_config
from search.config.run_config import RunConfig
from search.studies.server import permit_server

if TYPE_CHECKING:
    from search.workers.progress import RunProgress

__all__ = ["RunConfig", "search"]


def search(
    store: StrPath | RunConfig,
    run_dir: StrPath | None = None,
    *,
    preset: str | None = None,
    extend: bool = False,
    progress: RunProgress | None = None,
    **settings: Any,
) -> Run:
    """Search architectures, GAN and training; refit and test the best detector, and export it.

    Trials run in worker processes. A script that calls this function needs no
    ``if __name__ == "__main__"``. To resume an interrupted run, repeat the call. A finished run is
    returned as it is.

    Args:
        store: HDF5 file, folder of shards, TOML configuration, or a :class:`RunConfig`.
        run_dir: Folder of the run; with a configuration, that of the configuration by default.
        preset: Defaults of all settings: ``quick``, ``standard`` or ``thorough``.
        extend: Continue a finished run with the trials that it lacks: after ``trials`` of a stage
            was raised, or with more ``minutes``. The result is refitted, tested and exported anew.
        progress: Receives stages and trials; by default they go to the logger ``dfsearch``.
        **settings: Settings of ``config.toml`` by their names there, such as ``seed=1``,
            ``workers=2`` or ``architecture={"trials": 20}``.

    Returns:
        The finished run.

    Raises:
        DfsearchError: A setting is wrong, the store cannot be used, the folder holds another run,
            or no trial completed.
        KeyboardInterrupt: Raised again after the workers have ended.

    Example:
        >>> import dfsearch
        >>> run = dfsearch.search("ffpp.h5", "runs/ffpp")  # resumes; this run is finished
        >>> run.is_finished
        True
    """
    from search.run import run as run_stages
    from search.workers.progress import LogProgress

    if isinstance(store, RunConfig):
        if run_dir is not None or preset is not None or settings:
            raise UserError("a RunConfig holds every setting; pass it alone")
        config = store
        for path in (config.store, config.run_dir):
            to_path(path)
    else:
        given = settings if preset is None else settings | {"preset": preset}
        config = configure(store, run_dir, given)
    return Run(run_stages(config, progress or LogProgress(), extend=extend).root)


def configure(
    store: StrPath, run_dir: StrPath | None = None, settings: Mapping[str, Any] | None = None
) -> RunConfig:
    """Return the configuration that :func:`search` runs with the same arguments.

    A run directory that exists keeps its settings unless a preset is given. A storage in the
    settings, rather than in a file, permits connections to its server.

    Raises:
        UserError: A setting is unknown or out of range, or no run directory is named.
    """
    folder = None if run_dir is None else to_path(run_dir)
    config = _configure(to_path(store), folder, dict(settings or {}))
    if settings and settings.get("storage"):
        permit_server(config.storage)
    return config


def _configure(store: Path, folder: Path | None, given: dict[str, Any]) -> RunConfig:
    if store.suffix == ".toml":
        return run_config.load(store, given if folder is None else given | {"run_dir": folder})
    if folder is None:
        raise UserError(f"name a run directory after {store}, such as runs/{store.stem}")
    paths = {"store": store, "run_dir": folder}
    earlier = folder / "config.toml"
    # A resolved file names every value, so it would override all of a preset.
    if earlier.is_file() and "preset" not in given:
        return run_config.load(earlier, given | paths)
    return run_config.resolve(given | paths)
