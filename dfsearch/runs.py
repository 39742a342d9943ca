"""Searches and their runs: leaderboard, evaluation, report, exports and verdicts."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artifacts.certificate import Certificate
from artifacts.evaluation.request import Assessment, Request, read_assessment
from artifacts.leaderboard import comparison
from artifacts.leaderboard.board import to_dicts
from artifacts.leaderboard.load import load
from artifacts.leaderboard.rows import FIELDS
from artifacts.leaderboard.selection import Condition, check_fields, select_rows
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Store
from dfsearch.stores import Progress, StrPath, _ignore
from search.config import run_config
from search.config.run_config import RunConfig
from search.studies.server import permit_server
from search.studies.study import read_trials

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from optuna.trial import FrozenTrial

    from artifacts.leaderboard.load import Leaderboard
    from artifacts.models.export_check import Clips
    from artifacts.models.export_run import Exports
    from dfsearch.detectors import Detector, NoVerdict, Verdict
    from search.workers.progress import RunProgress

__all__ = ["Assessment", "Run", "RunConfig", "compare", "search"]

_log = logging.getLogger("dfsearch")
# Without a handler Python prints warnings on standard error.
_log.addHandler(logging.NullHandler())


def search(
    store: StrPath | RunConfig,
    run_dir: StrPath | None = None,
    *,
    preset: str | None = None,
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
    else:
        given = settings if preset is None else settings | {"preset": preset}
        config = configure(store, run_dir, given)
    return Run(run_stages(config, progress or LogProgress()).root)


def configure(
    store: StrPath, run_dir: StrPath | None = None, settings: Mapping[str, Any] | None = None
) -> RunConfig:
    """Return the configuration that :func:`search` runs with the same arguments.

    A run directory that exists keeps its settings unless a preset is given. A storage in the
    settings, rather than in a file, permits connections to its server.

    Raises:
        UserError: A setting is unknown or out of range, or no run directory is named.
    """
    config = _configure(Path(store), run_dir, dict(settings or {}))
    if settings and settings.get("storage"):
        permit_server(config.storage)
    return config


def _configure(store: Path, run_dir: StrPath | None, given: dict[str, Any]) -> RunConfig:
    if store.suffix == ".toml":
        return run_config.load(store, given | ({"run_dir": Path(run_dir)} if run_dir else {}))
    if run_dir is None:
        raise UserError(f"name a run directory: dfsearch run {store} RUN_DIR")
    paths = {"store": store, "run_dir": Path(run_dir)}
    earlier = Path(run_dir) / "config.toml"
    # A resolved file names every value, so it would override all of a preset.
    if earlier.is_file() and "preset" not in given:
        return run_config.load(earlier, given | paths)
    return run_config.resolve(given | paths)


class Run:
    """A run in its folder, finished or not.

    Args:
        path: Folder of the run.

    Attributes:
        path: Folder of the run.

    Raises:
        DfsearchError: The folder holds no run.

    Example:
        >>> import dfsearch
        >>> run = dfsearch.Run("runs/ffpp")
        >>> run
        Run('runs/ffpp')
        >>> run.certificate.input.shape
        (16, 128, 128, 4)
    """

    def __init__(self, path: StrPath) -> None:
        self._directory = RunDirectory(Path(path)).open()

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self._directory.root

    @property
    def config(self) -> RunConfig:
        """Settings of the run.

        Raises:
            DfsearchError: ``config.toml`` is damaged.
        """
        return run_config.load(self._directory.config)

    @property
    def is_finished(self) -> bool:
        """Whether the run has exported a detector."""
        return self._directory.certificate.is_file()

    @property
    def certificate(self) -> Certificate:
        """Content of ``best_model.json``: input, threshold, origin and scores of the detector.

        Raises:
            DfsearchError: The run is not finished, or the file is damaged.
        """
        return Certificate.read(self._directory)

    def leaderboard(
        self,
        *,
        columns: Sequence[str] = (),
        where: Sequence[str] = (),
        sort: str = "",
        top: int | None = None,
        as_rows: bool = False,
    ) -> pd.DataFrame | list[dict[str, Any]]:
        """Return every trial, best first, beside baselines without training.

        Args:
            columns: Names of the columns; all by default.
            where: Conditions such as ``"state=complete"``, ``"val_auc>0.8"`` or
                ``"what~bilstm"``; a row must meet all of them.
            sort: Column to sort by, best first; by rank by default.
            top: Greatest number of rows.
            as_rows: Return dictionaries even where pandas is installed.

        Returns:
            A pandas DataFrame, or a list of dictionaries without pandas. The notes on the table
            are in ``DataFrame.attrs["notes"]``.

        Raises:
            DfsearchError: A column or condition is unknown, or a file of the run is damaged.

        Example:
            >>> import dfsearch
            >>> run = dfsearch.Run("runs/ffpp")
            >>> rows = run.leaderboard(columns=["rank", "stage", "trial"], top=1, as_rows=True)
            >>> rows[0]["rank"]
            1
        """
        return _table(read_leaderboard([self]), columns, where, sort, top, as_rows)

    def evaluate(
        self,
        store: StrPath | None = None,
        split: str = "test",
        *,
        mirror: bool = False,
        matched: str = "",
        robustness: bool = False,
        untrusted: bool = False,
        progress: Progress = _ignore,
    ) -> Assessment:
        """Return the metrics of the detector on labelled clips.

        The metrics on the run's own test split are those of its end. Scoring this split again is
        recorded in the run.

        Args:
            store: Store to score; the run's own by default.
            split: ``train``, ``val``, ``test`` or ``all``.
            mirror: Average the scores of every clip and its mirror image.
            matched: ``sharpness`` also scores pairs of a fake and its real at equal sharpness.
            robustness: Also score the clips after H.264, JPEG, blur, noise, half resolution and
                darkening.
            untrusted: Accept a model file that is not the certified one.
            progress: Called with ``"clips"``, ``"matched pairs"`` or ``"degraded clips"``, the
                number done and the total.

        Returns:
            The assessment. Its ``metrics`` has values such as ``auc``, ``auc_ci`` and
            ``accuracy``; ``to_json()`` has everything as plain values.

        Raises:
            DfsearchError: The run is not finished, or the store or the model cannot be used.

        Example:
            >>> import dfsearch
            >>> found = dfsearch.Run("runs/ffpp").evaluate("other.h5", split="all")
            >>> 0 <= found.metrics.auc <= 1
            True
        """
        request = Request(split, mirror, matched, robustness, untrusted)
        request.check()
        Certificate.read(self._directory)
        if store is None and request.is_plain and (found := read_assessment(self._directory)):
            return found
        from artifacts.quiet import import_tensorflow

        import_tensorflow()
        from artifacts.evaluation.evaluate import assess
        from artifacts.evaluation.scoring import differing_preparation

        own = self.config.store
        path = own if store is None else Path(store)
        with Store(path) as opened:
            if store is None and opened.fingerprint != self._directory.read_fingerprint():
                raise UserError(f"{path} is no longer the store {self.path} was made on")
            for difference in differing_preparation(self._directory, opened):
                _log.warning(
                    "this store was prepared otherwise than the model expects: %s", difference
                )
        return assess(self._directory, path, request, own=own, say=_log.warning, progress=progress)

    def report(
        self, out: StrPath | None = None, *, faces: bool = True, store: StrPath | None = None
    ) -> Path:
        """Write one HTML file about the run that needs no other file and no connection.

        Args:
            out: File to write; ``report.html`` in the run by default.
            faces: Show sample clips. Faces are personal data.
            store: Store of the run, where it has moved.

        Returns:
            The file.

        Raises:
            DfsearchError: The file cannot be written.

        Example:
            >>> import dfsearch
            >>> dfsearch.Run("runs/ffpp").report("report.html", faces=False).name
            'report.html'
        """
        from artifacts.report.report import write_report

        path = self._directory.root / "report.html" if out is None else Path(out)
        write_report(
            self._directory,
            path,
            trials=self._trials(),
            store=self._store() if store is None else Path(store),
            faces=faces,
        )
        return path

    def _trials(self) -> dict[str, list[FrozenTrial]] | str:
        """Return the trials, or the reason that they cannot be read."""
        try:
            return read_trials(self._directory)
        except UserError as error:
            return str(error)

    def _store(self) -> Path | None:
        """Return the path of the store in the configuration, or None if that is damaged."""
        try:
            return self.config.store
        except UserError:
            return None

    def export(
        self,
        formats: str | Sequence[str] = "all",
        precisions: Sequence[str] = (),
        *,
        out: StrPath | None = None,
        untrusted: bool = False,
    ) -> Exports:
        """Write the detector in other formats, run each in a fresh process and compare.

        A model card is written beside the run's model.

        Args:
            formats: ``all``, or of ``h5``, ``keras``, ``saved_model``, ``onnx``, ``litert`` and
                ``openvino``.
            precisions: Variants with fewer bits where a format has them: ``float16``, ``int8``.
            out: Folder to write to; ``exports`` in the run by default.
            untrusted: Accept a model file that is not the certified one.

        Returns:
            The exports: ``folder`` and a tuple of ``rows``; a format that failed has a row with
            its ``error``.

        Raises:
            DfsearchError: A format or precision is unknown, or the run is not finished.

        Example:
            >>> import dfsearch
            >>> exports = dfsearch.Run("runs/ffpp").export("keras", out="exports")
            >>> [(row.format, row.error) for row in exports.rows]
            [('keras', '')]
        """
        from artifacts.quiet import import_tensorflow

        import_tensorflow()
        from artifacts.models import export_run
        from artifacts.models.formats import select_formats
        from artifacts.models.saved import load_detector

        wanted = select_formats((formats,) if isinstance(formats, str) else tuple(formats))
        export_run.check_precisions(wanted, precisions)
        model, _ = load_detector(self._directory, untrusted=untrusted)
        return export_run.export_run(
            self._directory,
            model,
            wanted,
            precisions,
            self._clips(model),
            None if out is None else Path(out),
            on_row=lambda row: _log.info(
                "%s %s: %s", row.format, row.precision, row.error or "done"
            ),
        )

    def _clips(self, model: keras.Model) -> Clips:
        """Return clips of the run's store, or noise where the store is missing."""
        from artifacts.models.export_check import clips_of_store, random_clips

        try:
            with Store(self.config.store) as store:
                if store.fingerprint != self._directory.read_fingerprint():
                    raise UserError(f"{store.path} is another store")
                return clips_of_store(model, store)
        except UserError as error:
            _log.warning("compared on noise, without AUC: %s", error)
            return random_clips(model)

    def detector(self, **options: Any) -> Detector:
        """Load the detector of the run.

        Args:
            **options: As for :meth:`Detector.load`.

        Raises:
            DfsearchError: The run is not finished, or the model file is damaged or changed.

        Example:
            >>> import dfsearch
            >>> dfsearch.Run("runs/ffpp").detector().model.input_shape
            (None, 16, 128, 128, 4)
        """
        from dfsearch.detectors import Detector

        return Detector.load(self.path, **options)

    def predict(
        self, paths: StrPath | Iterable[StrPath], **options: Any
    ) -> Iterator[Verdict | NoVerdict]:
        """Judge videos, pictures, folders of them, or patterns, one by one.

        Args:
            paths: One path or several.
            **options: As for :meth:`Detector.load`.

        Raises:
            DfsearchError: As :meth:`detector`.

        Example:
            >>> import dfsearch
            >>> [answer.path for answer in dfsearch.Run("runs/ffpp").predict("video.mp4")]
            ['video.mp4']
        """
        return self.detector(**options).predict(paths)

    def work(self, *, store: StrPath | None = None, device: str | None = None) -> int:
        """Join the run as a worker until the run is finished.

        Args:
            store: Store of the run on this host, where its path differs.
            device: ``any``, ``cpu`` or ``gpu:N``.

        Returns:
            The number of trials that this worker ran.

        Raises:
            DfsearchError: The libraries or the store differ from those of the run, or workers die.
            KeyboardInterrupt: Raised again after the current trial is given back.
        """
        from search.workers.join import work

        path = None if store is None else Path(store)
        return work(self._directory, _log.info, store=path, device=device)


def compare(
    *runs: Run | StrPath,
    columns: Sequence[str] = (),
    where: Sequence[str] = (),
    sort: str = "",
    top: int | None = None,
    as_rows: bool = False,
) -> pd.DataFrame | list[dict[str, Any]]:
    """Return one leaderboard of several runs on the same store, ranked by validation AUC.

    Args:
        *runs: Runs or their folders.
        columns: As for :meth:`Run.leaderboard`.
        where: As for :meth:`Run.leaderboard`.
        sort: As for :meth:`Run.leaderboard`.
        top: As for :meth:`Run.leaderboard`.
        as_rows: As for :meth:`Run.leaderboard`.

    Returns:
        As :meth:`Run.leaderboard`; the column ``run`` has the name of the folder.

    Raises:
        DfsearchError: The runs are of different stores, or one is named twice.

    Example:
        >>> import dfsearch
        >>> rows = dfsearch.compare("runs/ffpp", "runs/copy", columns=["run"], as_rows=True)
        >>> sorted({row["run"] for row in rows if row["run"]})
        ['copy', 'ffpp']
    """
    opened = [run if isinstance(run, Run) else Run(run) for run in runs]
    return _table(read_leaderboard(opened), columns, where, sort, top, as_rows)


def read_leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """Read the leaderboard of one run, or of several on the same store.

    Raises:
        UserError: The runs are of different stores, one is named twice, or there is none.
    """
    if not runs:
        raise UserError("name at least one run")
    places = [run.path.resolve() for run in runs]
    if len(set(places)) < len(places):
        raise UserError("a run is named twice; name each once")
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    directories = {name: run._directory for name, run in zip(names, runs, strict=True)}
    if len(directories) > 1:
        comparison.check_same_store(directories)
    boards = {
        name: load(directory, read_trials(directory)) for name, directory in directories.items()
    }
    return comparison.compare(boards) if len(boards) > 1 else next(iter(boards.values()))


def _table(
    found: Leaderboard,
    columns: Sequence[str],
    where: Sequence[str],
    sort: str,
    top: int | None,
    as_rows: bool,
) -> pd.DataFrame | list[dict[str, Any]]:
    """Return the rows of a leaderboard as a DataFrame if pandas is installed."""
    fields = check_fields(columns) if columns else FIELDS
    kept = select_rows(found.rows, [Condition.parse(text) for text in where], sort, top)
    rows = to_dicts(kept, fields)
    if as_rows or importlib.util.find_spec("pandas") is None:
        return rows
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(fields))
    frame.attrs["notes"] = list(found.notes)
    return frame
