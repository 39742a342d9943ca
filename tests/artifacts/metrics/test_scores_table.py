from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from artifacts.metrics.scores_table import read_lines, read_scores, scores_csv
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store


def test_what_is_written_is_read_to_the_last_bit(labelled_store: Path, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with Store(labelled_store) as store:
        rows = {split: store.rows(split) for split in ("val", "test")}
        scores = {split: np.random.default_rng(0).random(len(rows[split])) for split in rows}
        path.write_text(scores_csv(store, {split: (rows[split], scores[split]) for split in rows}))
        keys, clips = read_scores(path, "test")
        assert keys.tolist() == store.keys[rows["test"]].tolist()
        assert (clips.probabilities == scores["test"]).all()
        assert (clips.labels == store.labels[rows["test"]]).all()
        assert set(clips.kinds["quality"].tolist()) == {"c23", "c40"}
        assert set(clips.kinds["codec"].tolist()) == {"h264"}
    only = read_lines(path, "test").splitlines()
    assert len(only) == 1 + len(rows["test"])
    assert all(",test," in line for line in only[1:])


def test_a_table_of_an_earlier_version_is_read_without_quality(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(
        "key,split,label,method,group,coverage,fake_probability\na,test,1,swap,p,1.0,0.25\n"
    )
    keys, clips = read_scores(path, "test")
    assert keys.tolist() == ["a"]
    assert clips.probabilities.tolist() == [0.25]
    assert clips.kinds == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key,split\na,test\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,1,swap,p,1.0,nan\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,7,swap,p,1.0,0.5\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,1,swap,p,1.0,1.5\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,1,swap,p,1.0,inf\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,300,swap,p,1.0,0.5\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,-1,swap,p,1.0,0.5\n",
        "key,split,label,method,group,coverage,fake_probability\na,test,1,swap\n",
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(UserError, match="has no scores of the test split"):
        read_scores(path, "test")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError):
        read_scores(path, "test")
    with pytest.raises(UserError):
        read_lines(path, "test")
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        read_scores(path, "test")


def test_names_like_formulas_are_guarded_and_read_back(
    make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    names = {"key": "=1+1", "method": "@sum", "group": "-anna", "quality": "'=c23"}
    write_store(tmp_path / "store.h5", [make_clip("anna", "swap", **names)], [], {})
    path = tmp_path / "scores.csv"
    with Store(tmp_path / "store.h5") as store:
        path.write_text(scores_csv(store, {"train": (np.array([0]), np.array([1e-7]))}))
    (line,) = csv.DictReader(path.read_text().splitlines())
    assert [line[name] for name in names] == ["'=1+1", "'@sum", "'-anna", "''=c23"]
    assert line["fake_probability"] == "1e-07"
    keys, clips = read_scores(path, "train")
    found = keys, clips.methods, clips.groups, clips.kinds["quality"]
    assert [values.tolist() for values in found] == [[name] for name in names.values()]
    assert "'=1+1" in read_lines(path, "train")
