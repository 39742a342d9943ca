"""What may be asked of a run, and what of an earlier answer still counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.certificate import Certificate
from artifacts.evaluation.request import Request, read_assessment, read_certified
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError


@pytest.mark.parametrize("split", ["train", "val", "test", "all"])
def test_every_split_and_all_of_them_can_be_asked_for(split: str) -> None:
    Request(split, matched="sharpness").check()


def test_what_there_is_not_is_refused_in_a_line() -> None:
    with pytest.raises(UserError, match="split must be train, val, test or all; received dev"):
        Request("dev").check()
    with pytest.raises(UserError, match="matched must be sharpness; received size"):
        Request(matched="size").check()


def test_only_what_is_beside_the_plain_figures_is_noted() -> None:
    assert Request().is_plain
    assert Request().to_json() == {}
    asked = Request("val", mirror=True)
    assert not asked.is_plain
    assert asked.to_json() == {"split": "val", "mirror": True}


def test_what_an_evaluation_left_counts_as_long_as_the_model_is_the_same(
    finished_run: RunDirectory, tmp_path: Path
) -> None:
    certificate = Certificate.read(finished_run)
    path = tmp_path / "matched.json"
    assert read_certified(path, certificate) is None
    write_json(path, {"model": certificate.files.h5.sha256, "pairs": 3})
    assert read_certified(path, certificate) == {"model": certificate.files.h5.sha256, "pairs": 3}
    for other in ({"model": "0" * 64}, {}, []):
        write_json(path, other)
        assert read_certified(path, certificate) is None
    path.write_text("{")
    assert read_certified(path, certificate) is None


def test_a_run_answers_from_what_it_wrote_down(finished_run: RunDirectory) -> None:
    found = read_assessment(finished_run)
    assert found is not None
    assert (found.own_test, found.synthetic) == (True, True)
    assert found.store == {"path": "store.h5", "fingerprint": "0"}
    # There are no scores to compute figures from that the certificate lacks.
    assert found.scores == ""
    result = found.to_json()
    assert result["auc"] == 1
    assert (result["matched"], result["robustness"]) == (None, None)
    assert [opening["by"] for opening in result["test_openings"]] == ["run"]
