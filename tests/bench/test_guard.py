"""Guards of speed in preparation, storage and the command line, by machine-independent counts.

The benches measure seconds; these tests fail if the optimisations behind them are lost.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from data_prep.faces.detection import Detection, FaceDetector
from data_prep.preparation.clip import Preparation, make_detector, make_guide, prepare_clips
from data_prep.preparation.guides import Original
from data_prep.store.rows import Rows
from data_prep.store.store import Clip, Store, write_store
from data_prep.video import decoding
from data_prep.video.video import read_frames

FRAMES, WANTED, BATCH = 64, 16, 8


class Counted:
    """A face detector that counts its calls."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self.side, self.threshold = detector.side, detector.threshold
        self.second_threshold = detector.second_threshold
        self.looks = 0

    def detect(
        self,
        frame: npt.NDArray[np.uint8],
        *,
        side: int | None = None,
        threshold: float | None = None,
    ) -> list[Detection]:
        self.looks += 1
        return self._detector.detect(frame, side=side, threshold=threshold)


@pytest.fixture(scope="module")
def still_face(
    tmp_path_factory: pytest.TempPathFactory,
    write_video: Callable[..., Path],
    face_frames: Callable[..., Sequence[npt.NDArray[np.uint8]]],
) -> Path:
    """Return a video of 64 frames of a still face."""
    (frame,) = face_frames(1)
    return write_video(tmp_path_factory.mktemp("still") / "face.mp4", iter([frame] * FRAMES))


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return counts of decoded frames and of pictures during a test."""
    count = {"walks": 0, "decoded": 0, "pictures": 0}
    walk, picture = decoding.Video.walk, decoding._Shape.picture

    def counted_walk(video: decoding.Video, *arguments: object, **options: object) -> decoding.Walk:
        walked = walk(video, *arguments, **options)  # type: ignore[arg-type]
        count["walks"] += 1
        count["decoded"] += walked.decoded
        return walked

    def counted_picture(shape: decoding._Shape, frame: object) -> npt.NDArray[np.uint8]:
        count["pictures"] += 1
        return picture(shape, frame)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding.Video, "walk", counted_walk)
    monkeypatch.setattr(decoding._Shape, "picture", counted_picture)
    return count


def test_a_video_is_decoded_once_and_only_sampled_frames_become_pictures(
    still_face: Path, counts: dict[str, int]
) -> None:
    read_frames(still_face, WANTED)
    assert counts == {"walks": 1, "decoded": FRAMES, "pictures": WANTED}


def test_an_original_and_its_fake_are_decoded_once_and_the_fake_needs_no_detection(
    still_face: Path, counts: dict[str, int]
) -> None:
    preparation = Preparation(frames=WANTED)
    detector = Counted(make_detector(preparation))
    guides = []
    prepare_clips(still_face, preparation, detector, as_guide=guides.append)
    # Both ends and every fourth frame between: a still face needs no other detections.
    assert detector.looks == len([0, 4, 8, 12, 15])

    def make_guide_again(positions: npt.NDArray[np.int64]) -> object:
        return make_guide(still_face, preparation, detector, positions=positions)

    original = Original(whole=guides[0], at=make_guide_again)  # type: ignore[arg-type]
    detector.looks = 0
    (clip,) = prepare_clips(still_face, preparation, detector, original=original)
    assert clip.guided
    assert detector.looks == 0
    assert counts == {"walks": 2, "decoded": 2 * FRAMES, "pictures": 2 * WANTED}


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Clip]) -> Path:
    """Return a store of 32 clips of 16 frames of 64 px, 262,144 bytes each."""
    path = tmp_path_factory.mktemp("store") / "clips.h5"
    people = [make_clip(f"person {number}", count=1) for number in range(32)]
    write_store(path, [make_long(clip) for clip in people], [], {})
    return path


def make_long(clip: Clip) -> Clip:
    """Return the clip with its only frame repeated sixteen times."""
    repeated = {
        name: np.repeat(getattr(clip, name), WANTED, axis=0)
        for name in ("frames", "frame_indices", "frame_times", "boxes", "landmarks", "scores")
    }
    return dataclasses.replace(clip, **repeated)


def test_a_clip_is_one_chunk_of_its_own_size(store_path: Path) -> None:
    with h5py.File(store_path) as file:
        frames = file["frames"]
        pieces = [frames.id.get_chunk_info(number) for number in range(frames.id.get_num_chunks())]
        assert len(pieces) == len(frames)
        assert {piece.size for piece in pieces} == {frames[0].nbytes}


def test_a_random_batch_is_copied_from_mapped_pages_without_other_reads(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []
    read_into = Rows.read_into

    def count(rows: Rows, row: int, out: npt.NDArray[np.uint8]) -> None:
        copied.append(out.nbytes)
        read_into(rows, row, out)

    monkeypatch.setattr(Rows, "read_into", count)
    rng = np.random.default_rng(0)
    with Store(store_path) as store:
        # The offsets of the rows are read once.
        store.read(np.arange(len(store)))
        copied.clear()
        before = bytes_through_read()
        for _ in range(4):
            store.read(rng.choice(len(store), BATCH, replace=False))
        through_read = bytes_through_read() - before
        clip = store.read([0]).nbytes
    assert copied[:-1] == [clip] * (4 * BATCH)
    # Only the count of bytes itself was read.
    assert through_read < clip / 50


def bytes_through_read() -> int:
    """Return the bytes that this process received by ``read`` calls."""
    lines = Path("/proc/self/io").read_text().splitlines()
    (found,) = [int(line.split()[1]) for line in lines if line.startswith("rchar")]
    return found


def test_help_loads_only_the_command_line() -> None:
    code = (
        "import json, sys\n"
        "from typer.testing import CliRunner\n"
        "from search.cli.__main__ import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    modules = json.loads(shown.stdout)
    roots = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert {"search", "typer", "rich"} <= roots
    heavy = {"tensorflow", "keras", "autokeras", "keras_tuner", "cv2", "av", "h5py", "optuna"}
    heavy |= {"numpy", "scipy", "sklearn", "skimage", "plotly", "PIL", "joblib", "pydantic"}
    assert not roots & heavy
    rooms = ("search", "artifacts", "data_prep", "spaces")
    ours = {name for name in modules if name.partition(".")[0] in rooms}
    others = {name for name in ours if not name.startswith("search.cli")}
    light = {"data_prep.errors", "data_prep.files", "data_prep.text"}
    assert others == {"search", "data_prep", *light}
