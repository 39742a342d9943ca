"""Lists of sources: folders on the command line, and TOML files."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import UserError
from data_prep.sources.source import Source, list_sources, read_sources
from data_prep.store.format import FAKE

EVERY_KEY = """
same_people = [["one:anna", "two:anne"], ["one:ben", "two:benny", "three:b"]]

[[source]]
path = "one"

[[source]]
path = "deeper/two"
name = "second"
data_set = "two"
layout = "flat"
label = "fake"
weight = 2
split = "test"
people = {anne = "val"}

[[source]]
path = "/far/faces"
role = "real-only"
weight = 0.5
split = "train"
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text)
    return path


def test_every_key_is_read_and_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    listed = read_sources(_write(tmp_path, EVERY_KEY))
    one, two, faces = listed.sources
    assert one == Source(tmp_path / "one")
    assert (one.name, one.weight, one.role, one.label) == ("one", 1.0, "labelled", None)
    assert two.path == tmp_path / "deeper/two"
    assert (two.name, two.data_set, two.layout, two.label) == ("second", "two", "flat", FAKE)
    assert (two.weight, two.split, two.people) == (2, "test", {"anne": "val"})
    assert faces.path == Path("/far/faces")
    assert (faces.role, faces.weight, faces.split) == ("real-only", 0.5, "train")
    assert listed.same_people == (("one:anna", "two:anne"), ("one:ben", "two:benny", "three:b"))
    assert not listed.is_single


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"has no source; begin each one with \[\[source\]\]"),
        ("source = 3", "has no source"),
        ("[[source]\n", "is not a TOML file"),
        ("[[source]]\nname = 'x'", "the source x needs a path"),
        ("[[source]]\npath = 'a'\nrolle = 'real-only'", "unknown key rolle in the source a; known"),
        ("sources = []\n[[source]]\npath = 'a'", "unknown key sources in the file; known"),
        ("[[source]]\npath = 3", "path of the source 3 has a wrong type: 3"),
        ("[[source]]\npath = 'a'\nweight = true", "weight of the source a has a wrong type: True"),
        ("[[source]]\npath = 'a'\nperson = 'me'", "person of the source a must be name or file"),
        ("[[source]]\npath = 'a'\nweight = 'much'", "weight of the source a has a wrong type"),
        ("[[source]]\npath = 'a'\nweight = 0", "must be above 0 and at most 1000; received 0"),
        ("[[source]]\npath = 'a'\nweight = nan", "must be above 0 and at most 1000; received nan"),
        ("[[source]]\npath = 'a'\nlabel = 'true'", "must be real or fake; received 'true'"),
        ("[[source]]\npath = 'a'\nsplit = 'tset'", "must be one of auto, official, identity"),
        ("[[source]]\npath = 'a'\nrole = 'real'", "must be labelled or real-only; received 'real'"),
        ("[[source]]\npath = 'a'\nname = 'a/b'", "needs a name without a slash"),
        ("[[source]]\npath = 'a'\npeople = {x = 'auto'}", "must be one of train, val, test"),
        ("[[source]]\npath = 'a'\npeople = {x = 1}", "must be one of train, val, test; received 1"),
        ("[[source]]\npath = 'a'\npeople = {x = []}", "must be one of train, val, test"),
        (
            "[[source]]\npath = 'a'\nrole = 'real-only'\nlabel = 'fake'",
            "has the role real-only and the label fake",
        ),
        (
            "[[source]]\npath = 'a'\nrole = 'real-only'\nsplit = 'test'",
            "its split cannot be test",
        ),
        (
            "[[source]]\npath = 'a'\nrole = 'real-only'\npeople = {x = 'test'}",
            "its split cannot be test",
        ),
        ("[[source]]\npath = 'a'\n[[source]]\npath = 'b/a'", "two sources have the name a"),
        ("[[source]]\npath = 'a'\n[[source]]\npath = 'a/b'", "lies in the source"),
        ("same_people = ['x']\n[[source]]\npath = 'a'", "must be a list of lists of names"),
        ("same_people = [['x']]\n[[source]]\npath = 'a'", "must be a list of lists of names"),
        ("same_people = [['x', 3]]\n[[source]]\npath = 'a'", "must be a list of lists of names"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        read_sources(_write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        list_sources([tmp_path / "none.toml"])
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not a TOML file"):
        read_sources(path)


def test_folders_and_lists_are_named_together(tmp_path: Path) -> None:
    listed = _write(tmp_path, "[[source]]\npath = 'one'\n")
    found = list_sources([listed, tmp_path / "two"])
    assert [source.name for source in found.sources] == ["one", "two"]


def test_one_folder_alone_needs_no_name_in_its_keys(tmp_path: Path) -> None:
    assert list_sources([tmp_path / "one"]).is_single
    assert list_sources([tmp_path / "one"], layout="flat", label=FAKE).is_single
    assert not list_sources([_write(tmp_path, "[[source]]\npath = 'a'\nname = 'b'")]).is_single
    assert not list_sources([_write(tmp_path, "[[source]]\npath = 'a'\nweight = 2")]).is_single
