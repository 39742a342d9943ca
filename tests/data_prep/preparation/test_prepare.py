"""The whole job on real files: what a user gets, and what happens when things go wrong."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_prep.errors import UserError, VideoError
from data_prep.preparation.clip import Preparation, prepare_clips
from data_prep.preparation.job import Execution, PreparationProgress, PreparationSummary
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import SPLITS, Store

SMALL = Preparation(frames=4, size=32)


@pytest.fixture
def source(tmp_path: Path, face_video: bytes) -> Path:
    """Four people, one real and one fake video of each."""
    root = tmp_path / "people"
    for name in ("anna", "ben", "cleo", "dora"):
        for path in (root / "real" / f"{name}.mp4", root / "fake" / f"{name}_swap.mp4"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_different(face_video, path))
    return root


def _different(content: bytes, path: Path) -> bytes:
    """Return a video in other bytes: a trailing box does not touch the picture."""
    return content + b"\0\0\0\x10free" + path.name[:8].encode().ljust(8)


def _prepare(source: Path, store: Path, **options: object) -> PreparationSummary:
    return prepare(source, store, SMALL, **options)  # type: ignore[arg-type]


def _run_script(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def test_every_video_becomes_a_clip_in_a_store(source: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    store_path = tmp_path / "new" / "folder" / "store.h5"
    summary = _prepare(
        source, store_path, progress=PreparationProgress(preparing=lambda *call: calls.append(call))
    )
    assert (summary.videos, summary.clips, summary.quarantined) == (8, 8, ())
    assert summary.coverage == 1
    assert calls == [(done, 8) for done in range(9)]
    assert sum(count.clips for count in summary.counts) == 8
    assert list(store_path.parent.iterdir()) == [store_path]
    with Store(store_path) as store:
        assert store.clip_shape == (4, 32, 32, 4)
        assert list(store.keys) == sorted(store.keys)
        assert store.keys[0] == "people/fake/unknown/anna_swap"
        assert store.fingerprint == summary.fingerprint
        assert Preparation.from_dict(store.preparation["clip"]) == SMALL
        assert store.preparation["split"] == {
            "policy": "identity",
            "seed": 0,
            "held_out": None,
            "overlap": 0,
        }
        for split in SPLITS:
            assert len(store.rows(split, 0))
            assert len(store.rows(split, 1))
        for group in set(store.groups):
            assert len(set(store.splits[store.groups == group])) == 1
        assert store.groups[0] == "anna"
    with h5py.File(store_path) as file:
        assert file["frames"].chunks == (1, 4, 32, 32, 4)
        source_file = Path(file["clips/path"].asstr()[0])
        expected = hashlib.sha256(source_file.read_bytes()).hexdigest()
        assert file["clips/sha256"].asstr()[0] == expected
        assert file["clips/frame_indices"][0].tolist() == [3, 9, 15, 21]
        np.testing.assert_allclose(file["clips/frame_times"][0], [0.12, 0.36, 0.6, 0.84])


def test_the_number_of_jobs_does_not_change_the_store(source: Path, tmp_path: Path) -> None:
    one = _prepare(source, tmp_path / "one.h5", execution=Execution(jobs=1))
    two = _prepare(source, tmp_path / "two.h5", execution=Execution(jobs=2))
    assert one.fingerprint == two.fingerprint


def test_bad_videos_are_quarantined_with_their_reasons_and_the_rest_goes_on(
    source: Path,
    tmp_path: Path,
    face_video: bytes,
    write_video: Callable[..., Path],
    face_frames: Callable[..., object],
    numbered_frames: Callable[[int], object],
) -> None:
    real = source / "real"
    (real / "empty.mp4").touch()
    (real / "half.mp4").write_bytes(face_video[: len(face_video) // 2])
    (real / "notes.bin").write_bytes(b"not a video" * 100)
    (real / "lost.mp4").symlink_to(tmp_path / "nowhere")
    write_video(real / "nobody.mp4", numbered_frames(12))
    write_video(real / "short.mp4", face_frames(1))
    cut = write_video(real / "cut.avi", face_frames(24), codec="MJPG")
    os.truncate(cut, cut.stat().st_size // 2)
    blinking = [
        np.full((240, 320, 3), 90, np.uint8) if n > 5 else f for n, f in enumerate(face_frames(24))
    ]  # type: ignore[arg-type, var-annotated]
    write_video(source / "fake" / "blinking.mp4", iter(blinking))

    summary = _prepare(source, tmp_path / "store.h5", execution=Execution(jobs=2))
    assert (summary.videos, summary.clips) == (16, 8)
    found = {Path(entry.path).name: (entry.step, entry.reason) for entry in summary.quarantined}
    assert found == {
        "empty.mp4": ("decode", "the file is empty"),
        "half.mp4": ("decode", "no video stream found; the file is not a video or is truncated"),
        "notes.bin": ("decode", "no video stream found; the file is not a video or is truncated"),
        "lost.mp4": ("index", "a broken link"),
        "nobody.mp4": ("faces", "no face found in any of the 4 sampled frames"),
        "short.mp4": ("decode", "frames in the video: 1; a clip of 4 needs at least 2"),
        "cut.avi": ("decode", "12 of 24 frames decoded; the file looks truncated"),
        "blinking.mp4": (
            "faces",
            "face found in 1 of 3 examined frames; at least 50% are required",
        ),
    }
    with Store(tmp_path / "store.h5") as store:
        assert store.quarantine == list(summary.quarantined)


def test_names_of_any_bytes_are_prepared(source: Path, tmp_path: Path) -> None:
    names = {"anna": b"Zo\xc3\xab \xe9\x9d\xa2", "ben": b"caf\xe9", "cleo": b"two\nlines"}
    for old, new in names.items():
        path = source / "real" / f"{old}.mp4"
        path.rename(path.with_name(os.fsdecode(new + b".mp4")))
    (source / "real" / os.fsdecode(b"bad\xff.mp4")).touch()
    summary = _prepare(source, tmp_path / "störe 面.h5")
    assert summary.clips == 8
    assert [entry.reason for entry in summary.quarantined] == ["the file is empty"]
    with Store(tmp_path / "störe 面.h5") as store:
        assert {"people/real/unknown/Zoë 面", "people/real/unknown/caf\\xe9"} < set(store.keys)
        assert store.quarantine[0].path.endswith("bad\\xff.mp4")


def test_a_killed_run_goes_on_where_it_stopped(source: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from data_prep.preparation.prepare import *\n"
        "kill = PreparationProgress(lambda done, total: done == 3 and os.kill(os.getpid(), 9))\n"
        "prepare(Path(sys.argv[1]), Path(sys.argv[2]), Preparation(frames=4, size=32),"
        " execution=Execution(jobs=2), progress=kill)"
    )
    store_path = tmp_path / "store.h5"
    assert _run_script(code, source, store_path).returncode == -signal.SIGKILL
    assert not store_path.exists()
    parts = sorted((tmp_path / "store.h5.parts").glob("*.npz"))
    assert len(parts) >= 3
    parts[0].write_bytes(parts[0].read_bytes()[:1000])

    summary = _prepare(source, store_path)
    assert 2 <= summary.resumed < 8
    assert summary.fingerprint == _prepare(source, tmp_path / "clean.h5").fingerprint
    assert not (tmp_path / "store.h5.parts").exists()


def test_an_interrupted_run_ends_at_once_and_keeps_its_clips(source: Path, tmp_path: Path) -> None:
    # What is started in the background of a script ignores interrupts, so they are asked for.
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from data_prep.preparation.prepare import *\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        "    kill = lambda done, total: done == 3 and os.kill(os.getpid(), 2)\n"
        "    stop = PreparationProgress(kill)\n"
        "    prepare(Path(sys.argv[1]), Path(sys.argv[2]), Preparation(frames=4, size=32),"
        " execution=Execution(jobs=2), progress=stop)\n"
        "except KeyboardInterrupt: print('interrupted')"
    )
    result = _run_script(code, source, tmp_path / "store.h5")
    assert (result.returncode, result.stdout, result.stderr) == (0, "interrupted\n", "")
    assert len(list((tmp_path / "store.h5.parts").glob("*.npz"))) >= 3


def test_a_video_that_kills_its_worker_is_quarantined(source: Path, tmp_path: Path) -> None:
    deadly = source / "real" / "deadly.mp4"
    deadly.write_bytes((source / "real" / "anna.mp4").read_bytes())
    # Stands in for a decoder that crashes, in every process that starts with it on its path.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, av\n"
        "whole = av.open\n"
        "def open(name, *more, **named):\n"
        "    return os.kill(os.getpid(), 9) if 'deadly' in name else whole(name, *more, **named)\n"
        "av.open = open\n"
    )
    code = (
        "import sys; from pathlib import Path; from data_prep.preparation.prepare import *\n"
        "made = prepare(Path(sys.argv[1]), Path(sys.argv[2]), Preparation(frames=4, size=32),"
        " execution=Execution(jobs=2))\n"
        "print(made.clips, [(Path(e.path).name, e.reason) for e in made.quarantined])"
    )
    result = _run_script(code, source, tmp_path / "store.h5", PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        "8 [('deadly.mp4', 'the worker process died on this video; it may need more memory')]\n"
    )


def test_an_existing_store_is_not_overwritten_unless_told(source: Path, tmp_path: Path) -> None:
    store_path = tmp_path / "store.h5"
    store_path.write_bytes(b"precious")
    with pytest.raises(UserError, match="exists; pass overwrite to replace it"):
        _prepare(source, store_path)
    assert store_path.read_bytes() == b"precious"
    assert _prepare(source, store_path, overwrite=True).clips == 8
    with Store(store_path) as store:
        assert len(store) == 8


def test_one_class_alone_is_refused(source: Path, tmp_path: Path) -> None:
    for path in (source / "fake").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="needs real and fake videos; found 4 real and 0 fake"):
        _prepare(source, tmp_path / "store.h5")
    assert list(tmp_path.iterdir()) == [source]


def test_a_class_lost_to_quarantine_is_refused_and_an_old_store_is_kept(
    source: Path, tmp_path: Path
) -> None:
    for path in (source / "real").iterdir():
        path.write_bytes(b"")
    store_path = tmp_path / "store.h5"
    store_path.write_bytes(b"precious")
    with pytest.raises(UserError) as raised:
        _prepare(source, store_path, overwrite=True)
    assert str(raised.value) == (
        "no usable real clip: 4 of 4 real videos were quarantined, "
        "e.g. anna.mp4 (the file is empty)"
    )
    assert store_path.read_bytes() == b"precious"


def test_an_official_split_that_lost_a_class_is_refused(tmp_path: Path, face_video: bytes) -> None:
    root = tmp_path / "ff"
    for number in range(3):
        for path in (
            root / f"original_sequences/youtube/c23/videos/00{number}.mp4",
            root / f"manipulated_sequences/Deepfakes/c23/videos/00{number}_10{number}.mp4",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            content = b"" if "001_" in path.name else _different(face_video, path)
            path.write_bytes(content)
    for number, split in enumerate(SPLITS):
        (root / f"{split}.json").write_text(f'[["00{number}", "10{number}"]]')
    with pytest.raises(
        UserError, match=r"no usable fake clip in the val split \(official\): 1 of 1"
    ):
        _prepare(root, tmp_path / "store.h5")


def test_a_video_no_official_split_knows_is_left_out_and_said(
    tmp_path: Path, face_video: bytes
) -> None:
    root = tmp_path / "ff"
    for name in ("000", "777"):
        for path in (
            root / f"original_sequences/youtube/c23/videos/{name}.mp4",
            root / f"manipulated_sequences/Deepfakes/c23/videos/{name}_{name}.mp4",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_different(face_video, path))
    (root / "train.json").write_text('[["000", "001"]]')
    summary = _prepare(root, tmp_path / "store.h5")
    assert (summary.clips, summary.split_policy) == (2, "official")
    assert {(Path(entry.path).name, entry.step) for entry in summary.quarantined} == {
        ("777.mp4", "index"),
        ("777_777.mp4", "index"),
    }


def _celeb_df(root: Path, face_video: bytes) -> Path:
    """Celeb-DF of five people, whose test list holds one of several videos of id0."""
    for name in (
        *(f"Celeb-real/id{n}_0000.mp4" for n in range(5)),
        *(f"Celeb-synthesis/id{n}_id{n + 10}_0000.mp4" for n in range(5)),
        "Celeb-real/id0_0001.mp4",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_different(face_video, path))
    (root / "List_of_testing_videos.txt").write_text(
        "1 Celeb-real/id0_0000.mp4\n0 Celeb-synthesis/id0_id10_0000.mp4\n"
    )
    return root


def test_an_overlap_of_people_is_kept_out_unless_allowed_and_is_recorded(
    tmp_path: Path, face_video: bytes
) -> None:
    source, store_path = _celeb_df(tmp_path / "celeb", face_video), tmp_path / "store.h5"
    with pytest.raises(UserError, match="official splits divide 1 identity group"):
        _prepare(source, store_path, split=SplitRequest(policy="official"))
    summary = _prepare(source, store_path)
    assert (summary.split_policy, summary.overlap) == ("identity", 0)
    assert "the official lists are not used" in summary.split_note
    summary = _prepare(
        source,
        store_path,
        overwrite=True,
        split=SplitRequest(policy="official", allow_overlap=True),
    )
    assert (summary.split_policy, summary.overlap, summary.clips) == ("official", 1, 11)
    with Store(store_path) as store:
        assert store.preparation["split"]["policy"] == "official"
        assert store.preparation["split"]["overlap"] == 1
        assert sorted(store.keys[store.splits == "test"]) == [
            "Celeb-DF/Celeb-synthesis/unknown/id0_id10_0000",
            "Celeb-DF/real/unknown/id0_0000",
        ]


def test_clips_on_the_wrong_side_of_a_held_out_method_are_quarantined_and_said(
    tmp_path: Path, face_video: bytes
) -> None:
    root, store_path = tmp_path / "ff", tmp_path / "store.h5"
    for number in range(4):
        for path in (
            root / f"original_sequences/youtube/c23/videos/00{number}.mp4",
            root / f"manipulated_sequences/Deepfakes/c23/videos/00{number}_10{number}.mp4",
            root / f"manipulated_sequences/FaceSwap/c23/videos/00{number}_10{number}.mp4",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_different(face_video, path))
    summary = _prepare(
        root, store_path, split=SplitRequest(policy="leave-one-method-out", held_out="FaceSwap")
    )
    assert (summary.split_policy, summary.videos, summary.clips) == ("leave-one-method-out", 12, 8)
    assert {entry.reason.partition(",")[0] for entry in summary.quarantined} == {
        "the method FaceSwap is held out",
        "the method Deepfakes is not held out",
    }
    with Store(store_path) as store:
        assert store.preparation["split"]["held_out"] == "FaceSwap"
        assert set(store.methods[store.splits == "test"]) == {"real", "FaceSwap"}
        assert set(store.methods[store.splits != "test"]) == {"real", "Deepfakes"}


@pytest.mark.parametrize("store_name", ["people", "people/real/anna.mp4/store.h5"])
def test_a_store_that_cannot_be_written_is_said(
    store_name: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"is a folder|cannot be written"):
        _prepare(source, tmp_path / store_name)


def test_a_second_run_on_the_same_store_is_refused(source: Path, tmp_path: Path) -> None:
    store_path = tmp_path / "store.h5"

    def again(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(UserError, match="being prepared by another run"):
                _prepare(source, store_path)

    assert _prepare(source, store_path, progress=PreparationProgress(preparing=again)).clips == 8


WITHOUT_LOCKS = """
import sys
import dfsearch

try:
    dfsearch.prepare(sys.argv[1], sys.argv[2])
except dfsearch.DfsearchError as error:
    print(error)
"""


def test_a_store_on_a_file_system_without_locks_is_refused_with_this_reason(
    source: Path, tmp_path: Path, refusing: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, source, tmp_path / "store.h5"],
        env={**os.environ, "LD_PRELOAD": str(refusing), "FLOCK_ERRNO": str(errno.ENOLCK)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == (
        f"{tmp_path / 'store.h5.parts'} cannot be locked against a second run: No locks "
        "available; name a store on another file system\n"
    )


def test_another_preparation_does_not_reuse_clips(source: Path, tmp_path: Path) -> None:
    store_path = tmp_path / "store.h5"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(source, store_path, progress=PreparationProgress(preparing=stop))
    larger = prepare(source, store_path, dataclasses.replace(SMALL, size=48))
    assert larger.resumed == 0
    with Store(store_path) as store:
        assert store.clip_shape == (4, 48, 48, 4)


def test_one_video_can_be_prepared_alone(tmp_path: Path, face_video: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(face_video)
    (clip,) = prepare_clips(path, Preparation(frames=8, size=64))
    assert clip.frames.shape == (8, 64, 64, 4)
    assert clip.frames.dtype == np.uint8
    assert clip.track.coverage == 1
    assert clip.sha256 == hashlib.sha256(face_video).hexdigest()
    # The face moves across the frame and stays where it is in its crop.
    difference = clip.frames[1:].astype(int) - clip.frames[:-1]
    assert np.abs(difference).mean() < 15


def test_whatever_a_detector_raises_is_one_line(tmp_path: Path, face_video: bytes) -> None:
    class Broken:
        def detect(self, frame: object) -> list:
            raise RuntimeError("first\nsecond")

    path = tmp_path / "a.mp4"
    path.write_bytes(face_video)
    with pytest.raises(VideoError) as raised:
        prepare_clips(path, SMALL, Broken())
    assert str(raised.value) == "faces: RuntimeError: first second"


@pytest.mark.parametrize(
    "values",
    [
        {"frames": 0},
        {"frames": 2.5},
        {"frames": True},
        {"size": 8},
        {"margin": 0.5},
        {"margin": float("nan")},
        {"margin": "1"},
        {"detector": 2},
        {"min_coverage": 1.5},
        {"detection_threshold": 0},
        {"colour": 3},
    ],
)
def test_a_bad_setting_names_itself_and_what_was_received(values: dict[str, object]) -> None:
    (name,) = values
    with pytest.raises(UserError, match=name):
        Preparation.from_dict(values)


def test_settings_survive_a_round_trip() -> None:
    assert Preparation.from_dict(SMALL.to_dict()) == SMALL


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_bad_number_of_jobs_is_refused(jobs: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="jobs must be"):
        _prepare(tmp_path, tmp_path / "store.h5", execution=Execution(jobs=jobs))


@pytest.mark.slow
def test_real_face_forensics_videos_keep_their_official_splits(
    real_data: Path, tmp_path: Path
) -> None:
    summary = prepare(real_data / "ffpp", tmp_path / "store.h5", execution=Execution(jobs=2))
    assert (summary.videos, summary.clips) == (16, 16)
    assert summary.coverage >= 0.98
    assert summary.split_policy == "official"
    with Store(tmp_path / "store.h5") as store:
        splits = {
            key.rpartition("/")[2]: split
            for key, split in zip(store.keys, store.splits, strict=True)
        }
    assert {name for name, split in splits.items() if split == "test"} == {
        "000",
        "003",
        "000_003",
        "003_000",
    }
    assert {name for name, split in splits.items() if split == "val"} == {"004", "004_982"}
