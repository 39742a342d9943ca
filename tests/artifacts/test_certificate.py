from __future__ import annotations

import json

import pytest

from artifacts.certificate import Certificate
from artifacts.ensemble_record import read_ensembles
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError


def test_a_certificate_comes_back_as_it_was_written(finished_run: RunDirectory) -> None:
    certificate = Certificate.read(finished_run)
    certificate.write(finished_run.certificate)
    assert Certificate.read(finished_run) == certificate
    json.loads(finished_run.certificate.read_text(), parse_constant=pytest.fail)


def test_it_vouches_for_both_files_and_notices_a_change(finished_run: RunDirectory) -> None:
    certificate = Certificate.read(finished_run)
    assert certificate.is_intact(finished_run)
    with finished_run.keras.open("ab") as file:
        file.write(b"x")
    assert not certificate.is_intact(finished_run)
    finished_run.keras.unlink()
    assert not certificate.is_intact(finished_run)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"threshold": "half"}, "threshold"),
        ({"format": 2}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"preparation": {}}, "preparation"),
        ({"input": {"shape": [9, 32, 32, 4]}}, "clip shape of the preparation"),
    ],
)
def test_what_does_not_fit_is_named(
    finished_run: RunDirectory, change: dict[str, object], named: str
) -> None:
    content = json.loads(finished_run.certificate.read_text()) | change
    finished_run.certificate.write_text(json.dumps(content))
    with pytest.raises(UserError, match="not a certificate of this version") as caught:
        Certificate.read(finished_run)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("auc",), float("nan")),
        (("brier",), float("inf")),
        (("intervals", "auc"), [0.1]),
        (("intervals", "speed"), None),
        (("by_method", "swap"), {}),
        (("by_method", "swap"), {"videos": 2, "auc": {"a": 1}, "recall": 1.0}),
        (("by_method", "swap"), {"videos": 2, "auc": None, "recall": 1.0}),
        (("by_method", "swap"), {"videos": 2, "auc": 1.0, "recall": 1.0, "auc_ci": [0]}),
        (("by_method", "swap"), {"videos": 2, "auc": 1.0, "recall": 1.0, "bounds": 3}),
        (("by_quality", "c23"), {"videos": 2, "auc": 1.0, "recall": 1.0}),
        (("by_codec", "h264"), [1]),
        (("per_clip",), {"values": {}, "intervals": {}, "bounds": {}}),
        (("per_clip",), {"a": 1}),
    ],
)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_figures_that_no_evaluation_has_are_refused(
    finished_run: RunDirectory, split: str, place: tuple[str, ...], value: object
) -> None:
    content = json.loads(finished_run.certificate.read_text())
    inner = content[split]
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    finished_run.certificate.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"is not a certificate of this version [^\n]*$"):
        Certificate.read(finished_run)


def test_an_ensemble_without_finite_figures_is_refused(finished_run: RunDirectory) -> None:
    finished_run.ensemble.write_text('{"objective": NaN}')
    with pytest.raises(UserError, match=r"cannot be read: the number NaN is not finite"):
        read_ensembles(finished_run)
