"""Drawing on the frames of a judged video: boxes, running scores, heat and a time bar."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from artifacts.prediction.timeline import Moment
from artifacts.prediction.undecided_band import FAKE_VERDICT, REAL_VERDICT, UNDECIDED
from artifacts.prediction.verdict import FaceVerdict, Verdict
from artifacts.prediction.video_frames import FaceClip
from data_prep.faces.crops import TEMPLATE, measure_side, similarity
from data_prep.preparation.clip import Preparation

Picture = npt.NDArray[np.uint8]

# Distinct for red-green colour-blind readers; the verdict is also written out.
COLOURS = {FAKE_VERDICT: (213, 94, 0), UNDECIDED: (240, 228, 66), REAL_VERDICT: (0, 158, 115)}
_GREY = (160, 160, 160)
_INK = (0, 0, 0)
# How much of a pixel the greatest heat covers.
_OPACITY = 0.6
# A face is drawn while it was seen no longer ago than this many distances between samples.
_LOST = 2.5
# Heat is drawn for so many seconds before and after the frame it was found in.
_COLD = 1.0
_MOST_BARS = 6


@dataclasses.dataclass(frozen=True)
class FacePath:
    """A face over time, as it is drawn.

    Attributes:
        verdict: Verdict on the face.
        scores: its running score, by time.
        times: float64 (n,), ascending, when it was found, in seconds.
        places: float64 (n, 14), box and landmarks then, in pixels of the video.
        warm: float64 (m,), ascending, the times whose frames the model found something in.
        heat: heat maps of these frames, uint8 (h, w) each.
    """

    verdict: FaceVerdict
    scores: tuple[Moment, ...]
    times: npt.NDArray[np.float64]
    places: npt.NDArray[np.float64]
    warm: npt.NDArray[np.float64]
    heat: tuple[Picture, ...]

    @classmethod
    def from_face(
        cls, verdict: FaceVerdict, scores: Sequence[Moment], clips: Sequence[FaceClip]
    ) -> FacePath:
        """Return the path of a face through its clips; sliding ones come first."""
        found: dict[float, npt.NDArray[np.float64]] = {}
        heat: dict[float, Picture] = {}
        for clip in sorted(clips, key=lambda clip: clip.clip.judges):
            track = clip.track
            for at, time in enumerate(clip.times.tolist()):
                if track.scores[at] > 0:
                    place = np.concatenate([track.boxes[at], track.landmarks[at].ravel()])
                    found.setdefault(time, place.astype(np.float64))
                # A model may skip frames; there it looks nowhere.
                if clip.heat is not None and clip.heat[at].any():
                    heat.setdefault(time, clip.heat[at])
        times, warm = sorted(found), sorted(heat)
        return cls(
            verdict=verdict,
            scores=tuple(scores),
            times=np.array(times),
            places=np.stack([found[time] for time in times]),
            warm=np.array(warm),
            heat=tuple(heat[time] for time in warm),
        )

    def place(self, time: float) -> npt.NDArray[np.float64] | None:
        """Return box and landmarks at a time, float64 (14,); None if the face is not visible."""
        after = int(np.searchsorted(self.times, time))
        spacing = float(np.median(np.diff(self.times))) if len(self.times) > 1 else np.inf
        near = [self.times[at] for at in (after - 1, after) if 0 <= at < len(self.times)]
        if min(abs(time - one) for one in near) > _LOST * spacing:
            return None
        return np.array([np.interp(time, self.times, column) for column in self.places.T])

    def heat_at(self, time: float) -> Picture | None:
        """Return the heat map of the frame nearest in time; None if that is far away."""
        if not len(self.warm):
            return None
        nearest = int(np.argmin(np.abs(self.warm - time)))
        return self.heat[nearest] if abs(self.warm[nearest] - time) <= _COLD else None

    def score(self, time: float) -> Moment | None:
        """Return the running score at a time; None without one."""
        for moment in self.scores:
            if moment.start <= time < moment.end:
                return moment
        return self.scores[-1] if self.scores and time >= self.scores[-1].end else None


class Overlay:
    """Drawing of the results of a video on its frames.

    Args:
        verdict: verdict on the video.
        faces: paths of its faces.
        preparation: settings of the crops.
        duration: length of the video in seconds.
    """

    def __init__(
        self,
        verdict: Verdict | None,
        faces: Sequence[FacePath],
        preparation: Preparation,
        duration: float,
    ) -> None:
        self._verdict = verdict
        self._faces = faces
        self._preparation = preparation
        self._duration = duration

    def draw(self, frame: Picture, time: float) -> Picture:
        """Draw all results at a time on a copy of the frame.

        Args:
            frame: uint8 (H, W, 3), RGB; it is not changed.
            time: time in seconds.
        """
        frame = frame.copy()
        for face in self._faces:
            place = face.place(time)
            if place is None:
                continue
            heat = face.heat_at(time)
            if heat is not None:
                self._warm(frame, heat, place)
            self._frame_face(frame, face, place, time)
        self._bars(frame, time)
        if self._verdict is None:
            _label(frame, "no verdict", (0, 0), _GREY)
        else:
            text = f"{self._verdict.label} {self._verdict.probability:.2f}"
            _label(frame, text, (0, 0), COLOURS[self._verdict.label])
        return frame

    def _frame_face(
        self, frame: Picture, face: FacePath, place: npt.NDArray[np.float64], time: float
    ) -> None:
        moment = face.score(time)
        colour = COLOURS[moment.label] if moment else _GREY
        low, high = ((round(x), round(y)) for x, y in place[:4].reshape(2, 2))
        cv2.rectangle(frame, low, high, colour, max(2, min(frame.shape[:2]) // 240))
        score = f"{moment.label} {moment.probability:.2f}" if moment else "no score"
        _label(frame, f"face {face.verdict.number}: {score}", low, colour, above=True)

    def _warm(self, frame: Picture, heat: Picture, place: npt.NDArray[np.float64]) -> None:
        """Lay heat over a face, where the crop that the model saw lay."""
        matrix = crop_to_frame(place, self._preparation)
        corners = matrix[:, :2] @ np.array([[0, 0, 1, 1], [0, 1, 0, 1]]) + matrix[:, 2:]
        limits = np.array([[frame.shape[1]], [frame.shape[0]]])
        low = np.clip(np.floor(corners.min(axis=1, keepdims=True)), 0, limits).astype(int)
        high = np.clip(np.ceil(corners.max(axis=1, keepdims=True)), 0, limits).astype(int)
        (width, height), (x, y) = (high - low).ravel().tolist(), low.ravel().tolist()
        if width <= 0 or height <= 0:
            return
        scaled = matrix.copy()
        scaled[:, :2] /= [heat.shape[1], heat.shape[0]]
        # Pixels are where their centres are.
        scaled[:, 2] += scaled[:, :2] @ [0.5, 0.5] - [x + 0.5, y + 0.5]
        warmth = cv2.warpAffine(heat, scaled, (width, height), flags=cv2.INTER_LINEAR)
        colours = cv2.cvtColor(cv2.applyColorMap(warmth, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
        share = (_OPACITY / 255 * warmth.astype(np.float32))[..., None]
        part = frame[y : y + height, x : x + width]
        part[:] = np.round((1 - share) * part + share * colours).astype(np.uint8)

    def _bars(self, frame: Picture, time: float) -> None:
        """Draw one bar a face along the lower edge: its scores, and the present position."""
        height, width = frame.shape[:2]
        if self._duration <= 0:
            return
        thick = max(3, height // 60)
        faces = [face for face in self._faces if face.scores][:_MOST_BARS]
        for number, face in enumerate(reversed(faces), start=1):
            top, bottom = height - number * thick, height - (number - 1) * thick - 1
            cv2.rectangle(frame, (0, top), (width, bottom), _GREY, cv2.FILLED)
            for moment in face.scores:
                ends = (round(width * at / self._duration) for at in (moment.start, moment.end))
                left, right = ends
                colour = COLOURS[moment.label]
                cv2.rectangle(frame, (left, top), (right - 1, bottom - 1), colour, cv2.FILLED)
        if faces:
            here = round((width - 1) * min(1.0, time / self._duration))
            cv2.line(frame, (here, height - len(faces) * thick), (here, height), _INK, 2)


def crop_to_frame(
    place: npt.NDArray[np.float64], preparation: Preparation
) -> npt.NDArray[np.float64]:
    """Return the (2, 3) matrix from a crop, a square of side 1, to its position in the frame.

    Args:
        place: float64 (14,), box and landmarks of the face.
        preparation: settings of the crop.
    """
    if preparation.align == "points":
        wanted = (TEMPLATE - 0.5) / preparation.margin + 0.5
        inverse = similarity(place[4:].reshape(5, 2), wanted)
        if inverse is not None:
            return np.asarray(cv2.invertAffineTransform(inverse), np.float64)
    side = preparation.margin * measure_side(place[:4])
    corner = (place[:2] + place[2:4]) / 2 - side / 2
    return np.array([[side, 0, corner[0]], [0, side, corner[1]]])


def _label(
    frame: Picture,
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int],
    *,
    above: bool = False,
) -> None:
    """Write text on a coloured plate; its corner, the lower one with ``above``, is at ``at``."""
    size = max(0.4, min(frame.shape[:2]) / 700)
    weight = max(1, round(1.5 * size))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), base = cv2.getTextSize(text, font, size, weight)
    tall = height + base + 4
    x = min(max(0, at[0]), max(0, frame.shape[1] - width - 4))
    y = min(max(0, at[1] - tall if above else at[1]), max(0, frame.shape[0] - tall))
    cv2.rectangle(frame, (x, y), (x + width + 4, y + tall), colour, cv2.FILLED)
    cv2.putText(frame, text, (x + 2, y + height + 2), font, size, _INK, weight, cv2.LINE_AA)
