"""Runs: leaderboard, evaluation, report, exports and verdicts."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artifacts.certificate import Certificate
from artifacts.evaluation.request import Assessment, Request, read_assessment
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Store
from dfsearch.arguments import Progress, StrPath, check_whole, no_progress, to_names, to_path
from dfsearch.leaderboards import read_leaderboard, select_table
from search.config import run_config
from search.config.run_config import RunConfig
from search.studies.study import read_trials

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from optuna.trial import FrozenTrial

    from artifacts.models.export_check import Clips
    from artifacts.models.export_run import Exports
    from dfsearch.detectors import Detector, NoVerdict, Verdict

__all__ = ["Assessment", "Run", "compare"]

_log = logging.getLogger("dfsearch")
# Without a handler Python prints warnings on standard error.
_log.addHandler(logging.NullHandler())


def _log_address(address: str) -> None:
    """Log the address of a dashboard."""
    _log.info("dashboard: %s", address)


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
        self._directory = RunDirectory(to_path(path)).open()

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
        columns: str | Sequence[str] = (),
        where: str | Sequence[str] = (),
        sort: str = "",
        top: int | None = None,
        as_rows: bool = False,
    ) -> pd.DataFrame | list[dict[str, Any]]:
        """Return every trial, best first, beside baselines without training.

        Args:
            columns: Names of the columns, or one name; all by default.
            where: Conditions such as ``"state=complete"``, ``"val_auc>0.8"`` or
                ``"what~bilstm"``, or one of them; a row must meet all.
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
        found = read_leaderboard([self._directory])
        return select_table(found, columns, where, sort, top, as_rows)

    def evaluate(
        self,
        store: StrPath | None = None,
        split: str = "test",
        *,
        mirror: bool = False,
        matched: str = "",
        robustness: bool = False,
        untrusted: bool = False,
        progress: Progress = no_progress,
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
        path = own if store is None else to_path(store)
        with Store(path) as opened:
            if store is None and opened.fingerprint != self._directory.read_fingerprint():
                raise UserError(
                    f"{path} is not the store that {self.path} was searched on: "
                    "its content has changed"
                )
            for difference in differing_preparation(self._directory, opened):
                _log.warning(
                    "this store was prepared with other settings than the model expects: %s",
                    difference,
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

        path = self._directory.root / "report.html" if out is None else to_path(out)
        write_report(
            self._directory,
            path,
            trials=self._trials(),
            store=self._store() if store is None else to_path(store),
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
        precisions: str | Sequence[str] = (),
        *,
        out: StrPath | None = None,
        untrusted: bool = False,
    ) -> Exports:
        """Write the detector in other formats, run each in a fresh process and compare.

        A model card is written beside the run's model.

        Args:
            formats: ``all``, or of ``h5``, ``keras``, ``saved_model``, ``onnx``, ``litert`` and
                ``openvino``.
            precisions: Variants with fewer bits where a format has them: ``float16``, ``int8``, or
                both.
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

        Certificate.read(self._directory)
        folder = None if out is None else to_path(out)
        names, variants = to_names("formats", formats), to_names("precisions", precisions)
        # It knows how to import TensorFlow without its messages; the formats do not.
        import_tensorflow()
        from artifacts.models import export_run
        from artifacts.models.formats import select_formats
        from artifacts.models.saved import load_detector

        wanted = select_formats(names)
        export_run.check_precisions(wanted, variants)
        model, _ = load_detector(self._directory, untrusted=untrusted)
        return export_run.export_run(
            self._directory,
            model,
            wanted,
            variants,
            self._clips(model),
            folder,
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

        path = None if store is None else to_path(store)
        return work(self._directory, _log.info, store=path, device=device)

    def dashboard(self, *, port: int = 8080, ready: Callable[[str], None] = _log_address) -> None:
        """Serve the run in optuna-dashboard, to this machine only, until it is interrupted.

        The page cannot change the run. It also follows a search in progress.

        Args:
            port: Port of the page; 0 for any free port.
            ready: Called with the address when the page can be opened; by default, the address
                goes to the logger ``dfsearch``.

        Raises:
            DfsearchError: The run has no trials yet, the port is taken, or optuna-dashboard is
                not installed.
        """
        from artifacts.dashboard.serving import HOST, build_application, open_server
        from search.studies.storage import StorageLocation
        from search.studies.study import stages_with_study

        check_whole("port", port, 0, 65535)
        location = StorageLocation.read(self._directory)
        # A damaged journal is one line here, and not a broken page.
        read_trials(self._directory)
        names = {stage.name: location.study_name(stage) for stage in stages_with_study(location)}
        if not names:
            raise UserError(f"{self.path} has no trials yet; wait for the first one")
        with warnings.catch_warnings():
            # It warns about each hyperparameter when there are few trials.
            warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
            page = build_application(self._directory, location.open(), names)
            with open_server(page, port) as server:
                ready(f"http://{HOST}:{server.server_port}/")
                with contextlib.suppress(KeyboardInterrupt):
                    server.serve_forever()


def compare(
    *runs: Run | StrPath,
    columns: str | Sequence[str] = (),
    where: str | Sequence[str] = (),
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
    found = read_leaderboard([run._directory for run in opened])
    return select_table(found, columns, where, sort, top, as_rows)
