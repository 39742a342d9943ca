"""What other packages add is found by name, imported when used, and named when it is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep import plugins
from data_prep.datasets import LAYOUTS, index
from data_prep.errors import UserError
from data_prep.faces.detectors import DETECTORS, make_detector, names
from data_prep.preparation.clip import Preparation

AddPackage = Callable[..., None]

LAYOUT = """
from pathlib import Path
from data_prep.datasets import DataSetIndex, Layout, Video

def detect(source):
    return (source / "mine").is_dir()

def read(source):
    path = source / "mine" / "a.mp4"
    {extra}
    return DataSetIndex("mine", "mine", {videos}, ())

IT = Layout("mine", "mine/", detect, read)
"""
ONE = 'Video("mine/real/x/a", path, 0, "real", "x", ("anna",))'

DETECTOR = """
import numpy as np
from data_prep.faces.detection import Detection

class IT:
    def __init__(self, side, threshold):
        self.side, self.threshold, self.second_threshold = side, threshold, 0.9

    def detect(self, frame, *, side=None, threshold=None):
        return {found}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder that only the layout of another package knows, but for real/ and fake/ in it."""
    for name in ("mine", "real", "fake"):
        (tmp_path / "source" / name).mkdir(parents=True)
    (tmp_path / "source" / "real" / "a.mp4").touch()
    return tmp_path / "source"


def test_a_layout_of_another_package_goes_before_the_built_in_ones(
    add_package: AddPackage, source: Path
) -> None:
    add_package(plugins.LAYOUTS, "mine", LAYOUT.format(extra="", videos=f"({ONE},)"))
    assert index(source).layout == index(source, "MINE").layout == "mine"
    assert index(source, "folders").layout == "folders"
    with pytest.raises(UserError, match=r"auto or one of labels\.csv, .*, stills, mine; received"):
        index(source, "yours")


@pytest.mark.parametrize(
    ("extra", "videos", "said"),
    [
        ("1 / 0", "()", r"failed: ZeroDivisionError: division by zero \(other_code\.py:10\)"),
        ("return 5", "()", "gives int, expected DataSetIndex"),
        ("", "(5,)", "gives int among the videos"),
        ("", f"({ONE}, {ONE})", "gives two videos the key mine/real/x/a; .*distinct"),
        ("", f"({ONE.replace(' 0,', ' 2,')},)", "the label 2, expected 0"),
        ("", f"""({ONE.replace('("anna",)', '"anna"')},)""", "identities 'anna', expected a tuple"),
        ("", f"""({ONE.replace('("anna",)', "()")},)""", "identities .., expected a tuple"),
        ("", f"({ONE[:-1]}, 'dev'),)", "the split 'dev', expected train, val, test"),
        ("", f"({ONE[:-1]}, None, path),)", "an original that is not a real"),
    ],
)
def test_what_a_layout_gets_wrong_is_one_line_that_names_its_package(
    extra: str, videos: str, said: str, add_package: AddPackage, source: Path
) -> None:
    add_package(plugins.LAYOUTS, "mine", LAYOUT.format(extra=extra, videos=videos))
    with pytest.raises(UserError, match=f"the layout mine of the package other .*{said}"):
        index(source)
    # Whoever names another is not held up by it.
    assert index(source, "folders").layout == "folders"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("mine", "import nothing_of_this_name", "cannot be imported: ModuleNotFoundError"),
        ("mine", "def", r"cannot be imported: SyntaxError.*pip uninstall other"),
        ("mine", "raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("mine", "ITS = 1", "cannot be imported: AttributeError"),
        ("mine", "IT = 5", r"is int, expected data_prep\.datasets\.Layout"),
        ("other", LAYOUT.format(extra="", videos="()"), "has the name 'mine'"),
        ("STILLS", "IT = 5", "has a name that is already taken; rename it in other"),
        ("auto", "IT = 5", "has a name that is already taken"),
        ("two words", "IT = 5", "an invalid name"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(
    name: str, code: str, said: str, add_package: AddPackage, source: Path
) -> None:
    add_package(plugins.LAYOUTS, name, code)
    with pytest.raises(UserError, match=f"the layout {name} of the package other .*{said}") as told:
        index(source)
    assert "\n" not in str(told.value)


def test_two_packages_that_add_the_same_name_are_told_apart(add_package: AddPackage) -> None:
    add_package(plugins.DETECTORS, "mine", "", package="first")
    add_package(plugins.DETECTORS, "Mine", "", package="second")
    with pytest.raises(UserError, match=r"mine of the package (first|second) has a name that is"):
        names()


def test_a_detector_of_another_package_is_made_by_its_name(add_package: AddPackage) -> None:
    add_package(plugins.DETECTORS, "mine", DETECTOR.format(found="[]"))
    assert names() == (*DETECTORS, "mine")
    assert Preparation(detector="mine").detector == "mine"
    detector = make_detector("mine", side=160, threshold=0.7)
    assert (detector.side, detector.threshold, detector.second_threshold) == (160, 0.7, 0.9)
    with pytest.raises(UserError, match=r"package other has its own model; leave out my\.onnx"):
        make_detector("mine", model=Path("my.onnx"))


def test_a_detector_that_takes_a_model_is_given_its_path(add_package: AddPackage) -> None:
    code = DETECTOR.replace("threshold):", "threshold, model=None):\n        self.model = model")
    add_package(plugins.DETECTORS, "mine", code.format(found="[]"))
    assert make_detector("mine", model=Path("my.onnx")).model == Path("my.onnx")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (DETECTOR.format(found="None"), "gives NoneType, expected a list of Detection"),
        (DETECTOR.format(found="[frame]"), "gives list, expected a list of Detection"),
        (DETECTOR.format(found="frame.nothing"), "failed: AttributeError"),
        (DETECTOR.format(found="[]").replace("second_", "third_"), "lacks the number second_"),
        ("IT = 5", "failed: TypeError"),
        ("def IT(): pass", "failed: TypeError"),
    ],
)
def test_what_is_no_detector_is_told_before_the_first_video(
    code: str, said: str, add_package: AddPackage
) -> None:
    add_package(plugins.DETECTORS, "mine", code)
    with pytest.raises(UserError, match=f"the face detector mine of the package other {said}"):
        make_detector("mine")


def test_what_no_package_adds_is_told(add_package: AddPackage) -> None:
    with pytest.raises(UserError, match="no installed package adds the stream mine; install"):
        plugins.find_plugin(plugins.STREAMS, "mine", ())
    assert "other" not in plugins.versions()
    add_package(plugins.STREAMS, "mine", "")
    assert plugins.versions()["other"] == "1.0"


def test_help_looks_at_no_package(tmp_path: Path) -> None:
    script = (
        "import sys, importlib.metadata as metadata\n"
        "metadata.entry_points = None\n"
        "from search.cli.__main__ import app\n"
        "from typer.testing import CliRunner\n"
        "for command in ((), ('run',), ('prepare',)):\n"
        "    shown = CliRunner().invoke(app, [*command, '--help'])\n"
        "    assert shown.exit_code == 0, shown\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_layouts_there_are_have_names_of_their_own() -> None:
    assert len({layout.name.casefold() for layout in LAYOUTS}) == len(LAYOUTS)
