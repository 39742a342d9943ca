"""Attributes and spans: kept as written, unknown where a clip has none, checked by verify."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import Clip, Store, write_store
from data_prep.store.verify import verify

MakeClip = Callable[..., Clip]


def _clips(make_clip: MakeClip) -> list[Clip]:
    return [
        make_clip("anna", attributes={"sex": "female", "skin tone": "5"}),
        make_clip("anna", "swap", spans=((0.5, 1.25), (2.0, 2.5))),
        make_clip("ben", attributes={"sex": "male", "a/b": "Zoë"}, spans=()),
    ]


@pytest.mark.parametrize("shard_clips", [None, 1])
def test_attributes_and_spans_are_kept(
    make_clip: MakeClip, tmp_path: Path, shard_clips: int | None
) -> None:
    path = tmp_path / "store.h5"
    write_store(path, _clips(make_clip), [], {}, shard_clips=shard_clips)
    assert verify(path) == []
    with Store(path) as store:
        assert {name: values.tolist() for name, values in store.attributes.items()} == {
            "a_b": ["", "", "Zoë"],
            "sex": ["female", "", "male"],
            "skin tone": ["5", "", ""],
        }
        unknown, swapped, untouched = store.spans
        assert unknown is None
        assert swapped is not None and swapped.tolist() == [[0.5, 1.25], [2.0, 2.5]]
        assert untouched is not None and untouched.shape == (0, 2)


def test_a_store_without_attributes_has_neither(make_clip: MakeClip, tmp_path: Path) -> None:
    path = tmp_path / "store.h5"
    plain = [dataclasses.replace(c, attributes={}, spans=None) for c in _clips(make_clip)]
    write_store(path, plain, [], {})
    with h5py.File(path) as file:
        assert not {"attributes", "spans"} & set(file["clips"])
    with Store(path) as store:
        assert (store.attributes, store.spans) == ({}, (None, None, None))


@pytest.mark.parametrize("damaged", ["[[1, 0]]", "[[0]]", "{", '"x"', "[[0, 1e999]]", "null"])
def test_spans_that_cannot_be_are_found(make_clip: MakeClip, tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "store.h5"
    write_store(path, _clips(make_clip), [], {})
    with h5py.File(path, "r+") as file:
        file["clips/spans"][1] = damaged
    (problem,) = verify(path)
    assert problem.where == "/clips/spans row 1"
    assert "[start, end] in seconds" in problem.what


def test_an_attribute_of_the_wrong_length_is_found(make_clip: MakeClip, tmp_path: Path) -> None:
    path = tmp_path / "store.h5"
    write_store(path, _clips(make_clip), [], {})
    with h5py.File(path, "r+") as file:
        del file["clips/attributes/sex"]
        file["clips/attributes/sex"] = np.zeros(2)
    assert {problem.where for problem in verify(path)} == {"/clips/attributes/sex"}


def test_further_columns_of_a_table_reach_the_store(face_video: bytes, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    for name in ("a", "b"):
        (source / f"{name}.mp4").write_bytes(face_video)
    table = "path,label,Sex,skin tone,device\na.mp4,real,female,5,\nb.mp4,fake,,,phone\n"
    (source / "labels.csv").write_text(table)
    path = tmp_path / "store.h5"
    prepare(source, path, Preparation(frames=4, size=32), split=SplitRequest("test"))
    assert verify(path) == []
    with Store(path) as store:
        rows = dict(zip(store.labels.tolist(), range(2), strict=True))
        for name, real, fake in (
            ("sex", "female", ""),
            ("skin tone", "5", ""),
            ("device", "", "phone"),
        ):
            assert store.attributes[name][[rows[0], rows[1]]].tolist() == [real, fake]
