"""Verdicts are wrong no more often than is allowed, and say nothing where that cannot be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from artifacts.prediction.undecided_band import Band, fit_band, least_clips, read_band
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError

Arrays = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


def _drawn(rng: np.random.Generator, reals: int, fakes: int, apart: float) -> Arrays:
    labels = np.repeat([0, 1], [reals, fakes])
    logits = rng.normal(apart * (labels - 0.5), 1.0)
    return labels, 1 / (1 + np.exp(-logits))


def _band(reals: list[float], fakes: list[float], rate: float = 0.1) -> Band | None:
    labels = np.repeat([0, 1], [len(reals), len(fakes)])
    return fit_band(labels, np.array(reals + fakes), rate)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_no_label_is_mistaken_for_the_other_more_often_than_allowed(rate: float) -> None:
    rng = np.random.default_rng(0)
    wrong = {0: [], 1: []}
    for _ in range(400):
        band = fit_band(*_drawn(rng, 60, 25, apart=1.0), rate)
        assert band is not None
        for label, value in zip(*_drawn(rng, 20, 20, apart=1.0), strict=True):
            opposite = ("fake", "real")[label]
            wrong[int(label)].append(band.verdict(float(value)) == opposite)
    # Never more than the rate, but for chance, and about as often: it is no wider than it must be.
    assert rate - 0.04 <= np.mean(wrong[0]) <= rate + 0.015
    assert rate - 0.05 <= np.mean(wrong[1]) <= rate + 0.015


def test_what_may_be_both_and_what_may_be_neither_is_undecided() -> None:
    overlapping = _band([0.1] * 8 + [0.6], [0.9] * 8 + [0.4])
    assert overlapping is not None
    assert [overlapping.verdict(p) for p in (0.39, 0.4, 0.6, 0.61)] == [
        "real",
        "undecided",
        "undecided",
        "fake",
    ]
    apart = _band([0.1] * 8 + [0.2], [0.9] * 8 + [0.8])
    assert apart is not None
    assert [apart.verdict(p) for p in (0.2, 0.21, 0.79, 0.8)] == [
        "real",
        "undecided",
        "undecided",
        "fake",
    ]
    assert apart.left_undecided == 0
    assert overlapping.left_undecided == pytest.approx(2 / 18, abs=1e-3)


def test_a_higher_rate_narrows_the_band() -> None:
    labels, values = _drawn(np.random.default_rng(1), 100, 100, apart=1.5)
    shares = []
    for rate in (0.01, 0.05, 0.1, 0.2):
        band = fit_band(labels, values, rate)
        assert band is not None
        shares.append(band.left_undecided)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 * shares[-1]


@pytest.mark.parametrize(("rate", "least"), [(0.1, 9), (0.05, 19), (0.2, 4), (0.5, 1), (0.3, 3)])
def test_with_too_few_clips_there_is_no_band(rate: float, least: int) -> None:
    assert least_clips(rate) == least
    assert _band([0.1] * least, [0.9] * least, rate) is not None
    assert _band([0.1] * least, [0.9] * (least - 1), rate) is None
    assert _band([0.1] * (least - 1), [0.9] * least, rate) is None


@pytest.mark.parametrize("rate", [0.0, -0.1, 0.6, float("nan")])
def test_an_error_rate_that_cannot_be_is_refused(tmp_path: Path, rate: float) -> None:
    with pytest.raises(UserError, match=r"above 0 and at most 0\.5"):
        read_band(RunDirectory(tmp_path), rate)


HEAD = b"key,split,label,fake_probability,method,group,coverage\n"
WRONG = (b"real,0.5", b"1,nan", b"7,0.5", b"300,0.5")


def _write(run: RunDirectory, rows: list[str]) -> None:
    lines = [f"{row},drawn,person,1.0\n".encode() for row in rows]
    run.scores.write_bytes(HEAD + b"".join(lines))


def test_a_band_is_learnt_from_validation_alone(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    val = [f"v,val,{label},{0.1 + 0.8 * label}" for label in (0, 1) for _ in range(9)]
    test = [f"t,test,{label},0.5" for label in (0, 1) for _ in range(50)]
    _write(run, val + test)
    band, remark = read_band(run)
    assert band is not None
    assert (band.reals, band.fakes, band.fake_from, band.real_up_to) == (9, 9, 0.9, 0.1)
    assert remark == ""


def test_a_wide_band_is_called_so(tmp_path: Path) -> None:
    _write(RunDirectory(tmp_path), [f"v,val,{at % 2},{at / 30}" for at in range(30)])
    band, remark = read_band(RunDirectory(tmp_path))
    assert band is not None
    assert band.left_undecided > 0.5
    assert "the undecided band is wide" in remark


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"nonsense",
        b"\xff\x00",
        b"key,split,label,fake_probability\nv,val,1,0.5\n",
        *(HEAD + b"v,val,%s,drawn,person,1.0\n" % row for row in WRONG),
    ],
)
def test_without_usable_scores_the_threshold_decides_and_it_says_so(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "scores.csv").write_bytes(content)
    band, remark = read_band(RunDirectory(tmp_path))
    assert band is None
    assert "by the threshold alone" in remark
