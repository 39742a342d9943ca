"""A report is made of whatever a run has left, and says why anything is missing."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import FrozenTrial

from artifacts.certificate import Certificate, ModelFile
from artifacts.report.parts import Paragraph
from artifacts.report.report import write_report
from artifacts.report.summary import summary_parts
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError
from data_prep.store.store import Clip, write_store
from search.studies.run_state import RunState

Trials = dict[str, list[FrozenTrial]]


def _report(run: RunDirectory, **options: object) -> str:
    out = run.root.parent / "report.html"
    defaults: dict[str, object] = {"trials": {}, "store": None}
    write_report(run, out, **(defaults | options))  # type: ignore[arg-type]
    return out.read_text(encoding="utf-8").partition('<script type="application/json"')[0]


@pytest.fixture
def begun_run(tmp_path: Path) -> RunDirectory:
    """A run that has only just begun."""
    run = RunDirectory(tmp_path / "begun")
    run.root.mkdir()
    run.config.write_text('store = "store.h5"\nstorage = "postgresql://me:secret@host/studies"\n')
    RunState.begin(run, "0" * 64)
    return run


def test_a_run_that_has_only_begun_has_a_report_of_reasons(begun_run: RunDirectory) -> None:
    page = _report(begun_run)
    for text in (
        "No model yet",
        "best_model.json is missing; has the run finished?",
        "no trial has begun yet.",
        "no trial has a history of its epochs yet.",
        "the configuration of the run names no store",
        "best_model.png is missing",
    ):
        assert text in page
    assert 'class="plot"' not in page


def test_a_password_in_the_configuration_stays_out(begun_run: RunDirectory) -> None:
    page = _report(begun_run)
    assert "postgresql://me:...@host/studies" in page
    assert "secret" not in page


def test_a_run_going_on_has_its_trials(begun_run: RunDirectory, searched: Trials) -> None:
    page = _report(begun_run, trials=searched)
    assert page.count('class="plot"') >= 4
    assert "The best is architecture 1 with a validation AUC of 0.920" in page
    assert "4 trials: 3 complete, 1 failed." in page


def test_reasons_of_trials_are_text(begun_run: RunDirectory, searched: Trials) -> None:
    page = _report(begun_run, trials=searched)
    assert "&lt;script&gt;window.mischief = 1&lt;/script&gt;" in page
    assert "<script>window" not in page


def test_a_finished_run_is_summed_up(finished_run: RunDirectory, searched: Trials) -> None:
    certificate = json.loads(finished_run.certificate.read_text())
    certificate["test"]["split"] = "test"
    write_json(finished_run.certificate, certificate)
    page = _report(finished_run, trials=searched)
    assert "SYNTHETIC DATA." in page
    assert "AUC on test" in page
    assert re.search(r"2 real and 2 fake videos", page)
    assert "No model yet" not in page
    assert "scores.csv is missing" in page


def test_a_run_without_a_test_split_is_judged_on_validation_and_says_so(
    finished_run: RunDirectory,
) -> None:
    certificate = json.loads(finished_run.certificate.read_text())
    certificate |= {"test": None, "test_opened": None}
    write_json(finished_run.certificate, certificate)
    page = _report(finished_run)
    assert "AUC on validation" in page
    assert "It was not tested" in page
    assert "the store has no test split with both labels." in page


def test_the_policy_lets_no_address_be_asked_and_no_other_script_run(
    begun_run: RunDirectory,
) -> None:
    page = _report(begun_run)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_nothing_is_written_into_the_run_when_the_report_goes_elsewhere(
    finished_run: RunDirectory, searched: Trials
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_run.root.rglob("*")}
    _report(finished_run, trials=searched)
    assert {path: path.stat().st_mtime_ns for path in finished_run.root.rglob("*")} == before


def test_an_unwritable_place_is_named(begun_run: RunDirectory) -> None:
    with pytest.raises(UserError, match=r"cannot be written: .*; name another file: out=FILE"):
        write_report(begun_run, begun_run.root / "none" / "r.html", trials={}, store=None)


def test_there_is_no_report_of_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run at"):
        write_report(RunDirectory(tmp_path), tmp_path / "r.html", trials={}, store=None)


@pytest.mark.parametrize("name", ["best_model.json", "scores.csv", "matched.json", "run.json"])
def test_a_damaged_file_costs_its_part_alone(
    finished_run: RunDirectory, searched: Trials, name: str
) -> None:
    (finished_run.root / name).write_bytes(b"\xff\x00{")
    page = _report(finished_run, trials=searched)
    assert page.count('class="plot"') >= 4


# With the store.


@pytest.fixture
def own_store(tmp_path: Path, make_clip: Callable[..., Clip], finished_run: RunDirectory) -> Path:
    """The store of the finished run: clips its detector takes, one key made to be mischief."""
    path = tmp_path / "store.h5"
    clips = []
    lines = ["key,split,label,method,group,coverage,fake_probability"]
    for number in range(6):
        for kind in ("real", "Drawn"):
            clip = make_clip(f"person{number}", kind, 4, split="val")
            small = np.ascontiguousarray(clip.frames[:, ::2, ::2])
            key = f"set/{kind}/<img src=x onerror=alert({number})>"
            clips.append(dataclasses.replace(clip, frames=small, key=key))
            lines.append(f"{key},val,{clip.label},{kind},person{number},1.0,0.{3 + number}")
    fingerprint = write_store(path, clips, [], {"synthetic": True})
    RunState.begin(finished_run, fingerprint)
    finished_run.scores.write_text("\n".join(lines) + "\n")
    model = ModelFile.from_path(finished_run.h5).sha256
    streams = {"model": model, "store": fingerprint, "split": "val", "streams": []}
    write_json(finished_run.root / "streams.json", streams | {"clips": 12, "auc": 0.5})
    return path


@pytest.mark.slow
def test_the_store_gives_the_audit_the_worth_of_streams_and_faces_with_heat(
    finished_run: RunDirectory, own_store: Path
) -> None:
    (finished_run.root / "streams.json").unlink()
    page = _report(finished_run, store=own_store)
    assert "12 SYNTHETIC clips of 6 identity groups" in page
    shown = re.findall(r'<img src="data:image/png;base64,[^"]*" alt="Frames of ([^"]*)"', page)
    assert len(shown) == 6
    assert shown[0].startswith("set/real/&lt;img src=x onerror=alert(")
    assert "<img src=x" not in page
    assert "Faces are personal data" in page
    assert "AUC lost without it" in page
    assert (finished_run.root / "streams.json").exists()


def test_faces_are_left_out_where_they_are_not_wanted(
    finished_run: RunDirectory, own_store: Path
) -> None:
    page = _report(finished_run, store=own_store, faces=False)
    assert "left out, as was asked for (--no-faces)" in page
    assert "Frames of" not in page
    assert "12 SYNTHETIC clips" in page


def test_another_store_is_not_taken_for_the_runs_own(
    finished_run: RunDirectory, own_store: Path
) -> None:
    RunState.begin(finished_run, "1" * 64)
    page = _report(finished_run, store=own_store)
    assert "is not the store the run was made on: its fingerprint differs" in page
    assert "Frames of" not in page


def test_the_command_writes_the_report_also_where_the_studies_cannot_be_read(
    begun_run: RunDirectory, tmp_path: Path
) -> None:
    dfsearch = Path(sys.executable).with_name("dfsearch")
    if not dfsearch.exists():
        pytest.skip("dfsearch is not installed")
    copy = shutil.copytree(begun_run.root, tmp_path / "copy")
    (copy / "config.toml").write_text('store = "store.h5"\n')
    (copy / "studies.log").write_bytes(b"no journal\nat all\n")
    out = tmp_path / "page.html"
    done = subprocess.run(
        [dfsearch, "report", copy, "--out", out], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{out}: open it in a browser\n")
    page = out.read_text(encoding="utf-8")
    assert "Report of copy" in page
    assert "studies.log" in page


@pytest.mark.parametrize(
    ("margin", "interval", "verdict"),
    [
        (-0.1, None, "It is not better than crop size, the best baseline without training."),
        (0.1, None, "It scores above crop size, the best baseline; with so few"),
        (
            0.1,
            (-0.1, 0.3),
            "It is not significantly better than crop size, the best baseline without training.",
        ),
        (
            0.1,
            (0.05, 0.2),
            "It is significantly better than crop size, the best baseline without training.",
        ),
    ],
)
def test_a_model_is_said_to_beat_no_training_only_where_it_does(
    finished_run: RunDirectory, margin: float, interval: tuple[float, float] | None, verdict: str
) -> None:
    certificate = Certificate.read(finished_run)
    untrained = {"name": "crop_size", "auc": 0.7, "margin": margin, "margin_ci": interval}
    judged = dataclasses.replace(certificate.validation, untrained=untrained)
    parts = summary_parts([], certificate, judged, "no store")
    joined = " ".join(part.text for part in parts if isinstance(part, Paragraph))
    assert verdict in joined


@pytest.mark.parametrize("damage", [{"name": "crop_size"}, {"name": "a", "margin": "far"}, {}])
def test_a_damaged_comparison_is_left_out_of_the_summary(
    finished_run: RunDirectory, damage: dict[str, object]
) -> None:
    certificate = Certificate.read(finished_run)
    judged = dataclasses.replace(certificate.validation, untrained={"margin_ci": None} | damage)
    texts = [part.text for part in summary_parts([], certificate, judged, "no store")[:3:2]]
    assert len(texts) == 2
    assert not any("beat" in text or "without training" in text for text in texts)
