from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from search.cli import store as cli_store  # noqa: F401
from search.cli.app import app
from search.samples.pseudo_fake_page import draw_pseudo_fakes

MakeClip = Callable[..., Clip]


@pytest.fixture
def store_path(make_clip: MakeClip, tmp_path: Path) -> Path:
    people = ("anna", "ben")
    clips = [make_clip(person, kind) for person in people for kind in ("real", "swap")]
    write_store(tmp_path / "store.h5", clips, [], {})
    return tmp_path / "store.h5"


def test_the_command_draws_as_many_as_asked_for(store_path: Path, tmp_path: Path) -> None:
    heights = []
    for clips in ("2", "6"):
        page = tmp_path / f"{clips}.png"
        words = ["pseudo-fakes", str(store_path), "-o", str(page), "--clips", clips]
        shown = CliRunner().invoke(app, words)
        assert shown.exit_code == 0, shown.output
        assert str(page) in shown.stderr and shown.stdout == ""
        with Image.open(page) as picture:
            heights.append(picture.height)
    assert heights[0] < heights[1]


def test_the_page_lies_beside_its_store_unless_named(store_path: Path) -> None:
    shown = CliRunner().invoke(app, ["pseudo-fakes", str(store_path)])
    assert shown.exit_code == 0, shown.output
    assert store_path.with_name("store.h5.pseudo-fakes.png").exists()


def test_pseudo_fakes_are_drawn_by_the_seed_and_are_not_the_clips(
    store_path: Path, tmp_path: Path
) -> None:
    with Store(store_path) as store:
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            draw_pseudo_fakes(store, tmp_path / f"{name}.png", clips=2, seed=seed)
    pages = [np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "abc"]
    # The title above names the seed.
    first, again, other = (page[48:].tobytes() for page in pages)
    assert first == again != other


def test_reals_of_another_split_are_shown_where_training_has_none(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    write_store(tmp_path / "s.h5", [make_clip("anna", split="test")], [], {"synthetic": True})
    with Store(tmp_path / "s.h5") as store:
        draw_pseudo_fakes(store, tmp_path / "page.png", clips=2)
    with Image.open(tmp_path / "page.png") as picture:
        assert np.ptp(np.asarray(picture)) > 100


def test_a_store_without_reals_is_a_clear_error(make_clip: MakeClip, tmp_path: Path) -> None:
    write_store(tmp_path / "s.h5", [make_clip("anna", "swap")], [], {})
    with Store(tmp_path / "s.h5") as store, pytest.raises(UserError, match="no real clips"):
        draw_pseudo_fakes(store, tmp_path / "page.png")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda file: file.pop("clips/landmarks"), "has no /clips/landmarks"),
        (lambda file: file.pop("clips/media/width"), "has no /clips/media/width"),
        (lambda file: file["clips/boxes"].__setitem__(..., np.nan), "that are no numbers"),
        (
            lambda file: file.attrs.__setitem__("preparation", '{"clip": {"margin": "x"}}'),
            "that are no numbers",
        ),
    ],
)
def test_a_store_without_usable_tracks_is_an_error_of_one_line(
    change: Callable[[h5py.File], object], what: str, store_path: Path, tmp_path: Path
) -> None:
    with h5py.File(store_path, "a") as file:
        change(file)
    with Store(store_path) as store, pytest.raises(UserError, match=what) as error:
        draw_pseudo_fakes(store, tmp_path / "page.png", clips=2)
    assert "\n" not in str(error.value)
