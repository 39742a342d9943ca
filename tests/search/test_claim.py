"""Runs whose config.toml was changed, and runs that are extended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.certificate import Certificate
from artifacts.evaluation.openings import openings
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.claim import claim, is_whole, next_step
from search.config import run_config
from search.studies.run_state import RunState
from search.studies.study import open_study, read_trials

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> RunDirectory:
    """A finished run of one's own, with two architectures and one training."""
    return RunDirectory(Path(shutil.copytree(finished_run, tmp_path / "run")))


def change(run: RunDirectory, section: str, setting: str, value: int) -> None:
    """Change a setting in ``config.toml``, as a user does in an editor."""
    text = run.config.read_text()
    pattern = rf"(?s)(\[{section}\].*?\n{setting} = )[^\n]+"
    assert re.search(pattern, text)
    run.config.write_text(re.sub(pattern, rf"\g<1>{value}", text, count=1))


def counts(run: RunDirectory) -> dict[str, int]:
    return {stage: len(trials) for stage, trials in read_trials(run).items()}


def test_raised_trials_of_a_finished_run_have_no_effect_and_the_way_on_is_named(
    run: RunDirectory, in_process: Dfsearch
) -> None:
    before = counts(run)
    change(run, "training", "trials", 2)

    again = in_process("run", run.config)

    assert again.returncode == 0, again.stderr
    assert "changes of its config.toml have no effect (training.trials: 1, 2)" in again.stderr
    assert f"dfsearch run {run.config} --extend" in again.stderr
    assert counts(run) == before


@pytest.mark.parametrize(
    ("section", "setting"), [("architecture", "samples"), ("training", "max_samples")]
)
def test_another_change_of_a_finished_run_needs_another_folder(
    run: RunDirectory, in_process: Dfsearch, section: str, setting: str
) -> None:
    change(run, section, setting, 30)

    again = in_process("run", run.config)
    extended = in_process("run", run.config, "--extend")

    assert again.returncode == 0
    assert f"{section}.{setting}: " in again.stderr
    assert "they need another run directory" in again.stderr
    assert extended.returncode == 2
    assert f"error: {run.root} was started with other settings" in extended.stderr


def test_a_run_that_lacks_no_trial_is_not_extended(run: RunDirectory, in_process: Dfsearch) -> None:
    again = in_process("run", run.config, "--extend")
    assert again.returncode == 0
    assert "is finished; nothing to do. To extend it, raise architecture.trials" in again.stderr
    assert is_whole(run)


def test_generators_in_use_keep_further_gan_trials_out(
    run: RunDirectory, in_process: Dfsearch
) -> None:
    change(run, "gan", "trials", 2)
    again = in_process("run", run.config, "--extend")
    assert again.returncode == 2
    assert "gan.trials: 1, 2, and later stages have used its generators" in again.stderr


def test_an_extended_run_is_not_finished_until_its_new_finish(
    run: RunDirectory, store_path: Path
) -> None:
    change(run, "architecture", "trials", 3)
    config = run_config.load(run.config)
    fingerprint = run.read_fingerprint()

    claim(run, config, fingerprint, extend=False)
    assert is_whole(run)
    assert "--extend" in next_step(run, config, extend=False)
    claim(run, config, fingerprint, extend=True)
    assert not is_whole(run)
    # Repeated without the option, as after a kill.
    claim(run, config, fingerprint, extend=False)
    assert not is_whole(run)
    assert RunState.read(run).settings["architecture.trials"] == 3


def test_a_search_that_has_begun_takes_more_trials_and_no_other_change(
    write_config: Callable[..., Path], store: Store, tmp_path: Path
) -> None:
    config = run_config.load(write_config(tmp_path))
    run = RunDirectory(tmp_path / "run")
    run.root.mkdir()
    claim(run, config, store.fingerprint, extend=False)
    study = open_study(run, ARCHITECTURE)
    study.tell(study.ask(), 0.5)

    change(run, "architecture", "trials", 5)
    claim(run, run_config.load(run.config), store.fingerprint, extend=False)
    change(run, "architecture", "samples", 9)

    with pytest.raises(UserError, match=r"architecture\.samples: 32, 9\); undo the change in"):
        claim(run, run_config.load(run.config), store.fingerprint, extend=False)


@pytest.mark.minutes
def test_a_run_killed_while_it_extends_resumes_and_stays_consistent(
    run: RunDirectory, dfsearch: Dfsearch, tmp_path: Path
) -> None:
    before = Certificate.read(run)
    change(run, "architecture", "trials", 3)
    change(run, "training", "trials", 2)
    process = subprocess.Popen(
        [sys.executable, "-m", "search.cli", "run", str(run.config), "--extend"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while counts(run)["architecture"] < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # The detector of the finished run serves until the new one replaces it.
    assert Certificate.read(run).is_intact(run)

    done = dfsearch("run", run.config)

    assert done.returncode == 0, done.stderr
    ended = {
        stage: [trial for trial in trials if trial.state.name != "FAIL"]
        for stage, trials in read_trials(run).items()
    }
    assert {stage: len(trials) for stage, trials in ended.items()} == {
        "architecture": 3,
        "gan": 1,
        "training": 2,
    }
    assert is_whole(run)
    after = Certificate.read(run)
    assert after.test_opened is not None
    assert [entry.model for entry in openings(run)][-1] == after.files.h5.sha256
    assert len(openings(run)) == 1 + (after.files.h5 != before.files.h5)
    board = dfsearch("leaderboard", run.root, "--json")
    rows = [(row["stage"], row["trial"]) for row in json.loads(board.stdout)]
    assert {("architecture", 2), ("training", 1)} <= set(rows)
    again = dfsearch("run", run.config, "--extend")
    assert "nothing to do" in again.stderr
