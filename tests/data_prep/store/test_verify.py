"""A whole store has no problem; whatever is damaged is found, and never with a traceback."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import prepare
from data_prep.store.store import SPLITS, Clip, write_store
from data_prep.store.verify import verify, verify_in_time
from data_prep.store.verify_report import Problem

MakeClip = Callable[..., Clip]
CLIPS = 6
# More by hand: DFSEARCH_FUZZ=300 pytest tests/data_prep/test_verify.py
EXAMPLES = int(os.environ.get("DFSEARCH_FUZZ", "0"))


def _clips(make_clip: MakeClip) -> list[Clip]:
    flow = np.linspace(-1, 1, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3).astype(np.float16)
    clips = []
    for number in range(CLIPS):
        clip = make_clip(
            f"person{number}",
            ("real", "swap")[number % 2],
            split=SPLITS[number % 3],
            modalities={"flow": flow},
        )
        small = np.ascontiguousarray(clip.frames[:, 20:28, 20:28])
        clips.append(dataclasses.replace(clip, frames=small))
    return clips


@pytest.fixture
def store_path(make_clip: MakeClip, tmp_path: Path) -> Path:
    path = tmp_path / "store.h5"
    write_store(path, _clips(make_clip), [], {"split": {"overlap": 0}})
    return path


def _wheres(problems: list[Problem]) -> list[str]:
    return [problem.where for problem in problems]


def test_a_store_as_written_is_whole(store_path: Path) -> None:
    assert verify(store_path) == []


def test_a_prepared_store_is_whole(
    tmp_path: Path, face_video: bytes, write_video: Callable[..., Path]
) -> None:
    for person in ("anna", "ben", "cleo"):
        for path in (f"real/{person}.mp4", f"fake/{person}_swap.mp4"):
            (tmp_path / "people" / path).parent.mkdir(parents=True, exist_ok=True)
            # An empty box of its own, since identical files are one identity group.
            box = b"free" + path[:4].encode() + person[:4].ljust(4).encode()
            (tmp_path / "people" / path).write_bytes(face_video + b"\0\0\0\x10" + box)
    prepare(tmp_path / "people", tmp_path / "store.h5", Preparation(frames=2, size=32))
    assert verify(tmp_path / "store.h5") == []


def test_shards_are_whole_together(make_clip: MakeClip, tmp_path: Path) -> None:
    write_store(tmp_path / "shards", _clips(make_clip), [], {}, shard_clips=2)
    assert verify(tmp_path / "shards") == []


def test_any_byte_changed_in_the_frames_is_found(store_path: Path) -> None:
    content = store_path.read_bytes()
    with h5py.File(store_path) as file:
        chunks = [file["frames"].id.get_chunk_info(row) for row in range(CLIPS)]
    rng = np.random.default_rng(0)
    for row, chunk in enumerate(chunks):
        for at in rng.integers(0, chunk.size, 10):
            damaged = bytearray(content)
            damaged[chunk.byte_offset + int(at)] ^= int(rng.integers(1, 256))
            store_path.write_bytes(damaged)
            problems = verify(store_path)
            assert "attribute fingerprint" in _wheres(problems), (row, at)
            for where in _wheres(problems)[:-1]:
                assert where.startswith(f"/frames row {row} (set/")


def test_a_row_is_named_where_grey_no_longer_fits(store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        frames = file["frames"][4]
        frames[0, 0, 0, 3] ^= 1
        file["frames"][4] = frames
    first = verify(store_path)[0]
    assert first.where == "/frames row 4 (set/real/c23/person4)"
    assert "rounded mean" in first.what


def _set(name: str, row: Any, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[name][...]
        values[row] = value
        del file[name]
        file[name] = values

    return change


def _drop(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def _replace(name: str, values: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


def _attribute(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (_set("label", 1, 7), "/label row 1", "neither 0"),
        (_set("clips/split", 2, b"tset"), "/clips/split row 2", "not one of train, val, test"),
        (_set("clips/method", 0, b"swap"), "/clips/method row 0", "does not match the label"),
        (_set("clips/key", 0, b"set/swap/c23/person1"), "/clips/key", "occur twice"),
        (_set("clips/group", 0, b"person1"), "/clips/group", "in more than one split"),
        (_set("clips/coverage", 3, 1.5), "/clips/coverage row 3", "not from 0 to 1"),
        (_set("clips/coverage", 3, np.nan), "/clips/coverage row 3", "not from 0 to 1"),
        (_set("clips/scores", (3, 1), -1), "/clips/scores row 3", "not from 0 to 1"),
        (_set("clips/frame_indices", (3, 1), 9), "/clips/frame_indices row 3", "not ascend"),
        (_set("clips/frame_times", (3, 1), -1), "/clips/frame_times row 3", "is negative"),
        (_set("clips/boxes", (3, 1, 2), -1), "/clips/boxes row 3", "is empty"),
        (_set("clips/boxes", np.s_[:, 1, 2], np.inf), "/clips/boxes row 0, 1, 2 and 3 more", ""),
        (_set("clips/landmarks", (3, 1, 2), np.nan), "/clips/landmarks row 3", "not finite"),
        (_set("clips/media/width", 3, -1), "/clips/media/width row 3", "is negative"),
        (_set("clips/shortcuts/noise", 3, np.nan), "/clips/shortcuts/noise row 3", "not finite"),
        (_set("clips/shortcuts/noise", 3, -1e31), "/clips/shortcuts/noise row 3", "exceeds 1e+30"),
        (_set("flow", (3, 0, 0, 0), np.nan), "/flow row 3 (set/swap/c23/person3)", "not finite"),
        (_drop("frames"), "/frames", "is missing"),
        (_drop("label"), "/label", "is missing"),
        (_drop("clips/key"), "/clips/key", "is missing"),
        (_drop("clips/boxes"), "/clips/boxes", "is missing"),
        (_drop("clips/media"), "/clips/media", "cannot be read"),
        (_drop("clips/media/fps"), "/clips/media/fps", "is missing"),
        (_drop("quarantine/step"), "/quarantine/step", "is missing"),
        (_drop("clips"), "/clips/key", "is missing"),
        (_replace("label", np.zeros(5, np.uint8)), "/label", "has shape (5,), expected (6)"),
        (_replace("label", np.zeros(6)), "/label", "unexpected type float64"),
        (_replace("frames", np.zeros((6, 3), np.uint8)), "/frames", "expected uint8 (N, T, H"),
        (_replace("clips/boxes", np.ones((6, 2, 4))), "/clips/boxes", "has shape (6, 2, 4)"),
        (_replace("clips/key", np.arange(6)), "/clips/key", "unexpected type int64"),
        (_attribute("preparation", "[1"), "attribute preparation", "cannot be read"),
        (_attribute("preparation", "[]"), "attribute preparation", "not a JSON object"),
        (
            _attribute("fingerprint", "0" * 64),
            "attribute fingerprint",
            "does not match the content",
        ),
    ],
)
def test_what_is_not_as_promised_is_named(
    store_path: Path, change: Callable[[h5py.File], None], where: str, what: str
) -> None:
    with h5py.File(store_path, "a") as file:
        change(file)
    problems = verify(store_path)
    assert [problem for problem in problems if problem.where == where and what in problem.what], (
        problems
    )


def test_groups_that_were_let_through_are_no_problem(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = [make_clip("anna"), make_clip("anna", "swap", split="test")]
    for overlap, problems in ((1, 0), (0, 1)):
        path = tmp_path / f"{overlap}.h5"
        write_store(path, clips, [], {"split": {"overlap": overlap}})
        assert len(verify(path)) == problems


@pytest.mark.parametrize("part", ["shard", "index"])
def test_shards_that_do_not_belong_together_are_found(
    make_clip: MakeClip, tmp_path: Path, part: str
) -> None:
    folder = tmp_path / "shards"
    write_store(folder, _clips(make_clip), [], {}, shard_clips=2)
    index = json.loads((folder / "index.json").read_text())
    if part == "shard":
        names = [folder / shard["file"] for shard in index["shards"]]
        names[0].write_bytes(names[1].read_bytes())
        problems = verify(folder)
        assert any(problem.where == f"{names[0].name} index.json" for problem in problems)
        assert any("occur twice" in problem.what for problem in problems)
    else:
        index["fingerprint"] = "0" * 64
        (folder / "index.json").write_text(json.dumps(index))
        assert _wheres(verify(folder)) == ["index.json"]


def test_a_missing_shard_is_named(make_clip: MakeClip, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    write_store(folder, _clips(make_clip), [], {}, shard_clips=2)
    lost = sorted(folder.glob("*.h5"))[1]
    lost.unlink()
    assert any(lost.name in problem.what for problem in verify(folder))


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no store")
    with pytest.raises(UserError, match="not an HDF5 file"):
        verify(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="not a store"):
        verify(tmp_path / "other.h5")
    with pytest.raises(UserError, match="no store at"):
        verify(tmp_path / "none.h5")


def test_another_schema_is_refused(store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(UserError, match="schema 99"):
        verify(store_path)


@pytest.fixture(scope="module")
def whole(make_clip: MakeClip, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "store.h5"
    write_store(path, _clips(make_clip), [], {})
    return path.read_bytes()


@settings(
    # Some damage, seldom met, keeps the HDF5 library in a loop that nothing here can leave.
    derandomize=True,
    max_examples=EXAMPLES or 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(start=st.floats(0, 1, exclude_max=True), damage=st.binary(min_size=1, max_size=600))
def test_no_damage_makes_verification_fail_itself(
    whole: bytes, tmp_path: Path, start: float, damage: bytes
) -> None:
    """Bytes overwritten anywhere: problems or one clear error, and no gigabytes of memory."""
    at = int(start * len(whole))
    path = tmp_path / "damaged.h5"
    path.write_bytes((whole[:at] + damage + whole[at + len(damage) :])[: len(whole)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        assert all(isinstance(problem, Problem) for problem in verify(path))
    except UserError as error:
        assert "\n" not in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@settings(
    derandomize=True,
    max_examples=EXAMPLES or 40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_store_cut_short_is_never_called_whole(
    whole: bytes, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "cut.h5"
    path.write_bytes(whole[: int(share * len(whole))])
    try:
        assert verify(path)
    except UserError as error:
        assert "damaged" in str(error) or "not an HDF5 file" in str(error)


def test_a_check_that_does_not_end_is_ended(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify_in_time(store_path) == []
    # No process starts in no time: it stands for one that the HDF5 library keeps for ever.
    monkeypatch.setattr("data_prep.store.verify._LEAST_SECONDS", 0.0)
    monkeypatch.setattr("data_prep.store.verify._SLOWEST", float("inf"))
    with pytest.raises(UserError, match="damaged: reading it does not end; prepare it"):
        verify_in_time(store_path)
