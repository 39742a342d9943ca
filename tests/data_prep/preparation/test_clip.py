"""What can be asked of a preparation reaches the store, also after a run that was stopped."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.preparation.clip import Preparation, make_detector, make_guide, prepare_clips
from data_prep.preparation.guides import Guide, Original
from data_prep.preparation.job import Execution, PreparationProgress, PreparationSummary
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import REAL, SPLITS, Store

Frame = npt.NDArray[np.uint8]
Encoder = Callable[..., Path]

SMALL = Preparation(frames=4, size=32)


def _faces(lefts: tuple[int, ...], angle: float = 0.0, count: int = 24) -> Iterator[Frame]:
    """Frames of 240 x 640 with a face at each place, each smaller than the one before."""
    astronaut = skimage.data.astronaut()[0:220, 120:320]
    for at in range(count):
        frame = np.full((240, 640, 3), 90, np.uint8)
        for number, left in enumerate(lefts):
            side = 180 - 40 * number
            face = cv2.resize(astronaut, (side, side * 11 // 10), interpolation=cv2.INTER_AREA)
            if angle:
                turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
                face = cv2.warpAffine(face, turn, face.shape[1::-1], borderValue=(90, 90, 90))
            top = 20 + at // 4
            frame[top : top + face.shape[0], left + at : left + at + side] = face
        yield frame


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, encode: Encoder) -> Path:
    """Three people; in the real video of one there is somebody else, with sound in a fake."""
    root = tmp_path_factory.mktemp("source") / "people"
    for name in ("anna", "ben", "cleo"):
        lefts = (30, 380) if name == "ben" else (230,)
        # Byte-identical files would be one person.
        title = ["-metadata", f"title={name}"]
        encode(root / "real" / f"{name}.mp4", _faces(lefts), *title)
        sound = ["-f", "lavfi", "-i", "sine=d=1", "-shortest"] if name == "anna" else []
        encode(root / "fake" / f"{name}_swap.mp4", _faces((230,)), *sound, *title)
    return root


def _stopped_then_resumed(
    source: Path, store_path: Path, preparation: Preparation
) -> PreparationSummary:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, store_path, preparation, progress=PreparationProgress(preparing=stop))
    summary = prepare(source, store_path, preparation)
    assert summary.resumed >= 3
    return summary


def test_every_face_becomes_a_clip(source: Path, tmp_path: Path) -> None:
    everyone = dataclasses.replace(SMALL, faces="all")
    summary = _stopped_then_resumed(source, tmp_path / "all.h5", everyone)
    assert (summary.videos, summary.clips, summary.quarantined) == (6, 7, ())
    main = prepare(source, tmp_path / "main.h5", SMALL)
    assert main.clips == 6
    with Store(tmp_path / "all.h5") as store, Store(tmp_path / "main.h5") as mains:
        keys = store.keys.tolist()
        assert [key for key in keys if "ben" in key] == [
            "people/fake/unknown/ben_swap",
            "people/real/unknown/ben",
            "people/real/unknown/ben#face2",
        ]
        first, second = (keys.index(f"people/real/unknown/ben{end}") for end in ("", "#face2"))
        assert store.groups[first] == store.groups[second]
        assert store.splits[first] == store.splits[second]
        boxes = store.clip_field("boxes")
        assert (boxes[first, :, 0] != boxes[second, :, 0]).all()
        # The main one is the same whoever else is wanted.
        row = mains.keys.tolist().index(keys[first])
        np.testing.assert_array_equal(mains.read([row]), store.read([first]))


def test_every_face_of_a_fake_names_that_of_its_original(tmp_path: Path, encode: Encoder) -> None:
    root = tmp_path / "pair"
    encode(root / "a.mp4", _faces((30, 380)))
    encode(root / "b.mp4", _faces((30, 380)), "-crf", "30")
    (root / "labels.csv").write_text("path,label,original\na.mp4,real,\nb.mp4,fake,a.mp4\n")
    everyone = dataclasses.replace(SMALL, faces="all")
    prepare(root, tmp_path / "store.h5", everyone, split=SplitRequest(policy="test"))
    with Store(tmp_path / "store.h5") as store:
        assert dict(zip(store.keys, store.crop_sources, strict=True)) == {
            "pair/real/unknown/a": "",
            "pair/real/unknown/a#face2": "",
            "pair/fake/unknown/b": "pair/real/unknown/a",
            "pair/fake/unknown/b#face2": "pair/real/unknown/a#face2",
        }


def test_aligned_faces_stand_upright(encode: Encoder, tmp_path: Path) -> None:
    upright = encode(tmp_path / "upright.mp4", _faces((230,)))
    turned = encode(tmp_path / "turned.mp4", _faces((230,), angle=20))
    differences = {}
    for align in ("box", "points"):
        preparation = Preparation(frames=4, size=64, align=align)
        crops = [
            prepare_clips(path, preparation)[0].frames[..., 3].astype(float)
            for path in (upright, turned)
        ]
        # Away from the border, which shows what lies beside the face.
        differences[align] = np.abs(crops[0] - crops[1])[:, 20:44, 20:44].mean()
    assert differences["points"] < 0.7 * differences["box"]


def test_aligned_clips_reach_the_store_after_a_stop(source: Path, tmp_path: Path) -> None:
    aligned = dataclasses.replace(SMALL, align="points")
    summary = _stopped_then_resumed(source, tmp_path / "aligned.h5", aligned)
    whole = prepare(source, tmp_path / "whole.h5", aligned)
    boxes = prepare(source, tmp_path / "boxes.h5", SMALL)
    assert summary.fingerprint == whole.fingerprint != boxes.fingerprint
    with Store(tmp_path / "aligned.h5") as store:
        assert Preparation.from_dict(store.preparation["clip"]) == aligned


def test_optional_modalities_reach_the_store_after_a_stop(source: Path, tmp_path: Path) -> None:
    rich = dataclasses.replace(SMALL, modalities=("audio", "flow"))
    summary = _stopped_then_resumed(source, tmp_path / "rich.h5", rich)
    assert summary.silent == 5
    assert summary.fingerprint == prepare(source, tmp_path / "whole.h5", rich).fingerprint
    (clip,) = prepare_clips(source / "fake" / "anna_swap.mp4", rich)
    with Store(tmp_path / "rich.h5") as store:
        assert store.modalities == ("flow", "audio")
        row = store.keys.tolist().index("people/fake/unknown/anna_swap")
        for name in store.modalities:
            stored = store.read([row], name)[0]
            assert stored.dtype == clip.modalities[name].dtype
            np.testing.assert_array_equal(stored, clip.modalities[name])
            assert stored.any()
        assert store.clip_field("sound").tolist() == [at == row for at in range(6)]


def test_a_folder_of_reals_is_a_store_of_reals(source: Path, tmp_path: Path) -> None:
    store_path = tmp_path / "reals.h5"
    summary = prepare(source / "real", store_path, SMALL, label=REAL)
    assert (summary.clips, summary.quarantined) == (3, ())
    with Store(store_path) as store:
        assert store.labels.tolist() == [REAL] * 3
        assert set(store.splits) <= set(SPLITS)


def test_pictures_become_clips_of_one_frame(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    for number, name in enumerate(("anna", "ben", "cleo", "dora")):
        (frame,) = _faces((150 + 20 * number,), count=1)
        for path in (root / "real" / f"{name}.png", root / "fake" / f"{name}_swap.jpg"):
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), frame[..., ::-1])
    summary = prepare(root, tmp_path / "store.h5", SMALL)
    assert (summary.layout, summary.clips, summary.quarantined) == ("stills", 8, ())
    with Store(tmp_path / "store.h5") as store:
        assert store.clip_shape == (1, 32, 32, 4)
        assert store.clip_field("frame_indices").tolist() == [[0]] * 8
        assert store.preparation["clip"]["frames"] == 1


def test_the_order_of_files_and_the_number_of_workers_change_nothing(
    source: Path, tmp_path: Path
) -> None:
    rich = dataclasses.replace(SMALL, faces="all", align="points", modalities=("flow",))
    fingerprints = {
        prepare(
            source,
            tmp_path / f"{jobs}_{shards}",
            rich,
            shard_clips=shards,
            execution=Execution(jobs=jobs),
        ).fingerprint
        for jobs, shards in ((1, None), (2, 2), (2, 100))
    }
    assert len(fingerprints) == 1


def test_a_guide_that_cannot_be_kept_is_no_fault_of_the_video(source: Path) -> None:
    """A full disk must stop a preparation, not fill its quarantine."""
    video = source / "real" / "anna.mp4"

    def full(_: object) -> Guide:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        prepare_clips(video, SMALL, as_guide=full)
    whole = make_guide(video, SMALL, make_detector(SMALL))
    late = dataclasses.replace(whole, indices=whole.indices + 100)
    with pytest.raises(OSError, match="No space left"):
        prepare_clips(video, SMALL, original=Original(whole=late, at=full))


def _walking(top: int, light: float = 1.0, *, back: bool = False) -> Iterator[Frame]:
    """A small face that crosses a scene of strong contrasts, 720 x 1280."""
    scene = np.full((720, 1280, 3), 20, np.uint8)
    scene[:, :640] = 235
    scene[500:] = (160, 90, 40)
    astronaut = skimage.data.astronaut()[0:220, 120:320]
    face = cv2.resize(astronaut, (120, 132), interpolation=cv2.INTER_AREA)
    for at in range(16):
        left = 100 + 60 * (15 - at if back else at)
        frame = scene.copy()
        frame[top : top + 132, left : left + 120] = face
        yield cv2.convertScaleAbs(frame, alpha=light)


@pytest.mark.parametrize("light", [1.0, 0.2])
def test_a_fake_with_a_small_face_elsewhere_is_not_cropped_as_its_original(
    light: float, encode: Encoder, tmp_path: Path
) -> None:
    preparation, detector = Preparation(frames=8, size=32), make_detector(Preparation())
    real = encode(tmp_path / "real.mp4", _walking(100, light))
    same = encode(tmp_path / "same.mp4", _walking(100, light))
    guide = make_guide(real, preparation, detector)
    original = Original(whole=guide, at=lambda _: guide)
    (clip,) = prepare_clips(same, preparation, detector, original=original)
    assert clip.guided
    for frames in (_walking(300, light), _walking(100, light, back=True)):
        other = encode(tmp_path / "other.mp4", frames)
        (clip,) = prepare_clips(other, preparation, detector, original=original)
        assert not clip.guided
