"""Curves agree with scikit-learn, and bands with what they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from artifacts.metrics.per_video import ScoredClips
from artifacts.report.curves import curves, read_scores
from data_prep.errors import UserError


def _scored(people: int = 12, *, apart: float = 0.5, seed: int = 3) -> ScoredClips:
    """Four clips a person, two of them fakes; rounded, so that some scores are equal."""
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 0, 1, 1], people)
    raw = 0.25 + apart * labels + rng.normal(0, 0.2, len(labels))
    return ScoredClips(
        labels=labels,
        probabilities=np.round(raw.clip(0, 1), 2),
        groups=np.repeat([f"person {number}" for number in range(people)], 4),
        methods=np.where(labels == 1, "Drawn", "real"),
        coverage=np.ones(len(labels)),
    )


def test_roc_has_the_area_and_the_points_of_scikit_learn() -> None:
    scored = _scored(apart=0.2)
    band = curves(scored).roc
    wanted = metrics.roc_auc_score(scored.labels, scored.probabilities)
    alarms, hits, _ = metrics.roc_curve(scored.labels, scored.probabilities)
    assert np.trapezoid(band.y, band.x) == pytest.approx(wanted, abs=0.01)
    np.testing.assert_allclose(band.y, np.interp(band.x, alarms, hits), atol=1e-12)


def test_precision_is_that_of_the_highest_threshold_that_finds_as_many() -> None:
    scored = _scored(apart=0.2)
    band = curves(scored).precision
    precision, recall, _ = metrics.precision_recall_curve(scored.labels, scored.probabilities)
    for at, found in zip(band.x, band.y, strict=True):
        enough = np.flatnonzero(recall >= at - 1e-12)
        assert found == pytest.approx(precision[enough[-1]])


def test_calibration_bins_hold_every_clip_once_and_their_share_of_fakes() -> None:
    scored = _scored()
    band = curves(scored).calibration
    assert len(band.x) == 8
    assert (np.diff(band.x) >= 0).all()
    assert band.x.mean() == pytest.approx(scored.probabilities.mean())
    assert band.y.mean() == pytest.approx(scored.labels.mean())


def test_bands_hold_their_curve_and_narrow_with_people() -> None:
    few, many = curves(_scored(6, apart=0.2)), curves(_scored(60, apart=0.2))
    for found in (few, many):
        for band in (found.roc, found.precision):
            assert (band.low <= band.y + 1e-9).all()
            assert (band.y <= band.high + 1e-9).all()
    assert np.mean(many.roc.high - many.roc.low) < np.mean(few.roc.high - few.roc.low) / 2


def test_a_bin_that_many_draws_leave_out_has_a_band_all_the_same() -> None:
    """Its clips are of one person, whom a third of the draws do not have."""
    person = np.repeat(np.arange(4), 6)
    scored = ScoredClips(
        labels=np.tile([0, 1], 12),
        probabilities=(person + np.tile(np.linspace(0.1, 0.9, 6), 4)) / 4,
        groups=person.astype(np.str_),
        methods=np.tile(["real", "Drawn"], 12),
        coverage=np.ones(24),
    )
    band = curves(scored).calibration
    assert len(band.x) == 4
    assert band.low.tolist() == band.high.tolist() == [0.5] * 4


def test_one_person_has_curves_without_bands() -> None:
    band = curves(_scored(1)).roc
    assert np.isfinite(band.y).all()
    assert np.isnan(band.low).all()


def test_scores_are_read_by_split_and_averaged_over_the_faces_of_a_video(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(
        "key,split,label,method,group,coverage,fake_probability\n"
        "a/b,val,1,Drawn,anna,1.0000,0.75\n"
        '"a,<b>",test,0,real,bert,0.5000,0.25\n'
        '"a,<b>#face2",test,0,real,bert,0.5000,0.75\n'
    )
    found = read_scores(path)
    assert set(found) == {"val", "test"}
    assert found["test"].keys.tolist() == ["a,<b>", "a,<b>#face2"]
    assert found["test"].videos.probabilities.tolist() == pytest.approx([0.5])
    assert found["val"].clips.probabilities.tolist() == [0.75]
    assert not found["val"].has_both_labels


@pytest.mark.parametrize("text", ["", "split,label\nval,1\n", "\x00\x00\x00", None])
def test_a_missing_or_damaged_file_is_told(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "scores.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"scores\.csv (is missing|has no scores)"):
        read_scores(path)
