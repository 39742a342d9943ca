"""A table of labels says what each video is, whatever the folders are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import DataSetIndex, index
from data_prep.errors import UserError
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import assign
from data_prep.store.store import FAKE, REAL


def _set(root: Path, table: str, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_text(table)
    return root


def _reasons(found: DataSetIndex) -> dict[int, str]:
    return {
        int(entry.path.rpartition(":")[2]): entry.reason
        for entry in found.problems
        if not entry.path.endswith(".csv")
    }


def test_the_table_overrides_the_names_of_folders(tmp_path: Path) -> None:
    table = "path,label\nreal/a.mp4,fake\nfake/b.mp4,0\nc.mp4,1\nd.mp4,REAL\n"
    root = _set(tmp_path / "mine", table, "real/a.mp4", "fake/b.mp4", "c.mp4", "d.mp4")
    found = index(root)
    assert (found.layout, found.problems) == ("labels.csv", ())
    assert {video.key: (video.label, video.method) for video in found.videos} == {
        "mine/fake/unknown/real/a": (FAKE, "fake"),
        "mine/fake/unknown/c": (FAKE, "fake"),
        "mine/real/unknown/fake/b": (REAL, "real"),
        "mine/real/unknown/d": (REAL, "real"),
    }


def test_method_people_and_split_are_taken_where_they_are_given(tmp_path: Path) -> None:
    table = (
        "\ufeffPath, Label ,method,identity,split,notes\n"
        'a.mp4,real,,anna,train,"tall, blond"\n'
        "./b.mp4,fake,swap, anna ; ben ,Train,\n"
        "\n"
        "c.mp4,fake\n"
    )
    found = index(_set(tmp_path, table, "a.mp4", "b.mp4", "c.mp4"))
    videos = {video.path.name: video for video in found.videos}
    assert found.problems == ()
    assert (videos["a.mp4"].identities, videos["a.mp4"].split) == (("anna",), "train")
    assert (videos["b.mp4"].identities, videos["b.mp4"].split) == (("anna", "ben"), "train")
    assert videos["b.mp4"].method == "swap"
    assert (videos["c.mp4"].identities, videos["c.mp4"].split) == (("c",), None)
    assert (videos["c.mp4"].method, videos["a.mp4"].method) == ("fake", "real")


def test_a_fake_named_after_a_real_belongs_with_its_people(tmp_path: Path) -> None:
    table = "path,label,identity\nr/1.mp4,real,anna\nr/2.mp4,real,\nf/1_2.mp4,fake,\n"
    found = index(_set(tmp_path, table, "r/1.mp4", "r/2.mp4", "f/1_2.mp4"))
    people = {video.path.name: video.identities for video in found.videos}
    assert people == {"1.mp4": ("anna",), "2.mp4": ("2",), "1_2.mp4": ("anna", "2")}


def test_a_person_whose_identity_is_given_in_some_rows_is_one(tmp_path: Path) -> None:
    rows = ["a_1.mp4,real,", "a_2.mp4,real,P7", "b.mp4,real,", "c.mp4,real,", "a_3.mp4,fake,"]
    names = [row.partition(",")[0] for row in rows]
    found = index(_set(tmp_path, "path,label,identity\n" + "\n".join(rows), *names))
    people = {video.path.name: video.identities for video in found.videos}
    assert people == {
        **dict.fromkeys(("a_1.mp4", "a_2.mp4", "a_3.mp4"), ("P7",)),
        "b.mp4": ("b",),
        "c.mp4": ("c",),
    }


def test_originals_are_found_and_their_people_are_in_the_fake(tmp_path: Path) -> None:
    table = (
        "path,label,identity,original\n"
        "a.mp4,real,anna,\nb.mp4,real,,b.mp4\ngone.mp4,real,carl,\n"
        "f.mp4,fake,dora,./a.mp4\ng.mp4,fake,,b.mp4\nh.mp4,fake,,gone.mp4\n"
        "i.mp4,fake,,f.mp4\nj.mp4,fake,,\n"
    )
    names = [f"{name}.mp4" for name in "abfghij"]
    found = index(_set(tmp_path, table, *names))
    videos = {video.path.name: video for video in found.videos}
    assert {name: video.original for name, video in videos.items() if video.original} == {
        "f.mp4": tmp_path / "a.mp4",
        "g.mp4": tmp_path / "b.mp4",
    }
    people = {name: video.identities for name, video in videos.items()}
    assert people["f.mp4"] == ("anna", "dora")
    assert people["g.mp4"] == people["b.mp4"] == ("b",)
    assert people["h.mp4"] == ("carl",)
    assert [entry.reason for entry in found.problems] == [
        "videos listed but missing: 1, e.g. gone.mp4",
        "originals that are not reals of the table: 1, e.g. f.mp4 in line 8",
    ]


@pytest.mark.parametrize("original", ["/etc/hosts", "../a.mp4", "x/../../a.mp4"])
def test_an_original_outside_the_data_set_is_not_followed(original: str, tmp_path: Path) -> None:
    table = f"path,label,original\na.mp4,real,\nf.mp4,fake,{original}\n"
    found = index(_set(tmp_path, table, "a.mp4", "f.mp4"))
    assert [video.path.name for video in found.videos] == ["a.mp4"]
    assert _reasons(found)[3].startswith(f"'f.mp4': the original is '{original}': the path ")


def test_a_table_of_pictures_is_stills(tmp_path: Path) -> None:
    table = "path,label\na.jpg,real\nb.PNG,fake\ngone.png,fake\n"
    found = index(_set(tmp_path, table, "a.jpg", "b.PNG", "c.webp", "v.mp4"))
    assert (found.stills, len(found.videos)) == (True, 2)
    assert [entry.reason for entry in found.problems] == [
        "pictures listed but missing: 1, e.g. gone.png",
        "pictures present but not listed: 1, e.g. c.webp",
    ]


def test_pictures_in_a_table_of_videos_are_one_line(tmp_path: Path) -> None:
    table = "path,label\na.mp4,real\nb.mp4,fake\nc.jpg,real\nd.jpg,real\n"
    found = index(_set(tmp_path, table, "a.mp4", "b.mp4", "c.jpg", "d.jpg"))
    assert (found.stills, len(found.videos)) == (False, 2)
    (problem,) = found.problems
    assert problem.reason == "pictures in a data set of videos: 2, e.g. c.jpg"


def test_a_name_no_file_can_have_is_not_there(tmp_path: Path) -> None:
    table = f"path,label\na.mp4,real\n{'y' * 300}.mp4,fake\n"
    found = index(_set(tmp_path, table, "a.mp4"))
    assert [video.path.name for video in found.videos] == ["a.mp4"]
    assert found.problems[0].reason.startswith("videos listed but missing: 1, e.g. yyy")


def test_every_row_that_cannot_be_used_has_its_reason(tmp_path: Path) -> None:
    table = (
        "path,label,method,split\n"
        "ok.mp4,real,,\n"
        "a.mp4,maybe,,\n"
        "b.mp4,fake,,testing\n"
        "/etc/hosts,fake,,\n"
        "sub/../../out.mp4,fake,,\n"
        ",fake,,\n"
        "c.mp4,fake,swap,,extra\n"
        "d.mp4,fake,real,\n"
        "C:\\x\\e.mp4,fake,,\n"
    )
    root = _set(tmp_path / "s", table, "ok.mp4", "a.mp4", "b.mp4", "c.mp4", "d.mp4")
    (tmp_path / "out.mp4").touch()
    found = index(root)
    assert [video.path.name for video in found.videos] == ["ok.mp4"]
    below = "expected one below the folder of the list"
    assert _reasons(found) == {
        3: "'a.mp4': the label is 'maybe'; expected real, fake, 0 or 1",
        4: "'b.mp4': the split is 'testing'; expected one of train, val, test",
        5: f"'/etc/hosts': the path is absolute; {below}",
        6: f"'sub/../../out.mp4': the path leads out of the data set; {below}",
        7: "'': no path",
        8: "'c.mp4': the row has more fields than the table has columns; quote a field with a "
        "comma",
        9: "'d.mp4': the method of a fake is 'real'; expected a name other than real, without /",
        10: f"'C:\\\\x\\\\e.mp4': the path is absolute; {below}",
    }


def test_repeated_rows_count_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    table = "path,label\na.mp4,real\n./a.mp4,0\nb.mp4,real\nb.mp4,fake\n"
    found = index(_set(tmp_path, table, "a.mp4", "b.mp4"))
    assert [video.path.name for video in found.videos] == ["a.mp4"]
    assert _reasons(found) == {
        3: "'a.mp4': repeats line 2",
        4: "'b.mp4': lines 4, 5 contradict each other",
        5: "'b.mp4': lines 4, 5 contradict each other",
    }


def test_what_is_only_listed_or_only_there_is_said_once(tmp_path: Path) -> None:
    table = "path,label\na.mp4,real\ngone.mp4,fake\nlost.mp4,fake\n"
    found = index(_set(tmp_path, table, "a.mp4", "new/x.mp4", "new/notes.txt"))
    assert [entry.reason for entry in found.problems] == [
        "videos listed but missing: 2, e.g. gone.mp4",
        "videos present but not listed: 1, e.g. new/x.mp4",
    ]


@pytest.mark.parametrize(
    "table, reason",
    [
        ("", r"has no column path and no column label: .* found nothing"),
        ("a,b\n", r"has no column path and no column label: .* found a,b"),
        ("path\n", "has no column label"),
        ("path;label\na.mp4;real\n", "found path;label"),
        ("path,label,Path\n", "has the column path twice"),
    ],
)
def test_a_broken_table_is_one_clear_line(table: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason) as raised:
        index(_set(tmp_path, table, "real/a.mp4", "fake/b.mp4"))
    assert "\n" not in str(raised.value)


def test_a_table_that_is_no_text_is_said(tmp_path: Path) -> None:
    root = _set(tmp_path, "", "real/a.mp4", "fake/b.mp4")
    (root / "labels.csv").write_bytes(b"path,label\n\xff\xfe,real\n")
    with pytest.raises(UserError, match="cannot be read as a CSV table"):
        index(root)
    assert index(root, "folders").layout == "folders"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_table_saved_on_windows_is_read(encoding: str, tmp_path: Path) -> None:
    root = _set(tmp_path, "", "real/ä.mp4", "fake/b.mp4")
    mark = "\ufeff" if encoding.endswith("be") else ""
    table = mark + "path,label\r\nreal\\ä.mp4,0\r\nfake\\b.mp4,1\r\n"
    (root / "labels.csv").write_bytes(table.encode(encoding))
    found = index(root)
    assert found.problems == ()
    assert {video.path.name: video.label for video in found.videos} == {"ä.mp4": 0, "b.mp4": 1}


def test_backslashes_separate_folders_unless_they_are_in_a_name(tmp_path: Path) -> None:
    table = (
        "path,label,original\n"
        ".\\a\\b/c.mp4,real,\n"
        "x\\y.mp4,real,\n"
        "f.mp4,fake,a\\b\\c.mp4\n"
        "..\\out.mp4,real,\n"
        "C:\\out.mp4,real,\n"
        "\\\\server\\share\\out.mp4,real,\n"
    )
    names = ("a/b/c.mp4", "x\\y.mp4", "f.mp4")
    found = index(_set(tmp_path / "set", table, *names))
    original = tmp_path / "set" / "a/b/c.mp4"
    assert {video.path: video.original for video in found.videos} == {
        original: None,
        tmp_path / "set" / "x\\y.mp4": None,
        tmp_path / "set" / "f.mp4": original,
    }
    reasons = _reasons(found)
    assert "leads out of the data set" in reasons[5]
    assert "absolute" in reasons[6]
    assert "absolute" in reasons[7]


def test_a_label_is_a_word_or_a_number_in_any_case(tmp_path: Path) -> None:
    reals = ["real", "REAL", "0", "0.0", "False", "FALSE", "no", "No"]
    fakes = ["fake", "Fake", "1", "1.0", "True", "true", "YES", "yes"]
    labels = {f"{at}.mp4": label for at, label in enumerate([*reals, *fakes])}
    rows = [f"{name},{label}\n" for name, label in labels.items()]
    found = index(_set(tmp_path, "path,label\n" + "".join(rows), *labels))
    assert found.problems == ()
    assert {video.path.name: video.label for video in found.videos} == {
        name: REAL if label in reals else FAKE for name, label in labels.items()
    }


@pytest.mark.parametrize("label", ["", "2", "0.5", "-1", "nan", "perhaps", "10"])
def test_another_label_is_quarantined(label: str, tmp_path: Path) -> None:
    table = f"path,label\na.mp4,real\nb.mp4,fake\nc.mp4,{label}\n"
    found = index(_set(tmp_path, table, "a.mp4", "b.mp4", "c.mp4"))
    assert "expected real, fake, 0 or 1" in _reasons(found)[4]


def test_splits_of_the_table_are_official(tmp_path: Path) -> None:
    rows = [
        f"{kind}{split}.mp4,{kind},p{split},{split}"
        for split in ("train", "val", "test")
        for kind in ("real", "fake")
    ]
    names = [row.partition(",")[0] for row in rows]
    root = _set(tmp_path, "path,label,identity,split\n" + "\n".join(rows), *names)
    made = assign(index(root).videos)
    assert made.policy == "official"
    assert all(split in key for key, split in made.splits.items())


def test_a_person_in_two_splits_of_the_table_is_not_let_through(tmp_path: Path) -> None:
    table = "path,label,identity,split\na.mp4,real,anna,train\nb.mp4,fake,anna,test\n"
    with pytest.raises(UserError, match="too few people"):
        assign(index(_set(tmp_path, table, "a.mp4", "b.mp4")).videos)


def test_the_table_of_real_videos_is_read(real_data: Path) -> None:
    found = index(real_data)
    assert found.layout == "labels.csv"
    assert len({video.key for video in found.videos}) == len(found.videos) > 100
    assert {video.label for video in found.videos} == {REAL, FAKE}


def test_further_columns_are_attributes_and_no_contradiction(tmp_path: Path) -> None:
    rows = ["a.mp4,real,female,30,x", "b.mp4,fake,,,", "a.mp4,real,female,30,y"]
    table = "path,label,Sex,age, note \n" + "\n".join(rows)
    found = index(_set(tmp_path, table, "a.mp4", "b.mp4"))
    assert {video.path.name: dict(video.attributes) for video in found.videos} == {
        "a.mp4": {"sex": "female", "age": "30", "note": "x"},
        "b.mp4": {},
    }
    assert _reasons(found) == {4: "'a.mp4': repeats line 2"}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["real/a.mp4,2", "fake/b.mp4,nan"], r"no usable row in .*labels\.csv; .*:2: 'real/a.mp4'"),
        (["real/a.mp4,0", "fake/b.mp4,nan"], r"found 1 real and 0 fake .*1 files or rows were ref"),
        (["real/a.mp4,0", "../b.mp4,fake"], r"rows were refused, the first: .*labels\.csv:3: "),
        ([f"{'x' * 5000}.mp4,0"], r"^.{,900}$"),
    ],
)
def test_the_error_about_missing_labels_names_the_first_refused_row(
    tmp_path: Path, rows: list[str], reason: str
) -> None:
    for name in ("real/a.mp4", "fake/b.mp4"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_bytes(b"not opened here")
    (tmp_path / "set/labels.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    with pytest.raises(UserError, match=reason):
        prepare(tmp_path / "set", tmp_path / "s.h5")
