"""One video made into clips: sampled, its faces tracked, cropped and stacked."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError, VideoError
from data_prep.faces import detectors, mesh
from data_prep.faces.crops import ALIGNMENTS, crop_track
from data_prep.faces.detection import Detection, FaceDetector
from data_prep.faces.tracks import FaceTrack, find_tracks
from data_prep.preparation import shortcuts
from data_prep.preparation.guides import Guide, Original, build_guide, transfer_tracks
from data_prep.store.format import MODALITIES, REAL
from data_prep.text import printable
from data_prep.video import audio, flow, masks
from data_prep.video.frame_folders import hash_content
from data_prep.video.grey import with_grey
from data_prep.video.picture_hashes import hash_clip
from data_prep.video.video import Media, SampledFrames, read_frames, sample_indices

MAIN, ALL = "main", "all"
FACES = (MAIN, ALL)


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Settings that turn a video into a clip; the same ones prepare a video for a verdict.

    Args:
        frames: number of sampled frames a clip, T; 1 for stills.
        size: side of the face crop in pixels.
        margin: side of the square cut out, in sides of the face box.
        align: alignment of a crop: ``box``, a square around the face, or ``points``, turned and
            scaled so that eyes, nose and mouth have the same positions in every crop.
        faces: ``main``, one clip of the person talking, or ``all``, one clip a face track.
        detector: name of the face detector, one of :func:`data_prep.faces.detectors.names`, which
            :func:`make_detector` checks.
        detector_model: file of its model, for the detector that needs one.
        detection_side: long side of the frame the detector sees, in pixels.
        detection_threshold: lowest score of a face, above 0 and below 1.
        detect_every: k: faces are detected in one of k sampled frames, and between two of these if
            they differ.
        min_coverage: lowest fraction of the examined frames in which the face must be found.
        modalities: arrays stored with the frames: ``flow``, ``audio``, ``mask``,
            ``landmarks468``.

    Raises:
        UserError: a value is out of range.
    """

    frames: int = 16
    size: int = 256
    margin: float = 1.5
    align: str = "box"
    faces: str = MAIN
    detector: str = "centerface"
    detector_model: str | None = None
    detection_side: int = 320
    detection_threshold: float = 0.5
    detect_every: int = 4
    min_coverage: float = 0.5
    modalities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_whole_number("frames", self.frames, 1, 1024)
        _check_whole_number("size", self.size, 16, 1024)
        _check_number("margin", self.margin, 1.0, 4.0)
        _check_name("align", self.align, ALIGNMENTS)
        _check_name("faces", self.faces, FACES)
        # The detector is looked up when it is made, so its stored clips are readable without it.
        if not isinstance(self.detector, str):
            raise UserError(f"detector must be a name; received {self.detector!r}")
        _check_whole_number("detection_side", self.detection_side, 64, 4096)
        _check_number("detection_threshold", self.detection_threshold, 0.01, 0.99)
        _check_whole_number("detect_every", self.detect_every, 1, 1024)
        _check_number("min_coverage", self.min_coverage, 0.0, 1.0)
        for name in self.modalities:
            _check_name("modalities", name, MODALITIES)
        # Lists come from JSON, and one set of modalities is one preparation in whatever order.
        ordered = tuple(name for name in MODALITIES if name in self.modalities)
        object.__setattr__(self, "modalities", ordered)
        if "flow" in ordered and self.frames < 2:
            raise UserError(
                "flow is motion between frames, and a clip of 1 frame has none; leave flow out"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the values in the form that JSON can hold."""
        return dataclasses.asdict(self) | {"modalities": list(self.modalities)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """Return the preparation that :meth:`to_dict` was called on.

        Raises:
            UserError: a name is unknown or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"unknown preparation setting {', '.join(unknown)}; known: {', '.join(known)}"
            )
        return cls(**values)


def _check_whole_number(name: str, value: object, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value <= high):  # type: ignore[operator]
        raise UserError(f"{name} must be a whole number from {low} to {high}; received {value!r}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value <= high):  # type: ignore[operator]
        raise UserError(f"{name} must be a number from {low} to {high}; received {value!r}")


def _check_name(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"{name} must be one of {', '.join(known)}; received {value!r}")


@dataclasses.dataclass(frozen=True)
class PreparedClip:
    """One face of a video made into a clip.

    Attributes:
        frames: uint8 (T, size, size, 4), the face crop as R, G, B and grey.
        indices: int64 (T,), positions of the frames in the video.
        times: float64 (T,), seconds.
        track: the face the crops follow.
        sha256: SHA-256 of the video file or of its frames, hexadecimal.
        media: codec, size, rate and length of the file.
        guided: whether the track is that of the video's original.
        shortcuts: quantities that need no training, by name.
        modalities: arrays of the optional modalities, by name.
        sound: whether the video has sound; None if it was not requested.
        hashes: uint64 (at most 3, 4), perceptual hashes of some frames.
    """

    frames: npt.NDArray[np.uint8]
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    track: FaceTrack
    sha256: str
    media: Media
    guided: bool
    shortcuts: dict[str, float]
    modalities: dict[str, npt.NDArray[Any]]
    sound: bool | None
    hashes: npt.NDArray[np.uint64]


def make_detector(preparation: Preparation) -> FaceDetector:
    """Return the face detector of a preparation.

    Raises:
        UserError: its package or model file is missing or damaged, or those of the face mesh.
    """
    if "landmarks468" in preparation.modalities:
        mesh.load_mesh()
    model = preparation.detector_model
    return detectors.make_detector(
        preparation.detector,
        side=preparation.detection_side,
        threshold=preparation.detection_threshold,
        model=None if model is None else Path(model),
    )


def prepare_clips(
    path: Path,
    preparation: Preparation,
    detector: FaceDetector | None = None,
    *,
    decoder_threads: int = 0,
    original: Original | None = None,
    as_guide: Callable[[Guide], None] | None = None,
    label: int | None = None,
    mask: Path | None = None,
) -> tuple[PreparedClip, ...]:
    """Sample, detect, track and crop one video or still.

    Args:
        path: the file.
        preparation: settings of the clip.
        detector: result of :func:`make_detector`; made anew if None, so pass one for many videos.
        decoder_threads: 0 lets the decoder choose; the clips do not depend on it.
        original: original of a fake, whose crops the fake follows if the frames correspond.
        as_guide: callback of an original; it receives the guide for its fakes.
        label: 0 real, 1 fake, None if unknown. In a real no pixel is manipulated.
        mask: mask of the manipulated pixels, a video or a folder of frames.

    Returns:
        One clip of the main face, or one of every face, the main one first.

    Raises:
        VideoError: the video cannot be used; ``step`` is ``decode`` or ``faces``.
        UserError: the detector's model file is missing or damaged.
    """
    detector = detector or make_detector(preparation)
    sampled, tracks = _sample(path, preparation, decoder_threads, original)
    is_guided = bool(tracks)
    with failing_as("faces"):
        tracks = tracks or find_faces(sampled.frames, preparation, detector)
        guide = build_guide(sampled, tracks) if as_guide else None
        crops = [cut_out(sampled.frames, track, preparation) for track in tracks]
    if as_guide and guide:
        as_guide(guide)
    with failing_as("decode"):
        sha256 = hash_content(path)
        heard, sound = None, None
        if "audio" in preparation.modalities:
            heard, sound = audio.log_mel(path, sampled.times)
    mask_frames = None
    if mask is not None and "mask" in preparation.modalities:
        with failing_as("decode"):
            mask_frames = masks.read_mask(mask, sampled, threads=decoder_threads)
    clips = []
    height, width = sampled.frames[0].shape[:2]
    x, y = sampled.media.width / width, sampled.media.height / height
    for kept, frames in zip(tracks, crops, strict=True):
        # Very large frames were read smaller than they are.
        track = kept.scaled(x, y)
        arrays: dict[str, npt.NDArray[Any]] = {}
        if "flow" in preparation.modalities:
            arrays["flow"] = flow.flow_and_strain(frames)
        if heard is not None:
            arrays["audio"] = heard
        if "mask" in preparation.modalities:
            arrays["mask"] = _mask(mask_frames, label, kept, preparation)
        if "landmarks468" in preparation.modalities:
            arrays["landmarks468"] = mesh.find_meshes(
                frames, kept.landmarks, preparation.margin, preparation.align
            )
        measured = shortcuts.measure(frames, track.boxes, track.landmarks, sampled.media)
        clips.append(
            PreparedClip(
                frames=frames,
                indices=sampled.indices,
                times=sampled.times,
                track=track,
                sha256=sha256,
                media=sampled.media,
                guided=is_guided,
                shortcuts=measured,
                modalities=arrays,
                sound=sound,
                hashes=hash_clip(frames),
            )
        )
    return tuple(clips)


def _sample(
    path: Path, preparation: Preparation, threads: int, original: Original | None
) -> tuple[SampledFrames, tuple[FaceTrack, ...]]:
    """Sample frames; return them with the original's tracks if the frames correspond.

    A fake is sampled at the positions of its original if it is as long. FaceForensics++ has fakes
    that continue after the end of their original. For a shorter fake the original is sampled anew.
    """
    if original is None or not original.whole.tracks:
        return _read(path, preparation, threads), ()
    sampled = _read(path, preparation, threads, original.whole.indices)
    own = sample_indices(sampled.media.frames, preparation.frames)
    tracks = transfer_tracks(sampled, original.guide(sampled.indices))
    if not tracks and not np.array_equal(sampled.indices, own):
        sampled = _read(path, preparation, threads)
    return sampled, tracks


def _read(
    path: Path,
    preparation: Preparation,
    threads: int,
    positions: npt.NDArray[np.int64] | None = None,
) -> SampledFrames:
    with failing_as("decode"):
        return read_frames(path, preparation.frames, threads=threads, positions=positions)


def find_faces(
    frames: Sequence[npt.NDArray[np.uint8]],
    preparation: Preparation,
    detector: FaceDetector,
    *,
    looks: dict[int, Sequence[Detection]] | None = None,
) -> tuple[FaceTrack, ...]:
    """Find the main face track of sampled frames, or all that cover enough of them.

    Args:
        frames: T times uint8 (H, W, 3), RGB, all of one size.
        preparation: settings of the clip.
        detector: result of :func:`make_detector`.
        looks: see :func:`data_prep.faces.tracks.find_tracks`.

    Raises:
        VideoError: step ``faces``; there is no face, or the main one is found in too few frames.
    """
    tracks = find_tracks(frames, detector, every=preparation.detect_every, looks=looks)
    main = tracks[0]
    if main.coverage < preparation.min_coverage:
        looked = np.count_nonzero(~np.isnan(main.scores))
        found = np.count_nonzero(main.scores > 0)
        raise VideoError(
            "faces",
            f"face found in {found} of {looked} examined frames; at least "
            f"{preparation.min_coverage:.0%} are required",
        )
    if preparation.faces == MAIN:
        return (main,)
    return tuple(track for track in tracks if track.coverage >= preparation.min_coverage)


def make_guide(
    path: Path,
    preparation: Preparation,
    detector: FaceDetector,
    *,
    decoder_threads: int = 0,
    positions: npt.NDArray[np.int64] | None = None,
) -> Guide:
    """Make the guide of an original for its fakes.

    It comes from the frames at ``positions``, or from evenly spaced ones.

    Raises:
        VideoError: the original cannot be used.
    """
    sampled = _read(path, preparation, decoder_threads, positions)
    with failing_as("faces"):
        return build_guide(sampled, find_faces(sampled.frames, preparation, detector))


def cut_out(
    frames: Sequence[npt.NDArray[np.uint8]], track: FaceTrack, preparation: Preparation
) -> npt.NDArray[np.uint8]:
    """Cut out the face of a track in the form of a store: uint8 (T, size, size, 4)."""
    crops = crop_track(
        frames,
        track,
        size=preparation.size,
        margin=preparation.margin,
        align=preparation.align,
    )
    return with_grey(crops)


def _mask(
    frames: Sequence[npt.NDArray[np.uint8]] | None,
    label: int | None,
    track: FaceTrack,
    preparation: Preparation,
) -> npt.NDArray[np.uint8]:
    """Cut out the mask of a track: uint8 (T, size, size)."""
    size = preparation.size
    if frames is None:
        value = masks.UNTOUCHED if label == REAL else masks.UNKNOWN
        return np.full((preparation.frames, size, size), value, np.uint8)
    crops = crop_track(frames, track, size=size, margin=preparation.margin, align=preparation.align)
    return masks.binarize(crops)


@contextlib.contextmanager
def failing_as(step: str) -> Iterator[None]:
    """Turn whatever one video makes fail into a VideoError of this step."""
    try:
        yield
    except (VideoError, UserError):
        raise
    except MemoryError:
        raise VideoError(step, "not enough memory for this video") from None
    except Exception as error:
        text = " ".join(printable(str(error)).split())
        raise VideoError(step, f"{type(error).__name__}: {text}"[:300]) from error
