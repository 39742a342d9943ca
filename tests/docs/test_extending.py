"""The packages of the pages on extending: installed and used as the pages say."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.store.store import Clip, Store, write_store
from data_prep.synthetic.synthesize import synthesize

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "extending").glob("[!i]*.md"))
LONGEST = 60

# A file of a page: its name at the beginning of a line that ends in a colon, then its content.
_FILE = re.compile(
    r"^`([^`\n]+)`[^`\n]*:\n\n```(?:toml|python)\n(.*?)```", re.DOTALL | re.MULTILINE
)
_COMMANDS = re.compile(r"^```sh\n(.*?)```", re.DOTALL | re.MULTILINE)
_PROGRAMS = {"pip": "pip", "dfsearch": "search.cli"}

Follow = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic set."""
    folder = tmp_path_factory.mktemp("data") / "faces"
    synthesize(folder, identities=6, frames=16, size=192, jobs=1)
    return folder


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    """Write the files of a page and run its commands: ``follow("block.md")``, what they printed.

    Packages go to a folder of the test, without a network; all else is as on the page.
    """
    site = tmp_path / "site"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "COLUMNS": "200",
        "PIP_TARGET": str(site),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        # For pip this is the value of build isolation itself.
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(page: str) -> list[str]:
        text = (ROOT / "docs" / "extending" / page).read_text()
        for name, content in _FILE.findall(text):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        printed = []
        for line in "".join(_COMMANDS.findall(text)).splitlines():
            program, *arguments = shlex.split(line)
            command = [sys.executable, "-m", _PROGRAMS[program], *arguments]
            done = subprocess.run(
                command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
            printed.append(done.stdout)
        return printed

    return run


@pytest.fixture
def store(make_clip: Callable[..., Clip], tmp_path: Path) -> Path:
    """``store.h5``: six people, each once real and twice fake, of two methods."""
    splits = {"anna": "train", "ben": "train", "cleo": "train", "dan": "train"}
    splits |= {"eve": "val", "finn": "val", "gil": "test", "hana": "test"}
    clips = [
        make_clip(person, kind, split=split)
        for person, split in splits.items()
        for kind in ("real", "Drawn", "Painted")
    ]
    path = tmp_path / "store.h5"
    preparation = {"frames": 3, "size": 64}
    write_store(path, clips, [], {"clip": preparation, "synthetic": True})
    return path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_its_whole_code_in_less_than_sixty_lines(page: Path) -> None:
    files = dict(_FILE.findall(page.read_text()))
    assert any(name.endswith("pyproject.toml") for name in files)
    assert any(name.endswith(".py") for name in files)
    assert sum(content.count("\n") for content in files.values()) < LONGEST


@pytest.mark.slow
def test_the_layout_of_the_page_reads_its_folders(
    follow: Follow, faces: Path, tmp_path: Path
) -> None:
    videos = sorted((faces / "original_sequences").rglob("*.mp4"))
    swaps = sorted((faces / "manipulated_sequences").rglob("*.mp4"))
    assert len(videos) == len(swaps) == 6
    for number, video in enumerate(videos):
        folder = tmp_path / "studio" / f"person{video.stem}" / "original"
        folder.mkdir(parents=True)
        (folder / "01.mp4").symlink_to(video)
        target, donor = swaps[number].stem.split("_")
        folder = tmp_path / "studio" / f"person{target}" / f"with_face_of_person{donor}"
        folder.mkdir(parents=True)
        (folder / "01.mp4").symlink_to(swaps[number])
    (tmp_path / "studio" / "person000" / "notes").mkdir(exist_ok=True)
    (tmp_path / "studio" / "person000" / "notes" / "x.txt").touch()
    _, prepared, _ = follow("data_set.md")
    assert "studio" in prepared
    with Store(tmp_path / "studio.h5") as store:
        assert store.preparation["layout"] == "studio"
        assert "dfsearch-studio" in store.preparation["versions"]
        assert len(store) == 12
        assert len(set(store.groups)) == 3
        assert set(store.methods) == {"real", "swap"}


@pytest.mark.slow
def test_the_detector_of_the_page_finds_faces(follow: Follow, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "faces").symlink_to(faces)
    follow("detector.md")
    with Store(tmp_path / "cascade.h5") as store:
        assert len(store) == 12
        assert store.preparation["clip"]["detector"] == "cascade"


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_the_block_of_the_page_is_searched(follow: Follow, tmp_path: Path) -> None:
    *_, board = follow("block.md")
    assert "chroma" in board
    run = tmp_path / "runs" / "chroma"
    with (run / "leaderboard.csv").open() as file:
        trials = [row for row in csv.DictReader(file) if row["stage"] == "architecture"]
    assert [row["state"] for row in trials] == ["complete", "complete"]
    assert ["noise-residual", "chroma"] in [json.loads(row["streams"]) for row in trials]
    assert json.loads((run / "run.json").read_text())["versions"]["dfsearch-chroma"] == "1.0"
    # Without the package, in a process that has Keras alone.
    script = "import keras; keras.models.load_model('best_model.h5', compile=False)"
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", script], cwd=run, env=alone, check=True)


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_the_objective_of_the_page_steers_a_search(follow: Follow, tmp_path: Path) -> None:
    follow("objective.md")
    run = tmp_path / "runs" / "hardest"
    with (run / "leaderboard.csv").open() as file:
        trials = [row for row in csv.DictReader(file) if row["stage"] == "architecture"]
    with (run / "trials" / "architecture" / "0" / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    (first,) = (row for row in trials if row["trial"] == "0")
    found = [float(epoch["val_objective"]) for epoch in history]
    assert float(first["objective"]) == pytest.approx(max(found))
    # The worst of two methods is at most what they are together.
    assert all(
        worst <= float(epoch["val_auc"]) + 1e-9 for worst, epoch in zip(found, history, strict=True)
    )
