"""What separates is measured as it is, with its direction, and chance is not called evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from data_prep.audit.separation import (
    FEWEST_PEOPLE,
    Combined,
    Separation,
    _columns,
    _WeightedAucs,
    combined_separation,
    separations,
)
from data_prep.store.store import Clip, Store, write_store

MakeClip = Callable[..., Clip]


def _look(folder: Path, clips: Sequence[Clip]) -> tuple[dict[str, Separation], Combined]:
    write_store(folder / "store.h5", clips, [], {})
    with Store(folder / "store.h5") as store:
        found = separations(store)
        assert [row.auc for row in found] == sorted((row.auc for row in found), reverse=True)
        return {row.name: row for row in found}, combined_separation(store)


def _clips(
    make_clip: MakeClip, people: int, **shortcuts: Callable[[int, int], float]
) -> list[Clip]:
    """A real and a fake of every person with made quantities of (person, label)."""
    return [
        make_clip(
            f"p{person}",
            ("real", "swap")[label],
            count=1,
            split="train" if person % 2 else "test",
            shortcuts={name: float(value(person, label)) for name, value in shortcuts.items()},
        )
        for person in range(people)
        for label in (0, 1)
    ]


def test_a_quantity_that_is_lower_in_fakes_separates_them(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clips = _clips(
        make_clip, 12, width=lambda person, label: 944 - 2 * label, fps=lambda person, label: 25
    )
    found, together = _look(tmp_path, clips)
    width = found["width"]
    assert (width.real, width.fake, width.auc, width.higher_is_fake) == (944, 942, 1, False)
    assert width.interval == (1, 1)
    assert width.held_out_auc == 1
    assert (found["fps"].constant, found["fps"].auc) == (True, 0.5)
    assert not width.constant
    assert together.auc == 1


def test_the_direction_of_training_is_kept_on_the_rest(make_clip: MakeClip, tmp_path: Path) -> None:
    """Higher in the fakes of train, lower in those of test: no use to anyone."""
    clips = _clips(make_clip, 12, size=lambda person, label: label if person % 2 else -label)
    found, _ = _look(tmp_path, clips)
    assert found["size"].auc == 0.5
    assert found["size"].held_out_auc == 0
    assert found["size"].held_out_interval == (0, 0)


def test_chance_has_an_interval_around_one_half(make_clip: MakeClip, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = [f"noise{number}" for number in range(10)]
    drawn = {name: (lambda person, label: rng.normal()) for name in names}
    found, together = _look(tmp_path, _clips(make_clip, 60, **drawn))
    inside = 0
    for name in names:
        interval = found[name].interval
        assert interval is not None
        assert interval[0] < found[name].auc < interval[1]
        inside += interval[0] < 0.5
    assert inside >= 8
    assert together.auc is not None
    assert together.interval is not None
    assert together.interval[0] < 0.5 < together.interval[1]


def test_too_few_people_have_no_interval(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = _clips(make_clip, FEWEST_PEOPLE - 1, width=lambda person, label: label)
    found, together = _look(tmp_path, clips)
    assert found["width"].auc == 1
    assert found["width"].interval is None
    assert together == Combined(None, None, "needs 5 people of each label, has 4")


def test_many_clips_of_one_person_are_one_person(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = _clips(make_clip, 20, width=lambda person, label: label)
    one = [Clip(**{**vars(clip), "group": "one"}) for clip in clips]
    found, together = _look(tmp_path, one)
    assert found["width"].interval is None
    assert together.auc is None


def test_a_codec_tells_by_how_often_it_is_fake(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = _clips(make_clip, 12, fps=lambda person, label: 25)
    changed = [
        Clip(**{**vars(clip), "media": {**clip.media, "codec": "mpeg4" if clip.label else "h264"}})
        for clip in clips
    ]
    found, together = _look(tmp_path, changed)
    codec = found["codec"]
    assert (codec.real, codec.fake, codec.auc, codec.held_out_auc) == ("h264", "mpeg4", 1, 1)
    assert together.auc == 1


def test_an_unseen_codec_tells_nothing(make_clip: MakeClip, tmp_path: Path) -> None:
    clips = _clips(make_clip, 12, fps=lambda person, label: 25)
    changed = [
        Clip(**{**vars(clip), "media": {**clip.media, "codec": f"x{clip.split}{clip.label}"}})
        for clip in clips
    ]
    found, _ = _look(tmp_path, changed)
    assert found["codec"].auc == 1
    assert found["codec"].held_out_auc == 0.5


def test_quantities_that_tell_only_together_are_found(make_clip: MakeClip, tmp_path: Path) -> None:
    """The sum of two quantities is the label, either alone is mostly the person."""
    clips = _clips(
        make_clip,
        40,
        one=lambda person, label: (person * 37 % 40) + label,
        other=lambda person, label: -(person * 37 % 40),
    )
    found, together = _look(tmp_path, clips)
    assert found["one"].auc < 0.6
    assert together.auc is not None
    assert together.auc > found["one"].auc + 0.2


@given(st.data(), st.integers(2, 30))
def test_weighted_aucs_are_those_of_repeated_clips(data: st.DataObject, count: int) -> None:
    labels = np.array([0, 1, *data.draw(st.lists(st.integers(0, 1), max_size=count))])
    size = len(labels)
    scores = np.array(
        data.draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size)), np.float64
    )
    weights: npt.NDArray[np.int64] = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    )
    weights[:2] += 1
    expected = metrics.roc_auc_score(np.repeat(labels, weights), np.repeat(scores, weights))
    assert _WeightedAucs({"x": scores}, labels)(weights)["x"] == pytest.approx(expected)


def test_a_codec_for_each_clip_takes_no_column_for_each_clip(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clips = _clips(make_clip, 60, width=lambda person, label: label)
    write_store(tmp_path / "store.h5", clips, [], {})
    with Store(tmp_path / "store.h5") as store:
        store.media["codec"] = np.array([f"codec{row}" for row in range(len(store))])
        assert _columns(store, np.ones(len(store), bool)).shape == (120, 101)
        assert combined_separation(store).auc == 1
