"""Facts about known data sets: complete, and equal to the pages of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_prep.catalogue.known import DataSet, data_set, data_sets
from data_prep.datasets import LAYOUTS
from data_prep.errors import UserError

DOCS = Path(__file__).parents[3] / "docs"
# Lists that are recognised by their content.
_CONTENT = {
    "dataset_json/FF-DF.json": '{"FF-DF": {"FF-real": {"train": {"c23": {}}}}}',
    "metadata.json": '[{"file": "train/000001.mp4", "fake_periods": []}]',
    "train_metadata.json": '[{"file": "vox_celeb_2/real.mp4", "fake_segments": []}]',
    "val_metadata.json": '[{"file": "vox_celeb_2/real.mp4", "fake_segments": []}]',
}
_PLAIN = {"labels.csv", "folders", "stills"}


def test_every_layout_of_a_data_set_has_its_facts() -> None:
    layouts = {layout.name for layout in LAYOUTS}
    known = {each.name for each in data_sets()}
    assert len(known) == len(data_sets())
    # AV-Deepfake1M and its ++ share a layout.
    assert layouts - known <= _PLAIN
    assert known <= layouts


@pytest.mark.parametrize("known", data_sets(), ids=lambda known: known.name)
def test_every_data_set_has_a_page_that_names_it(known: DataSet) -> None:
    page = (DOCS / known.page).read_text("utf-8")
    assert known.name.split("-preview")[0] in page
    texts = (known.summary, known.people, known.splits, known.licence, known.ask, known.size)
    assert all(text.strip() and "\n" not in text for text in texts)
    assert known.tree
    assert known.pitfalls


def test_a_data_set_is_found_by_its_name_in_any_case() -> None:
    assert data_set("celeb-df").name == "Celeb-DF"
    with pytest.raises(UserError, match=r"must be one of FaceForensics\+\+, .*; received Celeb$"):
        data_set("Celeb")


def _make_tree(known: DataSet, root: Path) -> None:
    """Make the files of a tree; of a line in columns the first, with the names it continues."""
    for line in known.tree:
        names = re.sub(r"<any folder>", "some", line).replace("<", "").replace(">", "")
        for name in re.split(r" {2,}", names):
            paths = name.split() if re.fullmatch(r"(\S+[./]\S* ?)+", name) else []
            for path in (root / each.replace("...", "") for each in paths if "*" not in each):
                if path.suffix:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(_CONTENT.get(path.relative_to(root).as_posix(), ""))
                else:
                    path.mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("known", data_sets(), ids=lambda known: known.name)
def test_the_tree_of_a_data_set_is_recognised_as_that_data_set(
    known: DataSet, tmp_path: Path
) -> None:
    _make_tree(known, tmp_path)
    fitting = [layout.name for layout in LAYOUTS if layout.detect(tmp_path)]
    assert fitting[:1] == [known.name], sorted(map(str, tmp_path.rglob("*")))
