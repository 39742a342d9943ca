from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.certificate import Certificate
from artifacts.evaluation import evaluate, openings
from artifacts.evaluation.evaluate import assess
from artifacts.evaluation.openings import BY_EVALUATE, BY_RUN
from artifacts.evaluation.request import Assessment, Request, read_assessment
from artifacts.evaluation.robustness import CONDITIONS
from artifacts.models.inference import score_clips
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError
from data_prep.store.clip_reader import ClipReader
from data_prep.store.store import Store, write_store

in_memory = pytest.mark.usefixtures("opened_detector")
Everything = tuple[RunDirectory, Assessment, list[str]]


@pytest.fixture
def opened_detector(detector: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's detector as it is in memory, where its file is not what a test is about."""

    def opened(run: RunDirectory, *, untrusted: bool) -> tuple[keras.Model, Certificate]:
        return detector, Certificate.read(run)

    monkeypatch.setattr(evaluate, "load_detector", opened)


@pytest.fixture
def everything(own_run: RunDirectory, labelled_store: Path) -> Everything:
    """Everything that can be measured on a run's own test split: the run, result and messages."""
    messages: list[str] = []
    found = assess(
        own_run,
        labelled_store,
        Request(matched="sharpness", robustness=True),
        own=labelled_store,
        say=messages.append,
        progress=lambda what, done, total: messages.append(what),
    )
    return own_run, found, messages


def test_the_own_test_split_is_evaluated_in_every_way_and_on_record(
    everything: Everything, detector: keras.Model, labelled_store: Path
) -> None:
    run, found, messages = everything
    with Store(labelled_store) as store:
        rows = store.rows("test")
        scores = score_clips(detector, store, rows)
        labels = store.labels[rows]
    assert found.own_test
    assert found.metrics.videos == 12
    assert found.metrics.recall == pytest.approx((scores[labels == 1] >= 0.4).mean())
    assert found.metrics.to_json()["untrained"]["oriented_on"] == (
        "the training split of the run's store"
    )
    assert set(messages) == {"clips", "matched pairs", "degraded clips"}
    first, second = openings.openings(run)
    assert (first.by, second.by) == (BY_RUN, BY_EVALUATE)
    assert second.options == {"matched": "sharpness", "robustness": True}
    assert list(found.openings) == [first, second]
    assert len(found.scores.splitlines()) == 13
    assert found.remarks == ()
    grid = json.loads(run.robustness.read_text())
    assert grid == json.loads(json.dumps(found.robustness))
    names = [row["name"] for row in grid["conditions"]]
    assert names == ["clean", *(condition.name for condition in CONDITIONS)]
    assert grid["conditions"][0]["auc"] == pytest.approx(found.metrics.auc)
    assert json.loads(run.matched.read_text())["pairs"] == 6
    assert not run.evaluations.exists()
    # What was found is shown with the record from now on.
    shown = read_assessment(run)
    assert shown is not None
    assert shown.robustness == grid
    assert shown.to_json()["matched"]["pairs"] == 6


@in_memory
def test_what_another_model_does_leaves_the_files_of_the_certified_one(
    own_run: RunDirectory, labelled_store: Path
) -> None:
    mine = {"model": Certificate.read(own_run).files.h5.sha256, "pairs": 3}
    write_json(own_run.matched, mine)
    assess(own_run, labelled_store, Request(matched="sharpness", untrusted=True))
    assert json.loads(own_run.matched.read_text()) == mine
    (path,) = own_run.evaluations.iterdir()
    assert path.name.endswith("-test-untrusted.json")
    assert json.loads(path.read_text())["matched"]["pairs"] == 6


@in_memory
def test_another_store_opens_nothing_and_is_kept_by_itself(
    own_run: RunDirectory, labelled_store: Path, tmp_path: Path
) -> None:
    with Store(labelled_store) as store:
        read = ClipReader(store)
        clips = [read(int(row)) for row in store.rows("val")]
    write_store(tmp_path / "other set.h5", clips, [], {})
    found = assess(own_run, tmp_path / "other set.h5", Request("all", mirror=True))
    assert not found.own_test
    assert found.openings == ()
    assert not own_run.openings.exists()
    (path,) = own_run.evaluations.iterdir()
    assert path.name == f"other-set-{found.store['fingerprint'][:8]}-all-mirror.json"
    assert json.loads(path.read_text())["auc"] == found.metrics.auc
    # Without the run's store and without training clips the direction is taken where it is tested.
    assert found.metrics.to_json()["untrained"]["oriented_on"] == "the tested clips"


@in_memory
def test_clips_of_one_label_are_evaluated_as_far_as_they_go(
    own_run: RunDirectory, labelled_store: Path, tmp_path: Path
) -> None:
    with Store(labelled_store) as store:
        read = ClipReader(store)
        write_store(tmp_path / "reals.h5", map(read, store.rows("val", 0).tolist()), [], {})
    found = assess(own_run, tmp_path / "reals.h5", Request("all", robustness=True))
    assert found.to_json()["auc"] is None
    assert found.robustness is not None
    assert found.robustness["conditions"][0]["false_alarm_rate"] == pytest.approx(
        found.to_json()["false_alarm_rate"]
    )


@in_memory
def test_splits_that_were_seen_are_told_and_all_of_the_store_opens_the_test_split(
    own_run: RunDirectory, labelled_store: Path
) -> None:
    messages: list[str] = []
    assess(own_run, labelled_store, Request("val"), say=messages.append)
    assert messages == ["the model was made with the val split of this store"]
    assert not own_run.openings.exists()
    assess(own_run, labelled_store, Request("all"))
    assert openings.openings(own_run)[-1].options == {"split": "all"}


@in_memory
def test_a_run_that_cannot_be_written_is_evaluated_and_told(
    own_run: RunDirectory, labelled_store: Path
) -> None:
    # Where a file should be, a folder is as unwritable as it gets.
    own_run.openings.mkdir()
    own_run.matched.mkdir()
    found = assess(own_run, labelled_store, Request(matched="sharpness"))
    assert [remark.split(": ")[-1] for remark in found.remarks] == [
        "this opening is not recorded",
        "these figures are not stored",
    ]
    assert found.matched is not None
    assert len(found.openings) == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("tests"), "split must be train, val, test or all; received tests"),
        (Request(matched="size"), "matched must be sharpness; received size"),
    ],
)
def test_what_there_is_not_is_refused(
    own_run: RunDirectory, labelled_store: Path, request_: Request, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        assess(own_run, labelled_store, request_)
    assert not own_run.openings.exists()


@in_memory
def test_pairs_that_there_are_not_are_refused(
    own_run: RunDirectory, labelled_store: Path, tmp_path: Path
) -> None:
    with Store(labelled_store) as store:
        read = ClipReader(store)
        write_store(tmp_path / "reals.h5", map(read, store.rows("val", 0).tolist()), [], {})
    with pytest.raises(UserError, match="no pairs to match"):
        assess(own_run, tmp_path / "reals.h5", Request("all", matched="sharpness"))


def _old_run(run: RunDirectory, labels: list[int], scores: list[float], auc: float) -> None:
    """Make the record one of an earlier version, with these test clips."""
    lines = ["key,split,label,method,group,coverage,fake_probability"]
    for number, (label, score) in enumerate(zip(labels, scores, strict=True)):
        method = "Drawn" if label else "real"
        lines.append(f"set/{method}/c23/{number},test,{label},{method},p{number},1.0,{score}")
    run.scores.write_text("\n".join(lines) + "\n")
    certificate = json.loads(run.certificate.read_text())
    for name in ("tpr_at_1_percent_fpr", "ece", "ece_bins", "clips", "by_quality", "notes"):
        del certificate["test"][name]
    certificate["test"] |= {"videos": len(labels), "auc": auc}
    write_json(run.certificate, certificate)


def test_figures_that_an_earlier_version_lacked_are_computed_from_its_scores(
    finished_run: RunDirectory,
) -> None:
    _old_run(finished_run, [0, 1, 0, 1], [0.1, 0.9, 0.6, 0.5], 0.75)
    found = read_assessment(finished_run)
    assert found is not None
    assert found.metrics.auc == 0.75
    assert found.to_json()["tpr_at_1_percent_fpr"] == 0.5
    assert [opening.by for opening in found.openings] == [BY_RUN]


def test_scores_of_another_model_do_not_replace_the_record(finished_run: RunDirectory) -> None:
    _old_run(finished_run, [0, 1, 0, 1], [0.1, 0.9, 0.6, 0.5], 1.0)
    found = read_assessment(finished_run)
    assert found is not None
    assert found.metrics.auc == 1.0
    assert found.to_json()["ece"] is None


@pytest.mark.parametrize("damage", ["", "key,split\n", None])
def test_a_record_whose_scores_are_damaged_is_shown_without_them(
    finished_run: RunDirectory, damage: str | None
) -> None:
    _old_run(finished_run, [0, 1, 0, 1], [0.1, 0.9, 0.6, 0.5], 0.75)
    finished_run.scores.unlink()
    if damage is not None:
        finished_run.scores.write_text(damage)
    found = read_assessment(finished_run)
    assert found is not None
    assert found.metrics.auc == 0.75
    assert "0.9" not in found.scores


def test_grids_are_shown_with_the_record_where_they_are_of_its_model(
    finished_run: RunDirectory,
) -> None:
    mine = json.loads(finished_run.certificate.read_text())["files"]["h5"]["sha256"]
    write_json(finished_run.robustness, {"model": mine, "conditions": []})
    write_json(finished_run.matched, {"model": "f" * 64, "pairs": 3})
    shown = read_assessment(finished_run)
    assert shown is not None
    assert shown.robustness == {"model": mine, "conditions": []}
    assert shown.matched is None


def test_a_run_without_a_test_has_no_record(finished_run: RunDirectory) -> None:
    certificate = json.loads(finished_run.certificate.read_text())
    write_json(finished_run.certificate, certificate | {"test": None, "test_opened": None})
    assert read_assessment(finished_run) is None


def test_another_model_file_is_taken_only_when_it_may_be(
    own_run: RunDirectory, labelled_store: Path, detector: keras.Model
) -> None:
    changed = keras.models.clone_model(detector)
    changed.set_weights([weight + np.float32(0.01) for weight in detector.get_weights()])
    changed.save(own_run.h5, include_optimizer=False)
    with pytest.raises(UserError, match="SHA-256"):
        assess(own_run, labelled_store, Request())
    found = assess(own_run, labelled_store, Request(untrusted=True))
    assert found.openings[-1].options == {"untrusted": True}
    assert found.openings[-1].model != found.openings[0].model
