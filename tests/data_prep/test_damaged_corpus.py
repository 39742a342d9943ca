"""Hundreds of damaged and hostile files: the good arrive, the bad are named, the rest is untouched.

What must fail follows from what was done to a file, not from how it reads: a video without its
index or without a third of its length, no video at all, no face. A file that is damaged and yet
decodes may arrive.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import Store

Encoder = Callable[..., Path]
Program = Callable[..., None]
Frames = Callable[..., Iterator[np.ndarray]]

_FRAMES, _GOOD = 4, 6
_ANYTHING = r"."
# What a damaged video can be told to be.
_DAMAGED = (
    r"truncated|not a video|no video|damaged|no frame|needs at least|no decoder|pixels|"
    r"the file is empty|changed"
)


class Corpus:
    """Files made below ``folder``, and the reason each must be refused for; None if it may pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected: dict[Path, str | None] = {}

    def place(self, name: str, reason: str | None) -> Path:
        """Where to make a file of this name, half of them among the real and half the fake."""
        label = ("real", "fake")[len(self.expected) % 2]
        path = self.folder / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert path not in self.expected
        self.expected[path] = reason
        return path

    def add(self, name: str, content: bytes, reason: str | None) -> None:
        self.place(name, reason).write_bytes(content)


@pytest.fixture(scope="module")
def videos(
    tmp_path_factory: pytest.TempPathFactory, encode: Encoder, face_frames: Frames
) -> dict[str, bytes]:
    """Good videos of one face, 24 frames of 160 x 120, by name."""
    folder = tmp_path_factory.mktemp("good")
    kinds = {
        "index_last.mp4": ["-c:v", "libx264"],
        "index_first.mp4": ["-c:v", "libx264", "-movflags", "faststart"],
        "jpegs.avi": ["-c:v", "mjpeg"],
        "matroska.mkv": ["-c:v", "libx264", "-g", "8"],
        "vp9.webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
        "stream.ts": ["-c:v", "libx264", "-g", "8"],
    }
    small = ["-vf", "scale=160:120"]
    return {
        name: encode(folder / name, face_frames(24), *small, *options).read_bytes()
        for name, options in kinds.items()
    }


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory,
    videos: dict[str, bytes],
    encode: Encoder,
    ffmpeg: Program,
) -> Corpus:
    made = Corpus(tmp_path_factory.mktemp("corpus") / "source")
    _add_truncated(made, videos)
    _add_damaged(made, videos)
    _add_other_formats(made, videos)
    _add_odd_videos(made, videos, encode, ffmpeg, tmp_path_factory.mktemp("scratch"))
    _add_no_files(made, videos)
    assert len(made.expected) >= 300
    for number, content in enumerate(videos.values()):
        for label in ("real", "fake"):
            (made.folder / label / f"good_{label}_{number}.mp4").write_bytes(content)
    return made


def _add_truncated(corpus: Corpus, videos: dict[str, bytes]) -> None:
    for name, content in videos.items():
        told = name != "stream.ts"  # a stream's length is told nowhere
        for percent in [*range(4, 70, 3), 80, 90, 97, 99]:
            fails = told and (percent < 70 or (name == "index_last.mp4" and percent <= 90))
            reason = _DAMAGED if fails else None
            kept = content[: len(content) * percent // 100]
            corpus.add(f"cut_{percent}_{name}", kept, reason)
        for length in (1, 8, 20, 40, 100):
            corpus.add(f"head_{length}_{name}", content[:length], _DAMAGED)


def _add_damaged(corpus: Corpus, videos: dict[str, bytes]) -> None:
    rng = np.random.default_rng(0)
    for name, content in videos.items():
        for changes in (1, 10, 100, 1000):
            for again in range(4):
                flipped = np.frombuffer(content, np.uint8).copy()
                flipped[rng.integers(len(content), size=changes)] ^= np.uint8(1 << rng.integers(8))
                corpus.add(f"flipped_{changes}_{again}_{name}", flipped.tobytes(), None)
        for again in range(4):
            start = int(rng.integers(len(content)))
            zeroed = bytearray(content)
            zeroed[start : start + len(content) // 10] = bytes(len(content) // 10)
            corpus.add(f"zeroed_{again}_{name}", zeroed[: len(content)], None)
        corpus.add(f"zeros_{name}", bytes(len(content)), _DAMAGED)
        corpus.add(f"noise_{name}", rng.bytes(len(content)), _DAMAGED)
        corpus.add(f"backwards_{name}", content[::-1], _DAMAGED)


def _add_other_formats(corpus: Corpus, videos: dict[str, bytes]) -> None:
    for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), "grey").save(buffer, form)
        corpus.add(f"picture_{form}.mp4", buffer.getvalue(), "a picture, not a video")
        corpus.add(f"cut_{form}.mp4", buffer.getvalue()[:40], "a picture, not a video")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("video.mp4", videos["index_first.mp4"])
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
    for name, content in {
        "zip.mp4": buffer.getvalue(),
        "pdf.mp4": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n",
        "text.mp4": b"not a video\n" * 500,
        "page.mp4": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "list.mp4": playlist.format("good_real_1.mp4").encode(),
        "concat.mp4": b"ffconcat version 1.0\nfile good_real_1.mp4\n",
        "remote.mp4": playlist.format("http://127.0.0.1:9/a.ts").encode(),
        "sdp.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "script.avi": b"#!/bin/sh\ntouch executed\n",
        "program.mkv": Path(sys.executable).resolve().read_bytes()[:50_000],
        "hdf5.mp4": b"\x89HDF\r\n\x1a\n" + bytes(2000),
    }.items():
        corpus.add(name, content, "no video|no frame")
    corpus.add("empty.mp4", b"", "the file is empty")
    corpus.add("good_with_another_ending.mkv", videos["index_first.mp4"], None)


def _add_odd_videos(
    corpus: Corpus, videos: dict[str, bytes], encode: Encoder, ffmpeg: Program, scratch: Path
) -> None:
    grey = np.full((120, 160, 3), 90, np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (24, 120, 160, 3), np.uint8)
    for name, frames in {"grey": [grey] * 24, "noise": noise}.items():
        path = encode(scratch / f"{name}.mp4", frames)
        corpus.add(f"faceless_{name}.mp4", path.read_bytes(), "face")
    for count in (1,):
        path = encode(scratch / "few.mp4", [grey] * count)
        corpus.add(f"frames_{count}.mp4", path.read_bytes(), "needs at least")
    for ending in ("mp4", "mkv"):
        path = scratch / f"sound.{ending}"
        ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)
        corpus.add(f"sound.{ending}", path.read_bytes(), "no video stream found, only sound")
    raw = encode(scratch / "raw.avi", [grey] * 12, "-c:v", "rawvideo").read_bytes()
    for side in (8200, 30_000):
        corpus.add(f"raw_{side}.avi", _with_size(raw, side), "pixels")
    corpus.add("no_rate.avi", _with_rate(videos["jpegs.avi"], 0), None)
    corpus.add("endless_rate.avi", _with_rate(videos["jpegs.avi"], 2**32 - 1), None)
    for name in ("mvhd", "mdhd", "tkhd"):
        content = videos["index_first.mp4"]
        corpus.add(f"no_duration_{name}.mp4", _without_duration(content, name.encode()), None)
    # Every picture in it says it is larger than it is.
    claimed = re.sub(
        rb"(\xff\xc0\x00\x11\x08)....",
        lambda found: found[1] + b"\xff\xdc\xff\xdc",
        videos["jpegs.avi"],
        flags=re.DOTALL,
    )
    assert claimed != videos["jpegs.avi"]
    corpus.add("jpegs_65500.avi", claimed, _DAMAGED)


def _with_size(content: bytes, side: int) -> bytes:
    """An AVI file of another frame size (AVI RIFF reference: BITMAPINFOHEADER in strf)."""
    changed = bytearray(content)
    struct.pack_into("<ii", changed, content.index(b"strf") + 8 + 4, side, side)
    return bytes(changed)


def _with_rate(content: bytes, rate: int) -> bytes:
    """An AVI file of another frame rate (dwMicroSecPerFrame in avih, dwRate in strh)."""
    changed = bytearray(content)
    for place in (content.index(b"avih") + 8, content.index(b"strh") + 8 + 24):
        struct.pack_into("<I", changed, place, rate)
    return bytes(changed)


def _without_duration(content: bytes, box: bytes) -> bytes:
    """An MP4 file with a duration of zero in a box of version 0 (ISO/IEC 14496-12, 8.2 and 8.3)."""
    changed = bytearray(content)
    place = content.index(box) + 4 + (20 if box == b"tkhd" else 16)
    assert struct.unpack_from(">I", content, place) != (0,)
    struct.pack_into(">I", changed, place, 0)
    return bytes(changed)


def _add_no_files(corpus: Corpus, videos: dict[str, bytes]) -> None:
    os.mkfifo(corpus.place("pipe.mp4", "not a regular file"))
    corpus.place("device.mp4", "not a regular file|a broken link").symlink_to("/dev/zero")
    corpus.place("nowhere.mp4", "a broken link").symlink_to("nothing")
    circle = corpus.place("circle.mp4", _ANYTHING)
    circle.symlink_to(circle)
    # A socket's name must be short.
    place = corpus.place("socket.mp4", "not a regular file")
    folder = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(place.parent)
        try:
            server.bind(place.name)
        finally:
            os.chdir(folder)
    locked = corpus.place("locked.mp4", None if os.access("/", os.W_OK) else "cannot be read")
    locked.write_bytes(videos["index_first.mp4"])
    locked.chmod(0)
    (corpus.folder / "real" / "folder.mp4").mkdir()
    (corpus.folder / "fake" / "back.mp4").symlink_to(corpus.folder)


def _state(folder: Path) -> dict[str, tuple]:
    """Everything below a folder: kind, size, time of change and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = ""
        if stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
    return found


class Surroundings:
    """Folders of its own for one command, to see what it leaves in them."""

    def __init__(self, folder: Path) -> None:
        self.working, self.home = folder / "working", folder / "home"
        self.temporary, self.output = folder / "temporary", folder / "output"
        for place in (self.working, self.home, self.temporary, self.output):
            place.mkdir()
        self._mark = f"mark-{folder}"

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.working,
            env={
                **os.environ,
                "HOME": str(self.home),
                "TMPDIR": str(self.temporary),
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "DFSEARCH_TEST": self._mark,
            },
        )

    def processes(self) -> list[str]:
        """Processes that are still there, after time to end."""
        deadline = time.monotonic() + 20
        while (found := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    def _processes(self) -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text())
            except OSError:
                continue
        return found


_SCRIPT = """
import json, sys
from pathlib import Path
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest

made = prepare(
    Path(sys.argv[1]), Path(sys.argv[2]), Preparation(frames=4, size=32),
    execution=Execution(jobs=2), split=SplitRequest("test"),
)
print(json.dumps([[entry.path, entry.step, entry.reason] for entry in made.quarantined]))
"""


@pytest.fixture(scope="module")
def prepared(
    corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Surroundings, subprocess.CompletedProcess[str], bool]:
    """The corpus prepared once; whether it was left as it was."""
    around = Surroundings(tmp_path_factory.mktemp("around"))
    before = _state(corpus.folder.parent)
    done = around.run(sys.executable, "-c", _SCRIPT, corpus.folder, around.output / "store.h5")
    return around, done, _state(corpus.folder.parent) == before


@pytest.mark.slow
def test_it_ends_in_silence_and_touches_nothing_else(prepared: tuple) -> None:
    around, done, untouched = prepared
    assert (done.returncode, done.stderr) == (0, "")
    assert untouched
    assert [path.name for path in around.output.iterdir()] == ["store.h5"]
    left = [*around.working.rglob("*"), *around.home.rglob("*"), *around.temporary.rglob("*")]
    assert left == []
    assert around.processes() == []


@pytest.mark.slow
def test_every_good_video_arrives_and_every_bad_one_has_a_fitting_reason(
    corpus: Corpus, prepared: tuple
) -> None:
    around, done, _ = prepared
    with Store(around.output / "store.h5") as store:
        arrived = set(store.paths.tolist())
    quarantined = {Path(path): reason for path, _, reason in json.loads(done.stdout)}
    good = {*corpus.folder.glob("*/good_real_*"), *corpus.folder.glob("*/good_fake_*")}
    assert len(good) == 2 * _GOOD
    assert good <= {Path(path) for path in arrived}
    for path, expected in corpus.expected.items():
        assert (path in quarantined) != (str(path) in arrived), path
        if expected is not None:
            assert path in quarantined, path
            assert re.search(expected, quarantined[path]), (path, quarantined[path])
    for path, reason in quarantined.items():
        assert 0 < len(reason) <= 300, path
        assert "\n" not in reason
        assert not re.search(r"Traceback|Error:|Errno|<.*object at", reason), (path, reason)


@pytest.mark.slow
def test_the_command_line_says_the_same(corpus: Corpus, prepared: tuple, tmp_path: Path) -> None:
    """Of every ninth file, what all are told of; some of them arrive."""
    files = [path for path in corpus.expected if path.is_file() and not path.is_symlink()][::9]
    some = tmp_path / "source"
    for path in (*files, *corpus.folder.glob("*/good_*_1.mp4")):
        copy = some / path.relative_to(corpus.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    told = {
        str(Path(path).relative_to(corpus.folder)): [step, reason]
        for path, step, reason in json.loads(prepared[1].stdout)
    }
    expected = {name: told[name] for name in told if (some / name).exists()}
    assert 20 < len(expected) < len(files)

    (tmp_path / "around").mkdir()
    around = Surroundings(tmp_path / "around")
    options = ["--frames", _FRAMES, "--size", 32, "--jobs", 2, "--split-policy", "test", "--json"]
    command = [sys.executable, "-m", "search.cli", "prepare"]
    store = around.output / "store.h5"
    done = around.run(*command, some, store, *options)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    shown = json.loads(done.stdout)
    assert expected == {
        str(Path(entry["path"]).relative_to(some)): [entry["step"], entry["reason"]]
        for entry in shown["quarantined"]
    }
    assert [path.name for path in around.output.iterdir()] == ["store.h5"]
    assert around.processes() == []


# Lists and tables that lie.


@pytest.fixture
def tree(tmp_path: Path, videos: dict[str, bytes]) -> Path:
    """A small good source: two real and two fake videos."""
    for number, label in enumerate(("real", "real", "fake", "fake")):
        path = tmp_path / "tree" / label / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(videos["index_first.mp4"])
    (tmp_path / "outside.mp4").write_bytes(videos["index_first.mp4"])
    return tmp_path / "tree"


def _prepare_tree(tree: Path, **options: object) -> tuple[int, list[str]]:
    made = prepare(
        tree,
        tree.with_name("store.h5"),
        Preparation(frames=_FRAMES, size=32),
        split=SplitRequest(policy="test"),
        **options,
    )
    return made.clips, [entry.reason for entry in made.quarantined]


_ROWS = "path,label\nreal/0.mp4,real\nreal/1.mp4,real\nfake/2.mp4,fake\nfake/3.mp4,fake\n"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../outside.mp4,real", "leads out"),
        ("real/../../outside.mp4,real", "leads out"),
        ("/etc/hostname,real", "absolute"),
        ("C:\\\\video.mp4,real", "absolute"),
        ("real/none.mp4,real", "listed but missing"),
        ("real/0.mp4,fake", "contradict each other"),
        ("real/folder,real", "listed but missing"),
        ("real/pipe.mp4,real", "listed but missing|not a regular file"),
        ("fake/extra.mp4,perhaps", "label"),
        (",real", "no path"),
    ],
)
def test_a_row_of_a_table_that_lies_is_quarantined(row: str, reason: str, tree: Path) -> None:
    (tree / "real" / "folder").mkdir()
    os.mkfifo(tree / "real" / "pipe.mp4")
    shutil.copy(tree / "fake" / "3.mp4", tree / "fake" / "extra.mp4")
    (tree / "labels.csv").write_text(_ROWS + row + "\n")
    clips, quarantined = _prepare_tree(tree)
    assert clips in (3, 4)
    assert any(re.search(reason, found) for found in quarantined), quarantined


def test_a_link_out_of_the_tree_is_followed_but_not_written_to(tree: Path) -> None:
    outside = tree.with_name("outside.mp4")
    before = outside.stat().st_mtime_ns
    (tree / "real" / "link.mp4").symlink_to(outside)
    assert _prepare_tree(tree)[0] == 5
    assert outside.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("labels.csv", b"file,kind\nreal/0.mp4,real\n", "labels.csv"),
        ("labels.csv", b"", "labels.csv"),
        ("labels.csv", b"\xff\xfe\x00\x01" * 50, "labels.csv"),
        ("labels.csv", b'path,label\n"real/0.mp4,real\n', "labels.csv"),
        ("metadata.json", b"{", "DFDC"),
        ("metadata.json", b"[1, 2]", "DFDC"),
        ("metadata.json", b'{"a.mp4": 3}', "DFDC"),
        ("metadata.json", b"[" * 100_000, "DFDC"),
        ("metadata.json", b"\xff\xfe\xfd", "DFDC"),
        ("dataset.json", b'{"a.mp4": {"label": 7}}', "DFDC-preview"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_line(
    name: str, content: bytes, layout: str, tree: Path
) -> None:
    (tree / name).write_bytes(content)
    with pytest.raises(UserError) as raised:
        _prepare_tree(tree, layout=layout)
    assert "\n" not in str(raised.value)
    assert not tree.with_name("store.h5").exists()
