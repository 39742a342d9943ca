"""A verdict on a raw video: prepared as the training clips were, scored by the exported model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from artifacts.metrics.averaging import average
from artifacts.models.refusal import first_line
from artifacts.models.saved import load_detector
from artifacts.prediction.clip_windows import choose_pace
from artifacts.prediction.frame_order import is_blind_to_order
from artifacts.prediction.timeline import Moment, fake_segments, join_moments, spans
from artifacts.prediction.undecided_band import ERROR_RATE, FAKE_VERDICT, REAL_VERDICT, read_band
from artifacts.prediction.verdict import FaceVerdict, Judged, NoVerdict, Verdict
from artifacts.prediction.video_frames import FaceClip, Look, Watched, Watcher
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError, VideoError
from data_prep.preparation.clip import Preparation, make_detector
from data_prep.text import printable

__all__ = ["FaceVerdict", "Judged", "NoVerdict", "Predictor", "Verdict", "predict"]

MOST_FRAMES = 1024

# Where a certificate does not say how long the videos were that a model was trained on: those of
# FaceForensics++ in the middle, and nearly the longest of them.
TRAINED_ON = 12.0, 30.0


class Predictor:
    """Detector of one run that judges videos.

    A video no longer than those of training is judged by the clip that a store would hold. A longer
    one is judged by several clips, whose logits are averaged. Shorter sliding clips give the
    timeline of each face. See :mod:`artifacts.prediction.clip_windows`.

    Args:
        run: a finished run.
        windows: number of clips for every stretch of a video, each over the whole of it; 1 for the
            clip that a store would hold.
        error_rate: error rate of verdicts; see
            :func:`artifacts.prediction.undecided_band.fit_band`.
        detector_model: model file of the face detector, if it moved since the preparation of the
            store.
        looking: Compute heat maps as well, for annotation.
        untrusted: accept a model file that differs from the certificate.

    Attributes:
        remark: note on the verdicts, such as the reason that none is ``undecided``; or empty.
        certificate: certificate of the model.
        watcher: finds and scores the faces of videos.

    Raises:
        UserError: The run has no model, its files differ from its certificate, the face
            detector's model file is missing, or a value is out of range.
    """

    def __init__(
        self,
        run: RunDirectory,
        *,
        windows: int = 1,
        error_rate: float = ERROR_RATE,
        detector_model: Path | None = None,
        looking: bool = False,
        untrusted: bool = False,
    ) -> None:
        self._band, self.remark = read_band(run, error_rate)
        model, self.certificate = load_detector(run, untrusted=untrusted)
        certificate = self.certificate
        preparation = certificate.clip_preparation
        most = MOST_FRAMES // preparation.frames
        if not 1 <= windows <= most:
            raise UserError(f"there can be 1 to {most} windows; received {windows}")
        # The model reads only its own inputs; its store may have more modalities.
        changes: dict[str, Any] = {"modalities": certificate.modalities}
        if detector_model is not None:
            changes["detector_model"] = str(detector_model)
        preparation = dataclasses.replace(preparation, **changes)
        self._threshold = certificate.threshold
        any_order = is_blind_to_order(model)
        pace = choose_pace(
            preparation.frames,
            certificate.trained_on or TRAINED_ON,
            by_frames_alone=any_order,
            windows=windows,
        )
        self.watcher = Watcher(
            model,
            preparation,
            make_detector(preparation),
            pace,
            any_order=any_order,
            look=_look(model) if looking else None,
        )

    @property
    def preparation(self) -> Preparation:
        """Settings that turn a video into a clip for the model."""
        return self.watcher.preparation

    def decide(self, probability: float) -> str:
        """Return the verdict on a probability."""
        if self._band is not None:
            return self._band.verdict(probability)
        return FAKE_VERDICT if probability >= self._threshold else REAL_VERDICT

    def judge(self, path: Path) -> Judged:
        """Judge one video or picture."""
        started = time.monotonic()
        name = printable(str(path))
        if path.is_dir():
            return Judged(NoVerdict(name, "no video and no picture in this folder"))
        if not path.exists():
            return Judged(NoVerdict(name, "there is no such file"))
        try:
            watched = self.watcher.read(path)
        except VideoError as error:
            return Judged(NoVerdict(name, error.command_line))
        found = self._faces(watched)
        numbers = {face.number: number for number, face in enumerate(found, start=1)}
        faces = tuple(dataclasses.replace(face, number=numbers[face.number]) for face in found)
        if not faces or faces[0].probability is None:
            return Judged(NoVerdict(name, _why(watched, faces)), watched, faces, numbers)
        worst = max(faces, key=_likelihood)
        assert worst.probability is not None
        assert worst.label is not None
        verdict = Verdict(
            path=name,
            probability=worst.probability,
            label=worst.label,
            threshold=self._threshold,
            coverage=worst.coverage,
            frames=worst.frames,
            windows=worst.windows,
            seconds=round(time.monotonic() - started, 3),
            duration=round(watched.media.duration, 3),
            band=self._band,
            faces=faces,
        )
        return Judged(verdict, watched, faces, numbers)

    def _faces(self, watched: Watched) -> list[FaceVerdict]:
        """Return the verdict on every face, judged faces first, numbered in order of appearance."""
        by_face: dict[int, list[FaceClip]] = {}
        for clip in watched.clips:
            by_face.setdefault(clip.face, []).append(clip)
        found = [self._face(clips, watched) for clips in by_face.values()]
        return sorted(
            found, key=lambda face: (face.probability is None, -face.frames, -face.pixels)
        )

    def _face(self, clips: Sequence[FaceClip], watched: Watched) -> FaceVerdict:
        judging = [clip for clip in clips if clip.clip.judges]
        answers = [clip.probability for clip in judging if clip.probability is not None]
        found = sum(int(np.count_nonzero(clip.track.scores > 0)) for clip in judging)
        seen = [clip.times[clip.track.scores > 0] for clip in clips]
        pixels = round(float(np.median([clip.side for clip in clips])))
        probability = None
        if answers:
            # One window is the model's own answer, to the last bit.
            probability = answers[0] if len(answers) == 1 else float(average(np.array(answers)))
        moments = self._moments(clips, watched)
        start, end = float(min(map(np.min, seen))), float(max(map(np.max, seen)))
        reason = ""
        if probability is None:
            reason = self._reason(pixels, end - start, watched)
        return FaceVerdict(
            number=clips[0].face,
            probability=probability,
            label=None if probability is None else self.decide(probability),
            reason=reason,
            coverage=found / watched.looked,
            frames=found,
            windows=len(answers),
            start=round(start, 3),
            end=round(end, 3),
            pixels=pixels,
            timeline=moments,
            segments=fake_segments(join_moments(moments, self.decide)),
        )

    def _moments(self, clips: Sequence[FaceClip], watched: Watched) -> tuple[Moment, ...]:
        """Return a face's clips by time: the sliding ones, or without any the judging ones."""
        sliding = [clip for clip in clips if not clip.clip.judges]
        chosen = [clip for clip in sliding or clips if clip.probability is not None]
        places = spans(
            [clip.clip.positions for clip in chosen],
            watched.sliding if sliding else watched.judging,
            watched.times,
            watched.media.duration,
        )
        moments = [
            Moment(start, end, float(clip.probability or 0.0), self.decide(clip.probability or 0.0))
            for clip, (start, end) in zip(chosen, places, strict=True)
        ]
        return tuple(sorted(moments, key=lambda moment: moment.start))

    def _reason(self, pixels: int, seconds: float, watched: Watched) -> str:
        if pixels < self.watcher.smallest:
            return (
                f"too small: {pixels} pixels across, and at least {self.watcher.smallest:.0f} "
                "are needed"
            )
        return (
            f"seen too short: {seconds:.1f} of {watched.media.duration:.1f} s, in fewer than "
            f"{self.watcher.preparation.min_coverage:.0%} of the frames of every clip that judges"
        )


def predict(
    run: RunDirectory,
    paths: Iterable[Path],
    *,
    windows: int = 1,
    error_rate: float = ERROR_RATE,
    detector_model: Path | None = None,
) -> Iterator[Verdict | NoVerdict]:
    """Judge videos one by one, in the order given; see :class:`Predictor`.

    Raises:
        UserError: as :class:`Predictor`.
    """
    predictor = Predictor(
        run, windows=windows, error_rate=error_rate, detector_model=detector_model
    )
    for path in paths:
        yield predictor.judge(path).answer


def _likelihood(face: FaceVerdict) -> float:
    return -1.0 if face.probability is None else face.probability


def _why(watched: Watched, faces: Sequence[FaceVerdict]) -> str:
    """Return the reason why no face of a video has a score."""
    if watched.reasons and not any(clip.clip.judges for clip in watched.clips):
        return str(watched.reasons[0])
    return f"faces: {faces[0].reason}"


def _look(model: Any) -> Look:
    """Return a function that makes the heat maps of a model; it serves many clips."""
    from artifacts.explain.heat import Explainer

    try:
        return Explainer(model).heat_maps
    except Exception as error:  # whatever a model raises that is not made like a detector
        reason = first_line(error)
        raise UserError(f"heat maps cannot be computed: {reason}; use --no-heat") from None
