"""A fake is cropped as its original where their frames show the same moments, and nowhere else."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.errors import VideoError
from data_prep.faces.tracks import FaceTrack
from data_prep.preparation.clip import Preparation, make_detector, make_guide, prepare_clips
from data_prep.preparation.guides import (
    NO_GUIDE,
    Guide,
    Original,
    build_guide,
    read_guide,
    transfer_tracks,
    write_guide,
)
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import Store
from data_prep.video.video import Media, SampledFrames, sample_indices

Frame = npt.NDArray[np.uint8]
Encoder = Callable[..., Path]

PREPARATION = Preparation(frames=8, size=32)
COUNT = 100


def _talking(count: int, *, start: int = 0, person: Frame | None = None) -> Iterator[Frame]:
    """A head that sways in front of a wall, 25 frames a second, from frame ``start`` on."""
    head = _portrait() if person is None else person
    wall = np.tile(np.linspace(60, 160, 320, dtype=np.uint8)[None, :, None], (240, 1, 3))
    for at in range(start, start + count):
        frame = wall.copy()
        left = round(100 + 60 * np.sin(at / 17))
        top = round(60 + 20 * np.sin(at / 11))
        frame[top : top + 132, left : left + 120] = head
        yield frame


def _portrait() -> Frame:
    astronaut = skimage.data.astronaut()[0:220, 120:320]
    return cv2.resize(astronaut, (120, 132), interpolation=cv2.INTER_AREA)


def _swapped(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Frames whose face alone is altered: another colour and less detail."""
    for at, frame in enumerate(frames):
        changed = frame.copy()
        left, top = round(100 + 60 * np.sin(at / 17)), round(60 + 20 * np.sin(at / 11))
        face = changed[top + 40 : top + 90, left + 45 : left + 85]
        face[:] = cv2.GaussianBlur(face, (0, 0), 2) * np.array([1, 0.9, 0.8])
        yield changed


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, encode: Encoder) -> Path:
    return encode(tmp_path_factory.mktemp("pairs") / "real.mp4", _talking(COUNT))


@pytest.fixture(scope="module")
def guide(original: Path) -> Original:
    """What the original gives its fakes."""
    detector = make_detector(PREPARATION)
    return Original(
        whole=make_guide(original, PREPARATION, detector),
        at=lambda indices: make_guide(original, PREPARATION, detector, positions=indices),
    )


def test_a_fake_whose_face_alone_differs_is_cropped_as_its_original(
    original: Path, guide: Original, encode: Encoder, tmp_path: Path
) -> None:
    fake = encode(tmp_path / "fake.mp4", _swapped(_talking(COUNT)), "-crf", "35")
    (real,) = prepare_clips(original, PREPARATION)
    (clip,) = prepare_clips(fake, PREPARATION, original=guide)
    assert clip.guided
    assert not real.guided
    np.testing.assert_array_equal(clip.track.boxes, real.track.boxes)
    np.testing.assert_array_equal(clip.indices, real.indices)
    assert clip.sha256 != real.sha256
    assert (clip.frames != real.frames).any()
    # Without the original it would have been found a little otherwise.
    (own,) = prepare_clips(fake, PREPARATION)
    assert (own.track.boxes != clip.track.boxes).any()
    np.testing.assert_allclose(own.track.boxes, clip.track.boxes, atol=10)


@pytest.mark.parametrize("count", [COUNT // 2, COUNT - 3])
def test_a_fake_of_the_beginning_is_guided_by_the_frames_it_shows(
    count: int, guide: Original, encode: Encoder, tmp_path: Path
) -> None:
    fake = encode(tmp_path / "fake.mp4", _swapped(_talking(count)))
    (clip,) = prepare_clips(fake, PREPARATION, original=guide)
    assert clip.guided
    assert clip.indices[-1] < count
    _check_boxes(clip.track.boxes, clip.indices)


def test_a_fake_that_goes_on_is_guided_as_far_as_its_original_goes(
    guide: Original, encode: Encoder, tmp_path: Path
) -> None:
    fake = encode(tmp_path / "fake.mp4", _swapped(_talking(COUNT * 2)))
    (clip,) = prepare_clips(fake, PREPARATION, original=guide)
    assert clip.guided
    np.testing.assert_array_equal(clip.indices, guide.whole.indices)
    _check_boxes(clip.track.boxes, clip.indices)


def _check_boxes(boxes: npt.NDArray[np.float32], indices: npt.NDArray[np.int64]) -> None:
    """The boxes lie where the face of ``_talking`` is at these frames."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    expected = np.stack(
        [100 + 60 * np.sin(indices / 17) + 65, 60 + 20 * np.sin(indices / 11) + 65], axis=1
    )
    np.testing.assert_allclose(centres, expected, atol=12)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (160, 120), (400, 240)])
def test_a_fake_of_another_size_is_guided_in_its_own_pixels(
    width: int, height: int, guide: Original, encode: Encoder, tmp_path: Path
) -> None:
    scale = ["-vf", f"scale={width}:{height},setsar=1"]
    fake = encode(tmp_path / "fake.mp4", _swapped(_talking(COUNT)), *scale)
    (clip,) = prepare_clips(fake, PREPARATION, original=guide)
    assert clip.guided
    scaled = guide.whole.tracks[0].boxes * np.tile([width / 320, height / 240], 2)
    np.testing.assert_allclose(clip.track.boxes, scaled, rtol=1e-5)


def _late(frames: int) -> Iterator[Frame]:
    return _talking(COUNT, start=frames)


def _mirrored() -> Iterator[Frame]:
    return (np.ascontiguousarray(frame[:, ::-1]) for frame in _talking(COUNT))


def _backwards() -> Iterator[Frame]:
    return iter(list(_talking(COUNT))[::-1])


def _of_another() -> Iterator[Frame]:
    """Another head that sways otherwise, elsewhere."""
    for frame in _talking(COUNT, start=300, person=_portrait()[:, ::-1]):
        yield cv2.convertScaleAbs(np.roll(frame, 20, axis=0), alpha=0.6, beta=70)


@pytest.mark.parametrize(
    "frames",
    [lambda: _late(12), lambda: _late(13), lambda: _late(-12), _mirrored, _backwards, _of_another],
    ids=["half_a_second_late", "late", "early", "mirrored", "backwards", "of_another_video"],
)
def test_a_fake_of_other_moments_is_cropped_by_its_own_track(
    frames: Callable[[], Iterator[Frame]], guide: Original, encode: Encoder, tmp_path: Path
) -> None:
    fake = encode(tmp_path / "fake.mp4", frames())
    (clip,) = prepare_clips(fake, PREPARATION, original=guide)
    (own,) = prepare_clips(fake, PREPARATION)
    assert not clip.guided
    np.testing.assert_array_equal(clip.track.boxes, own.track.boxes)
    np.testing.assert_array_equal(clip.frames, own.frames)


def test_a_longer_video_that_does_not_fit_is_sampled_over_its_own_length(
    guide: Original, encode: Encoder, tmp_path: Path
) -> None:
    fake = encode(tmp_path / "fake.mp4", _talking(COUNT * 2, start=300))
    (clip,) = prepare_clips(fake, PREPARATION, original=guide)
    assert not clip.guided
    np.testing.assert_array_equal(clip.indices, sample_indices(COUNT * 2, PREPARATION.frames))


def _scene(positions: Sequence[int], *, inverted: bool = False) -> SampledFrames:
    """A still scene at whose top a bright bar moves, at the position given for each moment."""
    still = np.random.default_rng(0).integers(40, 180, (32, 32), np.uint8)
    still = cv2.resize(still, (320, 320), interpolation=cv2.INTER_NEAREST)
    frames = []
    for position in positions:
        frame = 220 - still if inverted else still.copy()
        frame[:60, 20 * position : 20 * position + 10] = 250
        frames.append(np.repeat(frame[..., None], 3, axis=-1))
    count = len(frames)
    media = Media("h264", 320, 320, 25.0, count, count / 25, 1000)
    return SampledFrames(tuple(frames), np.arange(count), np.arange(count) / 25, media)


def _guides(original: SampledFrames, fake: SampledFrames) -> bool:
    count = len(original.frames)
    box = np.tile(np.float32([120, 120, 200, 200]), (count, 1))
    track = FaceTrack(box, np.zeros((count, 5, 2), np.float32), np.ones(count, np.float32), 1.0)
    return bool(transfer_tracks(fake, build_guide(original, [track])))


def test_the_same_moments_are_told_from_others_of_the_same_scene() -> None:
    moments = list(range(12))
    original = _scene(moments)
    assert _guides(original, _scene(moments))
    # Every frame is much like its counterpart, and none shows the same moment.
    assert not _guides(original, _scene(np.roll(moments, 1).tolist()))
    # Half of the moments are right.
    assert not _guides(original, _scene([*moments[:6], *np.roll(moments[6:], 1).tolist()]))
    # The bar is where it should be, the scene is another.
    assert not _guides(original, _scene(moments, inverted=True))
    # A picture that does not move is alike at every moment.
    assert _guides(_scene([3] * 12), _scene([3] * 12))


def test_an_original_that_cannot_be_used_guides_nothing(
    original: Path, encode: Encoder, tmp_path: Path
) -> None:
    fake = encode(tmp_path / "fake.mp4", _swapped(_talking(COUNT)))

    def never(indices: object) -> Guide:
        raise AssertionError("it cannot be used")

    (clip,) = prepare_clips(fake, PREPARATION, original=Original(NO_GUIDE, never))
    (own,) = prepare_clips(fake, PREPARATION)
    assert not clip.guided
    np.testing.assert_array_equal(clip.track.boxes, own.track.boxes)


def test_an_original_without_a_face_makes_no_guide(encode: Encoder, tmp_path: Path) -> None:
    wall = encode(tmp_path / "wall.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 20)
    with pytest.raises(VideoError, match="no face found"):
        make_guide(wall, PREPARATION, make_detector(PREPARATION))


def test_a_guide_is_kept_in_a_file(guide: Original, tmp_path: Path) -> None:
    for kept in (guide.whole, NO_GUIDE):
        write_guide(tmp_path / "a.guide.npz", kept)
        read = read_guide(tmp_path / "a.guide.npz")
        assert read is not None
        np.testing.assert_equal(dataclasses.asdict(read), dataclasses.asdict(kept))
    assert [path.name for path in tmp_path.iterdir()] == ["a.guide.npz"]


# In whole data sets.


@pytest.fixture(scope="module")
def pair(
    original: Path, tmp_path_factory: pytest.TempPathFactory, encode: Encoder
) -> tuple[bytes, bytes]:
    """The content of an original and of a fake made from it."""
    fake = encode(tmp_path_factory.mktemp("pair") / "fake.mp4", _swapped(_talking(COUNT)))
    return original.read_bytes(), fake.read_bytes()


@pytest.fixture
def faceforensics(tmp_path: Path, pair: tuple[bytes, bytes]) -> Path:
    """Two originals and two fakes of each, in the layout of FaceForensics++."""
    root = tmp_path / "ff"
    for target, source in (("000", "003"), ("003", "000")):
        real = root / f"original_sequences/youtube/c23/videos/{target}.mp4"
        fakes = [
            root / f"manipulated_sequences/{method}/c23/videos/{target}_{source}.mp4"
            for method in ("Deepfakes", "FaceSwap")
        ]
        for path, content in [(real, pair[0]), *((fake, pair[1]) for fake in fakes)]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


def _sources(store_path: Path) -> dict[str, str]:
    """The name of the original each clip was cropped as, by its own key without the data set."""
    with Store(store_path) as store:
        pairs = zip(store.keys, store.crop_sources, strict=True)
        return {key.split("/", 1)[1]: source.split("/", 1)[-1] for key, source in pairs}


@pytest.mark.parametrize("jobs", [1, 2])
def test_fakes_of_a_data_set_name_the_original_they_are_cropped_as(
    jobs: int, faceforensics: Path, tmp_path: Path
) -> None:
    store_path = tmp_path / "store.h5"
    summary = prepare(
        faceforensics,
        store_path,
        PREPARATION,
        split=SplitRequest(policy="test"),
        execution=Execution(jobs=jobs),
    )
    assert (summary.paired, summary.guided) == (4, 4)
    sources = _sources(store_path)
    assert sources["real/c23/000"] == ""
    assert sources["Deepfakes/c23/000_003"] == sources["FaceSwap/c23/000_003"] == "real/c23/000"
    assert sources["FaceSwap/c23/003_000"] == "real/c23/003"
    with Store(store_path) as store:
        boxes = store.clip_field("boxes")
        assert (boxes == boxes[0]).all()


def test_fakes_are_cropped_by_their_own_tracks_when_told(
    faceforensics: Path, tmp_path: Path
) -> None:
    store_path = tmp_path / "store.h5"
    summary = prepare(
        faceforensics,
        store_path,
        PREPARATION,
        paired_crops=False,
        split=SplitRequest(policy="test"),
    )
    assert (summary.paired, summary.guided) == (0, 0)
    assert set(_sources(store_path).values()) == {""}


@pytest.mark.parametrize(
    "content",
    [b"", b"no video at all", None],
    ids=["empty", "no_video", "cut_short"],
)
def test_fakes_of_a_quarantined_original_arrive_by_their_own_tracks(
    content: bytes | None, faceforensics: Path, tmp_path: Path, pair: tuple[bytes, bytes]
) -> None:
    broken = faceforensics / "original_sequences/youtube/c23/videos/000.mp4"
    broken.write_bytes(pair[0][: len(pair[0]) // 2] if content is None else content)
    store_path = tmp_path / "store.h5"
    summary = prepare(faceforensics, store_path, PREPARATION, split=SplitRequest(policy="test"))
    assert [entry.path for entry in summary.quarantined] == [str(broken)]
    assert (summary.clips, summary.guided) == (5, 2)
    sources = _sources(store_path)
    assert sources["Deepfakes/c23/000_003"] == ""
    assert sources["Deepfakes/c23/003_000"] == "real/c23/003"


def test_a_table_of_labels_tells_the_original(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "a.mp4").write_bytes(pair[0])
    (root / "b.mp4").write_bytes(pair[1])
    (root / "c.mp4").write_bytes(pair[1])
    (root / "labels.csv").write_text(
        "path,label,original\na.mp4,real,\nb.mp4,fake,a.mp4\nc.mp4,fake,\n"
    )
    summary = prepare(root, tmp_path / "store.h5", PREPARATION, split=SplitRequest(policy="test"))
    assert (summary.paired, summary.guided) == (1, 1)
    sources = _sources(tmp_path / "store.h5")
    assert sorted(source.rpartition("/")[2] for source in sources.values()) == ["", "", "a"]


@pytest.mark.slow
def test_every_fake_of_face_forensics_is_guided(real_data: Path, tmp_path: Path) -> None:
    whole, strong = real_data / "ffpp_methods", tmp_path / "ffpp"
    for path in whole.glob("*_sequences/*/c40/videos/*.mp4"):
        link = strong / path.relative_to(whole)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    shutil.copytree(whole / "splits", strong / "splits")
    small = Preparation(size=32)
    summary = prepare(
        strong,
        tmp_path / "store.h5",
        small,
        split=SplitRequest(policy="test"),
        execution=Execution(jobs=2),
    )
    assert summary.quarantined == ()
    assert (
        summary.guided
        == summary.paired
        == sum(count.clips for count in summary.counts if count.label == "fake")
    )
    assert summary.guided > 10
