"""The face mesh lies on the face, and its model file is the known one or an error of one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from data_prep.errors import UserError
from data_prep.faces import mesh
from data_prep.faces.mesh import POINTS, VARIABLE, find_meshes, find_model
from data_prep.preparation.clip import Preparation, prepare_clips
from data_prep.store.format import REAL
from search.samples.landmarks import points_in_crops


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a face, public domain."""
    path = tmp_path_factory.mktemp("portrait") / "astronaut.png"
    cv2.imwrite(str(path), skimage.data.astronaut()[..., ::-1])
    return path


@pytest.mark.parametrize("align", ["box", "points"])
def test_the_mesh_lies_on_eyes_nose_and_mouth_of_the_stored_crop(
    portrait: Path, align: str
) -> None:
    settings = Preparation(frames=1, align=align, modalities=("landmarks468",))
    (clip,) = prepare_clips(portrait, settings, label=REAL)
    found = clip.modalities["landmarks468"]
    assert (found.shape, found.dtype) == ((1, POINTS, 2), np.float16)
    size = clip.media.width, clip.media.height
    five = points_in_crops(
        clip.track, size, size=settings.size, margin=settings.margin, align=align
    )
    corners = ([33, 133], [263, 362], [1], [61], [291])
    ours = np.stack([found[0, list(part)].astype(float).mean(axis=0) for part in corners])
    assert np.abs(ours - five[0]).max() < 0.05 * settings.size


def test_a_turned_face_has_the_same_mesh_turned(portrait: Path) -> None:
    (clip,) = prepare_clips(portrait, Preparation(frames=1), label=REAL)
    crop, five = clip.frames[0], clip.track.landmarks[0]
    turn = cv2.getRotationMatrix2D((127.5, 127.5), 25, 1)
    turned = cv2.warpAffine(crop, turn, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
    upright = find_meshes(crop[None], five[None], 1.5, "box")[0].astype(float)
    tilted = find_meshes(turned[None], (five @ turn[:, :2].T)[None], 1.5, "box")[0].astype(float)
    assert np.abs(tilted - (upright @ turn[:, :2].T + turn[:, 2])).mean() < 4


def test_a_picture_without_a_face_has_no_mesh() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 4), np.uint8)
    assert np.isnan(find_meshes(noise, np.full((2, 5, 2), np.nan), 1.5, "box")).all()


def test_another_or_a_missing_model_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = find_model()
    copy = tmp_path / "face_landmark.tflite"
    shutil.copy(known, copy)
    monkeypatch.setenv(VARIABLE, str(copy))
    assert find_model() == copy
    copy.write_bytes(b"another")
    with pytest.raises(UserError, match="not the known face_landmark"):
        find_model()
    copy.unlink()
    with pytest.raises(UserError, match="cannot be read: No such file"):
        find_model()
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(mesh, "_PACKAGE", "no_such_package")
    with pytest.raises(UserError, match=r"pip install 'deepfake-model-search\[mesh\]'"):
        find_model()
