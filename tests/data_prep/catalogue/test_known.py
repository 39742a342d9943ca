"""Facts about known data sets: complete, and equal to the pages of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.catalogue.known import DataSet, data_set, data_sets
from data_prep.datasets import LAYOUTS
from data_prep.errors import UserError

DOCS = Path(__file__).parents[3] / "docs"
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
