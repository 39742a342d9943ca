"""A video watched once: its faces found and followed, and their clips scored."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.models.inference import ScoreError, probabilities
from artifacts.prediction.clip_windows import Clip, Gatherer, Pace
from artifacts.prediction.face_numbers import FacesSeen
from data_prep.errors import VideoError
from data_prep.faces.crops import measure_side
from data_prep.faces.detection import Detection, FaceDetector
from data_prep.faces.tracks import FaceTrack
from data_prep.preparation.clip import ALL, Preparation, cut_out, failing_as, find_faces
from data_prep.video import audio, flow
from data_prep.video.video import Media, scan_frames

FACES, MODEL = "faces", "model"
"""Steps with a measured time; the rest is decoding."""

# Clips that a model is given at a time.
_BATCH = 8
# A face smaller than this part of a crop's side is one whose crop is made up nearly throughout: of
# ten of its pixels nine lie between those that there were.
_SMALLEST = 1 / 4

Look = Callable[[Mapping[str, npt.NDArray[Any]]], npt.NDArray[np.float32]]
"""Where a model looks: of clips, by the names of its inputs, float32 (n, T, H, W), 0 to 1."""


@dataclasses.dataclass(frozen=True)
class FaceClip:
    """One face in one clip.

    Attributes:
        face: its number in the video, from 0 on.
        clip: clip with its frames.
        times: float64 (T,), times of the frames in seconds.
        track: positions of the face, in pixels of the video.
        probability: fake probability; None if the face is too small.
        heat: uint8 (T, h, w), heat map of the crops; None if not requested.
    """

    face: int
    clip: Clip
    times: npt.NDArray[np.float64]
    track: FaceTrack
    probability: float | None
    heat: npt.NDArray[np.uint8] | None = None

    @property
    def side(self) -> float:
        """Larger side of the face in pixels, median over the frames."""
        return float(np.median([measure_side(box) for box in self.track.boxes]))


@dataclasses.dataclass(frozen=True)
class Watched:
    """Faces of a video with their scores.

    Attributes:
        media: codec, size, rate and length of the file.
        clips: every face in every clip with sufficient coverage.
        judging: int64 (n,), ascending, positions of all frames of clips that judge.
        sliding: the same of clips that slide.
        looked: frames of the judging clips in which faces were searched.
        times: times of all frames of clips in seconds, by position.
        reasons: reasons why judging clips have no face.
    """

    media: Media
    clips: tuple[FaceClip, ...]
    judging: npt.NDArray[np.int64]
    sliding: npt.NDArray[np.int64]
    looked: int
    times: dict[int, float]
    reasons: tuple[VideoError, ...]


class Watcher:
    """Search for and scoring of faces in videos, with one model.

    Args:
        model: a detector.
        preparation: settings that turn a video into a clip of the model.
        detector: face detector from :func:`data_prep.preparation.clip.make_detector`.
        pace: spacing and length of the clips.
        any_order: whether the model ignores the order of frames, so that a picture can be shown to
            it as a still clip.
        look: Function that computes heat maps, or None.

    Attributes:
        spent: seconds spent on :data:`FACES` and :data:`MODEL` so far.
    """

    def __init__(
        self,
        model: keras.Model,
        preparation: Preparation,
        detector: FaceDetector,
        pace: Pace,
        *,
        any_order: bool,
        look: Look | None = None,
    ) -> None:
        self.model = model
        self.preparation = dataclasses.replace(preparation, faces=ALL)
        self.detector = detector
        self.pace = pace
        self.any_order = any_order
        self.look = look
        self.spent = {FACES: 0.0, MODEL: 0.0}

    @property
    def smallest(self) -> float:
        """Smallest side of a scored face, in pixels of the video."""
        return self.preparation.size * _SMALLEST

    def read(self, path: Path) -> Watched:
        """Watch a video or a picture.

        Raises:
            VideoError: it cannot be read.
        """
        watch = _Watch(self, path)
        gatherer = Gatherer(self.pace, watch.begin, watch.take)
        frames = self.pace.frames
        with failing_as("decode"):
            media = scan_frames(path, frames, gatherer.begin, gatherer.take, held=frames)
        if media.duration == 0 and media.frames == 1 and frames > 1 and not self.any_order:
            raise VideoError(
                "decode", f"a picture, and this model looks at motion over {frames} frames"
            )
        return watch.end(media)

    @contextlib.contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of a block to that of a step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[step] += time.perf_counter() - started


@dataclasses.dataclass(frozen=True)
class _Waiting:
    """A face in a clip, not yet scored."""

    face: int
    clip: Clip
    times: npt.NDArray[np.float64]
    track: FaceTrack
    crops: npt.NDArray[np.uint8]


class _Watch:
    """One walk through one video."""

    def __init__(self, watcher: Watcher, path: Path) -> None:
        self._watcher = watcher
        self._path = path

    def begin(self) -> None:
        self._faces = FacesSeen()
        self._done: list[FaceClip] = []
        self._waiting: list[_Waiting] = []
        self._sampled: dict[bool, set[int]] = {True: set(), False: set()}
        self._looked = 0
        self._times: dict[int, float] = {}
        self._reasons: list[VideoError] = []
        self._looks: dict[int, Sequence[Detection]] = {}
        self._shape = (1, 1)

    def take(
        self,
        clip: Clip,
        frames: tuple[npt.NDArray[np.uint8], ...],
        times: npt.NDArray[np.float64],
    ) -> None:
        """Find, number and cut out the faces of a clip."""
        watcher = self._watcher
        self._shape = (frames[0].shape[0], frames[0].shape[1])
        self._times |= dict(zip(clip.positions.tolist(), times.tolist(), strict=True))
        self._sampled[clip.judges] |= set(clip.positions.tolist())
        with watcher.timed(FACES), failing_as("faces"):
            tracks = self._tracks(clip, frames)
            for number, track in zip(self._faces.number(tracks, times), tracks, strict=True):
                if np.median([measure_side(box) for box in track.boxes]) < watcher.smallest:
                    self._done.append(FaceClip(number, clip, times, track, None))
                    continue
                crops = cut_out(frames, track, watcher.preparation)
                self._waiting.append(_Waiting(number, clip, times, track, crops))
        # Judging clips are scored alone: their scores do not depend on sliding clips.
        if clip.judges or len(self._waiting) >= _BATCH:
            self._score()

    def _tracks(
        self, clip: Clip, frames: tuple[npt.NDArray[np.uint8], ...]
    ) -> tuple[FaceTrack, ...]:
        watcher = self._watcher
        tracks: tuple[FaceTrack, ...] = ()
        # Judging clips are prepared like those of a store, independent of sliding clips.
        places = {at: number for number, at in enumerate(clip.positions.tolist())}
        looks = {places[at]: faces for at, faces in self._looks.items() if at in places}
        looks = {} if clip.judges else looks
        try:
            tracks = find_faces(frames, watcher.preparation, watcher.detector, looks=looks)
        except VideoError as error:
            if clip.judges:
                self._reasons.append(error)
        if not clip.judges:
            self._looks = {int(clip.positions[place]): faces for place, faces in looks.items()}
        if clip.judges:
            self._looked += (
                int(np.count_nonzero(~np.isnan(tracks[0].scores))) if tracks else len(frames)
            )
        return tracks

    def _score(self) -> None:
        """Score the waiting clips: judging ones first, separate from sliding ones."""
        watcher = self._watcher
        waiting, self._waiting = self._waiting, []
        for judges in (True, False):
            some = [one for one in waiting if one.clip.judges == judges]
            for start in range(0, len(some), _BATCH):
                batch = some[start : start + _BATCH]
                arrays = self._arrays(batch)
                with watcher.timed(MODEL), failing_as("score"):
                    answers, heat = self._answers(arrays)
                for at, one in enumerate(batch):
                    self._done.append(
                        FaceClip(
                            one.face,
                            one.clip,
                            one.times,
                            one.track,
                            float(answers[at]),
                            None if heat is None else _small(heat[at]),
                        )
                    )

    def _answers(
        self, arrays: dict[str, npt.NDArray[Any]]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Return probabilities and heat maps; a clip without a probability fails its video."""
        look = self._watcher.look
        try:
            return probabilities(self._watcher.model, arrays), look(arrays) if look else None
        except ScoreError as error:
            raise VideoError("score", str(error)) from None

    def _arrays(self, batch: list[_Waiting]) -> dict[str, npt.NDArray[Any]]:
        """Return the inputs of the model for clips, by name."""
        wanted = self._watcher.preparation.modalities
        arrays: dict[str, npt.NDArray[Any]] = {"frames": np.stack([one.crops for one in batch])}
        if "flow" in wanted:
            arrays["flow"] = np.stack([flow.flow_and_strain(one.crops) for one in batch])
        if "audio" in wanted:
            times = np.concatenate([one.times for one in batch])
            heard, _ = audio.log_mel(self._path, times)
            arrays["audio"] = heard.reshape(len(batch), -1, *heard.shape[1:])
        return arrays

    def end(self, media: Media) -> Watched:
        """End a video; return its faces in pixels of the video."""
        self._score()
        height, width = self._shape
        # Very large frames were read smaller than they are.
        x, y = media.width / width, media.height / height
        clips = tuple(dataclasses.replace(one, track=one.track.scaled(x, y)) for one in self._done)
        return Watched(
            media=media,
            clips=clips,
            judging=np.array(sorted(self._sampled[True]), np.int64),
            sliding=np.array(sorted(self._sampled[False]), np.int64),
            looked=self._looked,
            times=self._times,
            reasons=tuple(self._reasons),
        )


_HEAT_SIDE = 64


def _small(heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Reduce the heat of one clip (T, H, W) to uint8 (T, h, w), sides of at most 64."""
    step = max(1, heat.shape[1] // _HEAT_SIDE)
    return np.round(255 * heat[:, ::step, ::step]).astype(np.uint8)
