"""Detectors opened from a file, and their verdicts on videos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.prediction.sources import find_sources
from artifacts.prediction.verdict import NoVerdict, Verdict
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from dfsearch.arguments import StrPath, check_number, check_whole, list_paths, to_path

if TYPE_CHECKING:
    import keras

    from artifacts.certificate import Certificate
    from artifacts.prediction.predict import Predictor
    from artifacts.prediction.verdict import Judged
    from data_prep.preparation.clip import Preparation

__all__ = ["Detector", "NoVerdict", "Verdict"]


class Detector:
    """Detector that judges videos; made by :meth:`load` or :meth:`Run.detector`.

    Example:
        >>> import dfsearch
        >>> detector = dfsearch.Detector.load("runs/ffpp")
        >>> verdict = detector.judge("video.mp4")
        >>> verdict.label in ("real", "fake", "undecided")
        True
        >>> 0 <= verdict.probability <= 1
        True
        >>> [face.number for face in verdict.faces]
        [1]
    """

    def __init__(self, predictor: Predictor, path: Path) -> None:
        self._predictor = predictor
        self._path = path

    def __repr__(self) -> str:
        return f"Detector({str(self._path)!r})"

    @classmethod
    def load(
        cls,
        path: StrPath,
        *,
        error_rate: float = 0.1,
        windows: int = 1,
        heat_maps: bool = False,
        detector_model: StrPath | None = None,
        untrusted: bool = False,
    ) -> Detector:
        """Open the detector of a finished run.

        Nothing in the model file is executed. Its structure and its SHA-256 are checked first.

        Args:
            path: Folder of the run, or the file ``best_model.h5`` in it.
            error_rate: Share of real videos that may get the label ``fake``, and of fake videos
                that may get ``real``, above 0 and at most 0.5. Less certain videos are
                ``undecided``.
            windows: Clips over each stretch of a video whose logits are averaged.
            heat_maps: Compute heat maps, which :meth:`annotate` draws.
            detector_model: Model file of the face detector ``yunet``, where it has moved.
            untrusted: Accept a model file that is not the certified one.

        Raises:
            DfsearchError: The run is not finished, a file is damaged or changed, or a value is
                out of range.

        Example:
            >>> import dfsearch
            >>> dfsearch.Detector.load("runs/ffpp", error_rate=0.05)
            Detector('runs/ffpp')
        """
        from artifacts.quiet import import_tensorflow

        check_number("error_rate", error_rate)
        check_whole("windows", windows, 1)
        folder = to_path(path)
        if folder.is_file():
            if not (folder.parent / "run.json").is_file():
                raise UserError(f"{folder} is in no run; name a run or the best_model.h5 in it")
            folder = folder.parent
        run = RunDirectory(folder).open()
        import_tensorflow()
        from artifacts.prediction.predict import Predictor

        predictor = Predictor(
            run,
            windows=windows,
            error_rate=error_rate,
            detector_model=None if detector_model is None else to_path(detector_model),
            looking=heat_maps,
            untrusted=untrusted,
        )
        return cls(predictor, folder)

    @property
    def model(self) -> keras.Model:
        """Keras model.

        It takes ``frames``, uint8 (N, T, H, W, 4), red, green, blue and grey; with other
        modalities also ``flow`` or ``audio``. It returns probabilities, float32 (N, 1).
        """
        return self._predictor.watcher.model

    @property
    def certificate(self) -> Certificate:
        """Content of ``best_model.json``."""
        return self._predictor.certificate

    @property
    def threshold(self) -> float:
        """Probability at which a video counts as fake, chosen on validation."""
        return self._predictor.certificate.threshold

    @property
    def preparation(self) -> Preparation:
        """Settings by which a video becomes a clip that the model takes."""
        return self._predictor.preparation

    @property
    def note(self) -> str:
        """Note on the verdicts, such as the reason that none is ``undecided``; or empty."""
        return self._predictor.remark

    def judge(self, path: StrPath) -> Verdict:
        """Return the verdict on one video or picture.

        Args:
            path: The file.

        Returns:
            The verdict: ``label``, ``probability``, ``threshold``; ``faces``, each with its own
            label, probability and timeline; ``segments``, the fake stretches in seconds.

        Raises:
            DfsearchError: The file cannot be read, or no face in it can be judged.

        Example:
            >>> import dfsearch
            >>> detector = dfsearch.Run("runs/ffpp").detector()
            >>> for segment in detector.judge("video.mp4").segments:
            ...     print(f"fake from {segment.start} to {segment.end} s")
            >>> detector.judge("no_face.mp4")
            Traceback (most recent call last):
            ...
            data_prep.errors.UserError: no_face.mp4: no verdict: ...
        """
        answer = self.examine(path).answer
        if isinstance(answer, NoVerdict):
            raise UserError(f"{answer.path}: no verdict: {answer.error}")
        return answer

    def predict(self, paths: StrPath | Iterable[StrPath]) -> Iterator[Verdict | NoVerdict]:
        """Yield a verdict for each video, or the reason that there is none.

        Args:
            paths: Videos, pictures, folders of them, or patterns such as ``clips/**/*.mp4``; one
                or several.

        Example:
            >>> import dfsearch
            >>> detector = dfsearch.Run("runs/ffpp").detector()
            >>> for answer in detector.predict(["video.mp4", "missing.mp4"]):
            ...     print(answer.path, isinstance(answer, dfsearch.Verdict))
            video.mp4 True
            missing.mp4 False
        """
        given = list_paths("paths", paths)
        for path in find_sources(map(Path, given)):
            yield self.examine(path).answer

    def examine(self, path: StrPath) -> Judged:
        """Return the answer on one video with its faces and clips."""
        return self._predictor.judge(to_path(path))

    def annotate(
        self, path: StrPath, out: StrPath, *, judged: Judged | None = None
    ) -> tuple[str, ...]:
        """Write a video with face boxes, running scores, heat maps and its sound.

        Args:
            path: The video or picture.
            out: MP4 file to write.
            judged: Result of :meth:`examine` for this video, to not examine it twice.

        Returns:
            Notes, such as that the sound could not be copied.

        Raises:
            DfsearchError: The video cannot be read, or the file cannot be written.

        Example:
            >>> import dfsearch
            >>> dfsearch.Run("runs/ffpp").detector().annotate("video.mp4", "annotated.mp4")
            ()
        """
        from artifacts.prediction.annotate import annotate

        written = to_path(out)
        found = self.examine(path) if judged is None else judged
        if found.watched is None:
            assert isinstance(found.answer, NoVerdict)
            raise UserError(f"{found.answer.path}: no verdict: {found.answer.error}")
        predictor = self._predictor
        return tuple(
            annotate(to_path(path), written, found, predictor.preparation, predictor.decide)
        )
