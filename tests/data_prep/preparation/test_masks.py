"""Masks of manipulated pixels: cropped like the frames, 0 in reals, 255 where they are unknown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.datasets import index
from data_prep.faces.crops import crop_track
from data_prep.preparation.clip import Preparation, prepare_clips
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import FAKE, REAL
from data_prep.store.store import Store
from data_prep.store.verify import verify
from data_prep.video.masks import UNKNOWN

MASKED = Preparation(frames=4, size=32, modalities=("mask",))
_FAKES = "manipulated_sequences/Deepfakes"
_LEFT = 160
_TEST = SplitRequest("test")


def _white_left(count: int) -> list[npt.NDArray[np.uint8]]:
    """Frames of the size of the face video, white in their left half."""
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[:, :_LEFT] = 255
    return [frame] * count


@pytest.fixture
def forensics(tmp_path: Path, face_video: bytes, write_video: Callable[..., Path]) -> Path:
    """FaceForensics++ of four people, whose first fake has a mask, the second a short one."""
    root = tmp_path / "ff"
    for first, second in (("000", "001"), ("001", "000"), ("002", "003"), ("003", "002")):
        for name in (
            f"original_sequences/youtube/c23/videos/{first}.mp4",
            f"{_FAKES}/c23/videos/{first}_{second}.mp4",
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            # Files with equal content would be copies.
            (root / name).write_bytes(face_video + name.encode())
    write_video(root / _FAKES / "masks/videos/000_001.mp4", _white_left(24))
    write_video(root / _FAKES / "masks/videos/001_000.mp4", _white_left(5))
    return root


def test_the_mask_of_a_fake_belongs_to_every_quality(forensics: Path) -> None:
    found = index(forensics)
    assert found.problems == ()
    masks = {video.path.stem: video.mask for video in found.videos}
    assert masks["000_001"] == forensics / _FAKES / "masks/videos/000_001.mp4"
    assert (masks["000"], masks["002_003"]) == (None, None)


def test_a_mask_is_cropped_like_the_frames(forensics: Path) -> None:
    fake = forensics / _FAKES / "c23/videos/000_001.mp4"
    mask = forensics / _FAKES / "masks/videos/000_001.mp4"
    (clip,) = prepare_clips(fake, MASKED, label=FAKE, mask=mask)
    found = clip.modalities["mask"]
    assert (found.dtype, found.shape) == (np.uint8, (4, 32, 32))
    crops = crop_track(_white_left(4), clip.track, size=32, margin=MASKED.margin)
    expected = (crops.max(axis=-1) >= 128).astype(np.uint8)
    assert 0 < expected.mean() < 1
    # Compression blurs the edge by a pixel.
    assert np.mean(found != expected) < 0.05


def test_a_mask_of_another_size_is_scaled(
    forensics: Path, write_video: Callable[..., Path], tmp_path: Path
) -> None:
    fake = forensics / _FAKES / "c23/videos/000_001.mp4"
    small = write_video(tmp_path / "small.mp4", [frame[::2, ::2] for frame in _white_left(24)])
    whole = forensics / _FAKES / "masks/videos/000_001.mp4"
    one, other = (
        prepare_clips(fake, MASKED, label=FAKE, mask=mask)[0].modalities["mask"]
        for mask in (small, whole)
    )
    assert np.mean(one != other) < 0.05


@pytest.mark.parametrize("content", [b"", b"no video", None])
def test_a_mask_that_cannot_be_read_is_unknown(
    content: bytes | None, forensics: Path, tmp_path: Path
) -> None:
    fake = forensics / _FAKES / "c23/videos/000_001.mp4"
    mask = forensics / _FAKES / "masks/videos/001_000.mp4"
    if content is not None:
        mask.write_bytes(content)
    (clip,) = prepare_clips(fake, MASKED, label=FAKE, mask=mask)
    assert np.unique(clip.modalities["mask"]).tolist() == [UNKNOWN]


def test_masks_reach_the_store(forensics: Path, tmp_path: Path) -> None:
    path = tmp_path / "masked.h5"
    summary = prepare(forensics, path, MASKED, split=_TEST)
    assert summary.clips == 8
    with Store(path) as store:
        assert store.modalities == ("mask",)
        values = {
            key.rpartition("/")[2]: np.unique(store.read([row], "mask")).tolist()
            for row, key in enumerate(store.keys)
        }
        assert store.modality_shapes == {"mask": (4, 32, 32)}
    assert verify(path) == []
    assert values == {
        **{key: [0] for key in ("000", "001", "002", "003")},
        "000_001": [0, 1],
        **{key: [UNKNOWN] for key in ("001_000", "002_003", "003_002")},
    }


def test_a_store_is_prepared_again_if_a_mask_is_added(
    forensics: Path, tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    before = prepare(forensics, tmp_path / "before.h5", MASKED, split=_TEST)
    write_video(forensics / _FAKES / "masks/videos/002_003.mp4", _white_left(24))
    after = prepare(forensics, tmp_path / "before.h5", MASKED, split=_TEST, overwrite=True)
    assert after.fingerprint != before.fingerprint
    assert (before.clips, after.clips) == (8, 8)


def test_frames_and_labels_do_not_depend_on_masks(forensics: Path) -> None:
    fake = forensics / _FAKES / "c23/videos/002_003.mp4"
    (plain,) = prepare_clips(fake, Preparation(frames=4, size=32))
    (masked,) = prepare_clips(fake, MASKED, label=REAL)
    (unlabelled,) = prepare_clips(fake, MASKED)
    np.testing.assert_array_equal(plain.frames, masked.frames)
    assert not masked.modalities["mask"].any()
    assert np.unique(unlabelled.modalities["mask"]).tolist() == [UNKNOWN]
