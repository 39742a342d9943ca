from __future__ import annotations

import json

import pytest

from artifacts.certificate import Certificate
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
