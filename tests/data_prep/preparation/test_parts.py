"""Parts and guides are whole or made again; what an earlier run gave up is tried again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.preparation import part_files, part_work, parts
from data_prep.preparation.clip import Preparation
from data_prep.preparation.guides import NO_GUIDE, read_guide, write_guide
from data_prep.preparation.job import PreparationProgress, PreparationSummary
from data_prep.preparation.prepare import prepare

SMALL = Preparation(frames=4, size=32)
PEOPLE = ("anna", "ben", "cleo")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, face_video: bytes) -> Path:
    """Three people: a real video of each and a fake made from it."""
    root = tmp_path_factory.mktemp("source") / "people"
    root.mkdir()
    rows = ["path,label,original"]
    for name in PEOPLE:
        for path in (root / f"{name}.mp4", root / f"{name}_swap.mp4"):
            path.write_bytes(face_video + b"\0\0\0\x10free" + path.name[:8].encode().ljust(8))
        rows += [f"{name}.mp4,real,", f"{name}_swap.mp4,fake,{name}.mp4"]
    (root / "labels.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparationSummary:
    return prepare(source, tmp_path_factory.mktemp("whole") / "store.h5", SMALL)


@pytest.fixture(scope="module")
def finished(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts folder of a run that ended when all clips were made and the store was not."""
    store_path = tmp_path_factory.mktemp("finished") / "store.h5"

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, store_path, SMALL, progress=PreparationProgress(preparing=stop))
    return store_path.with_name("store.h5.parts")


@pytest.fixture
def left(finished: Path, tmp_path: Path) -> Path:
    """A copy of it beside where ``tmp_path / "store.h5"`` goes."""
    return Path(shutil.copytree(finished, tmp_path / "store.h5.parts"))


def _tasks(source: Path, folder: Path, **options: object) -> dict[str, part_work.Task]:
    tasks, lost = parts.plan(index(source).videos, folder, SMALL, **options)  # type: ignore[arg-type]
    assert lost == []
    return {Path(task.path).stem: task for task in tasks.values()}


def _damages(content: bytes) -> Iterator[bytes]:
    """What a file can be after a crash: cut, filled with zeros, or with another file's bytes."""
    rng = np.random.default_rng(0)
    size = len(content)
    for share in (0, 0.001, 0.1, 0.5, 0.9, 0.999):
        kept = int(share * size)
        yield content[:kept]
        yield content[:kept] + bytes(size - kept)
        yield bytes(kept) + content[kept:]
    # The names and sizes at both ends, and bits anywhere.
    for place in [*range(0, 120, 3), *range(size - 400, size, 7), *rng.integers(size, size=60)]:
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        yield bytes(changed)
    yield rng.bytes(size)
    yield b""


def test_no_damage_to_a_part_is_taken_for_a_clip(finished: Path, tmp_path: Path) -> None:
    good = min(path for path in finished.glob("*.npz") if "guide" not in path.name)
    content = good.read_bytes()
    expected = part_files.read_part(good)
    path = tmp_path / "part.npz"
    unharmed = 0
    for damaged in _damages(content):
        path.write_bytes(damaged)
        whole = part_files.is_whole(path)
        assert path.exists() == whole
        if whole:
            # What changed is no content, such as the time a file in the archive was made.
            unharmed += 1
            (clip,) = part_files.read_part(path)
            np.testing.assert_array_equal(clip.frames, expected[0].frames)
            np.testing.assert_array_equal(clip.track.boxes, expected[0].track.boxes)
            assert (clip.sha256, clip.media) == (expected[0].sha256, expected[0].media)
    assert unharmed < 60


def test_no_damage_to_a_guide_is_taken_for_a_guide(finished: Path, tmp_path: Path) -> None:
    good = min(finished.glob("*.guide.npz"))
    expected = read_guide(good)
    assert expected is not None
    path = tmp_path / "a.guide.npz"
    refused = 0
    for damaged in _damages(good.read_bytes()):
        path.write_bytes(damaged)
        guide = read_guide(path)
        if guide is None:
            refused += 1
            continue
        np.testing.assert_array_equal(guide.tracks[0].boxes, expected.tracks[0].boxes)
        np.testing.assert_array_equal(guide.thumbnails, expected.thumbnails)
        assert guide.indices.tolist() == expected.indices.tolist()
    assert refused > 60
    assert read_guide(tmp_path / "none.guide.npz") is None


def test_damaged_parts_and_guides_are_made_again(
    source: Path, whole: PreparationSummary, left: Path
) -> None:
    tasks = _tasks(source, left)
    for name, task in tasks.items():
        if name.startswith("anna"):
            content = task.part.read_bytes()
            task.part.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    for guide in left.glob("*.guide.npz"):
        guide.write_bytes(bytes(guide.stat().st_size))
    summary = prepare(source, left.with_name("store.h5"), SMALL)
    assert (summary.resumed, summary.guided) == (4, 3)
    assert summary.fingerprint == whole.fingerprint
    assert not left.exists()


def test_a_part_damaged_while_the_run_goes_on_is_one_line(source: Path, left: Path) -> None:
    store_path = left.with_name("store.h5")

    def damage(done: int, total: int) -> None:
        for path in left.glob("*.npz"):
            path.write_bytes(b"")

    with pytest.raises(UserError, match=r"\.npz is damaged .*; repeat the command") as raised:
        prepare(source, store_path, SMALL, progress=PreparationProgress(preparing=damage))
    assert "\n" not in str(raised.value)
    assert not store_path.exists()
    assert prepare(source, store_path, SMALL).resumed == 0


def test_nobody_else_can_take_a_folder_that_is_taken(tmp_path: Path) -> None:
    store_path = tmp_path / "store.h5"
    with parts.parts_folder(store_path) as folder:
        refused = pytest.raises(UserError, match=r"by another run, process \d+ on .* since ")
        with refused, parts.parts_folder(store_path):
            pass
        assert (folder / "lock").exists()
    assert not folder.exists()
    with parts.parts_folder(store_path):
        pass


def test_workers_are_told_of_parts_from_the_root_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with parts.parts_folder(Path("store.h5")) as folder:
        assert all(task.part.is_absolute() for task in _tasks(source, folder).values())
        assert folder == tmp_path / "store.h5.parts"


def test_a_folder_is_kept_for_the_clips_in_it_and_for_foreign_files(left: Path) -> None:
    store_path = left.with_name("store.h5")
    (left / "notes.txt").write_text("mine")
    with contextlib.suppress(KeyboardInterrupt), parts.parts_folder(store_path):
        raise KeyboardInterrupt
    assert len(list(left.glob("*.npz"))) == 9
    with parts.parts_folder(store_path) as folder:
        parts.remove_parts(folder)
    assert [path.name for path in left.iterdir()] == ["notes.txt"]


def test_parts_marked_done_go_when_there_is_a_store_and_not_before(left: Path) -> None:
    store_path = left.with_name("store.h5")
    parts.mark_done(left)
    with parts.parts_folder(store_path):
        assert len(list(left.glob("*.npz"))) == 9
    parts.remove_done(store_path)
    assert left.exists()
    parts.mark_done(left)
    store_path.touch()
    parts.remove_done(store_path)
    assert not left.exists()


def test_a_part_is_of_one_file_one_preparation_and_one_original(
    source: Path, tmp_path: Path
) -> None:
    root = tmp_path / "people"
    shutil.copytree(source, root)
    before = _tasks(root, tmp_path)
    assert _tasks(root, tmp_path) == before
    (root / "anna.mp4").write_bytes((root / "anna.mp4").read_bytes() + b"more")
    after = _tasks(root, tmp_path)
    changed = {name for name, task in after.items() if task.part != before[name].part}
    # The fake's crops follow its original.
    assert changed == {"anna", "anna_swap"}
    alone = _tasks(root, tmp_path, paired=False)
    assert {name for name, task in alone.items() if task.original} == set()
    assert alone["ben"].part == before["ben"].part
    assert alone["ben_swap"].part != before["ben_swap"].part


def test_originals_come_before_their_fakes(source: Path, tmp_path: Path) -> None:
    tasks = _tasks(source, tmp_path)
    assert list(tasks) == [*PEOPLE, *(f"{name}_swap" for name in PEOPLE)]
    assert tasks["anna_swap"].original == tasks["anna"].path


@pytest.mark.parametrize("mark", [b"+Timeout (0:00:02)!\nThread", b"++"])
def test_a_video_given_up_is_tried_again_with_its_fakes(
    mark: bytes, source: Path, whole: PreparationSummary, left: Path
) -> None:
    tasks = _tasks(source, left)
    original, fake = tasks["anna"], tasks["anna_swap"]
    # As a run leaves it that was killed after it had given the original up.
    original.part.unlink()
    original.mark.write_bytes(mark)
    write_guide(original.guide_file(None), NO_GUIDE)
    # Its fake, then prepared by its own track; of another video's clip this is not told apart.
    shutil.copyfile(tasks["ben"].part, fake.part)
    summary = prepare(source, left.with_name("store.h5"), SMALL)
    assert summary.resumed == 4
    assert summary.fingerprint == whole.fingerprint


def test_a_fake_is_not_blamed_for_the_time_its_original_took(source: Path, tmp_path: Path) -> None:
    tasks = _tasks(source, tmp_path)
    for name in ("anna", "anna_swap", "ben_swap"):
        tasks[name].mark.write_bytes(b"+Timeout (0:00:12)!")
    begun = parts._suspects(tasks.values())
    assert {task.path.stem for task in begun} == {"anna", "anna_swap", "ben_swap"}
    blamed = {task.path.stem for task in begun if part_work.check_attempts(task)}
    assert blamed == {"anna", "ben_swap"}


def test_a_video_that_was_worked_on_when_the_run_was_killed_does_not_cost_its_fakes(
    source: Path, whole: PreparationSummary, left: Path
) -> None:
    tasks = _tasks(source, left)
    tasks["anna"].part.unlink()
    tasks["anna"].mark.write_bytes(b"+")
    summary = prepare(source, left.with_name("store.h5"), SMALL)
    assert summary.resumed == 5
    assert summary.fingerprint == whole.fingerprint


def test_a_video_gone_since_it_was_listed_is_told(
    source: Path, tmp_path: Path, face_video: bytes
) -> None:
    root = tmp_path / "people"
    shutil.copytree(source, root)
    videos = index(root).videos
    (root / "ben_swap.mp4").unlink()
    tasks, (lost,) = parts.plan(videos, tmp_path, SMALL)
    assert len(tasks) == 5
    assert (Path(lost.path).name, lost.step) == ("ben_swap.mp4", "decode")
    assert lost.reason == "the file cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.write_bytes(part.read_bytes()[:-1]),
        lambda part: part.unlink(),
    ],
)
def test_a_part_that_is_not_whole_is_not_counted(
    change: Callable[[Path], None], source: Path, left: Path
) -> None:
    part = _tasks(source, left)["anna"].part
    assert part_files.is_whole(part)
    change(part)
    assert not part_files.is_whole(part)
    assert not part.exists()
