from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

import dfsearch
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, GAN
from data_prep.errors import UserError
from search.config import run_config
from search.studies import storage
from search.studies.journal import recover
from search.studies.run_state import RunState
from search.studies.server import HOSTS, lend_password
from search.studies.study import (
    open_study,
    read_trials,
    sequence_number,
    stage_of,
)
from search.trials import queue

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)


@pytest.fixture
def on_server(postgresql: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run whose studies are on the server."""
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)
    monkeypatch.setenv(HOSTS, postgresql.host)
    return begin(tmp_path / "run", postgresql.url)


def begin(folder: Path, url: str) -> RunDirectory:
    """A run directory as a run leaves it at its beginning."""
    folder.mkdir()
    config = run_config.resolve({"store": "s.h5", "run_dir": folder, "storage": url})
    directory = RunDirectory(folder)
    directory.config.write_text(run_config.dump(config))
    RunState.begin(directory, "0" * 64)
    return directory


def test_a_line_cut_by_a_kill_is_dropped_and_the_rest_stays(run: RunDirectory) -> None:
    study = open_study(run, ARCHITECTURE)
    study.tell(study.ask(), 0.5)
    before = run.journal.read_bytes()
    run.journal.write_bytes(before + b'{"op_code":4,"worker_id":"abc')
    recover(run)
    assert run.journal.read_bytes() == before


def test_a_line_cut_by_a_kill_harms_nobody_who_goes_on(run: RunDirectory) -> None:
    study = open_study(run, ARCHITECTURE)
    study.tell(study.ask(), 0.5)
    with run.journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"' + b"a" * 10_000)
    study.tell(study.ask(), 0.7)
    values = [trial.value for trial in open_study(run, ARCHITECTURE).trials]
    assert values == [0.5, 0.7]
    for line in run.journal.read_text().splitlines():
        json.loads(line)


def test_the_lock_of_a_dead_writer_is_removed_and_that_of_a_living_one_waited_for(
    run: RunDirectory,
) -> None:
    open_study(run, GAN)
    lock = Path(f"{run.journal}.lock")
    lock.touch()
    recover(run)
    study = open_study(run, GAN)
    study.tell(study.ask(), 0.1)
    assert len(study.trials) == 1


def test_a_disk_that_is_full_leaves_the_journal_whole_and_names_it(run: RunDirectory) -> None:
    """A limit on the size of files stands for the disk."""
    study = open_study(run, ARCHITECTURE)
    study.tell(study.ask(), 0.5)
    before, limits = run.journal.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as full:
            study.set_user_attr("much", "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert full.value.filename == str(run.journal)
    assert run.journal.read_bytes() == before
    again = open_study(run, ARCHITECTURE)
    again.tell(again.ask(), 0.7)
    assert len(again.trials) == 2


def test_tickets_on_a_server_are_claimed_by_one_each(on_server: RunDirectory) -> None:
    study = open_study(on_server, ARCHITECTURE)
    queue.queue_trials(study, 6, 6)
    code = (
        "import sys, pathlib; from artifacts.stages import ARCHITECTURE\n"
        "from artifacts.run_directory import RunDirectory\n"
        "from search.studies.study import open_study; from search.trials import queue\n"
        "study = open_study(RunDirectory(pathlib.Path(sys.argv[1])), ARCHITECTURE)\n"
        "while (trial := queue.claim_trial(study)) is not None:\n"
        "    study.tell(trial, trial.suggest_float('x', 0, 1))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(on_server.root)]) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    found = read_trials(on_server)["architecture"]
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 6
    assert not on_server.journal.exists(), "nothing goes to the journal"


def test_an_interrupted_trial_on_a_server_is_repeated_with_its_draw(
    on_server: RunDirectory,
) -> None:
    study = open_study(on_server, GAN)
    queue.queue_trials(study, 2, 1)
    trial = queue.claim_trial(study)
    assert trial is not None
    drawn = trial.suggest_float("x", 0, 1)
    assert queue.give_back(study, study.trials[0])
    assert not queue.give_back(study, study.trials[0])
    again = open_study(on_server, GAN)
    queue.queue_trials(again, 2, 1)
    retry = queue.claim_trial(again)
    assert retry is not None
    assert retry.suggest_float("x", 0, 1) == drawn
    assert sequence_number(again, retry) == 0


def test_runs_share_a_server_without_meeting(postgresql: Any, on_server: RunDirectory) -> None:
    other = begin(on_server.root.with_name("other"), postgresql.url)
    for run, value in ((on_server, 0.1), (other, 0.2)):
        study = open_study(run, GAN)
        study.tell(study.ask(), value)
    assert [trial.value for trial in read_trials(on_server)["gan"]] == [0.1]
    assert [trial.value for trial in read_trials(other)["gan"]] == [0.2]
    study = open_study(other, GAN)
    assert study.study_name.startswith("other-")
    assert stage_of(study) == GAN


def test_the_leaderboard_reads_the_server_that_the_run_names(
    on_server: RunDirectory, dfsearch: Dfsearch
) -> None:
    study = open_study(on_server, ARCHITECTURE)
    study.tell(study.ask(), 0.625)
    shown = dfsearch("leaderboard", on_server.root, "--json")
    assert [row["objective"] for row in json.loads(shown.stdout)] == [0.625]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("wrong password", "password authentication failed for user"),
        ("no password", "give the password by PGPASSWORD or ~/.pgpass"),
        ("unknown database", "create it with: createdb none"),
        ("nobody listens", "Connection refused"),
        ("unknown host", "nowhere.invalid"),
        ("another database", "must be a PostgreSQL database"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line_and_can_be_corrected(
    postgresql: Any, store_path: Path, dfsearch: Dfsearch, tmp_path: Path, fault: str, says: str
) -> None:
    url = {
        "wrong password": f"postgresql://search:wrong@127.0.0.1:{postgresql.port}/postgres",
        "no password": f"postgresql://search@127.0.0.1:{postgresql.port}/postgres",
        "unknown database": postgresql.url.replace("/postgres", "/none"),
        "nobody listens": "postgresql://search:x@127.0.0.1:9/postgres",
        "unknown host": "postgresql://search:x@nowhere.invalid/postgres",
        "another database": "mysql://search@localhost/postgres",
    }[fault]
    refused = dfsearch("run", store_path, tmp_path / "run", "--storage", url)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "wrong" not in refused.stderr.replace("wrong password", "")
    assert not (tmp_path / "run" / "config.toml").exists()


def test_a_server_that_went_away_is_one_line(postgresql: Any, on_server: RunDirectory) -> None:
    study = open_study(on_server, GAN)
    trial = study.ask()
    postgresql.stop()
    try:
        gone = pytest.raises(UserError, match="to resume, repeat the command")
        with gone as said, storage.translate_server_errors(on_server):
            trial.report(0.5, 1)
        assert postgresql.PASSWORD not in str(said.value)
        assert "127.0.0.1" in str(said.value)
    finally:
        postgresql.start()
    study = open_study(on_server, GAN)
    assert [t.state for t in study.trials] == [TrialState.RUNNING]


def test_a_password_in_the_url_is_lent_to_this_call_and_not_written(
    postgresql: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOSTS, postgresql.host)
    run = begin(tmp_path / "run", postgresql.url)
    text = (tmp_path / "run" / "config.toml").read_text()
    assert tomllib.loads(text)["storage"].endswith(f"search@127.0.0.1:{postgresql.port}/postgres")
    lend_password(postgresql.url)
    try:
        assert read_trials(run) == {}
    finally:
        del os.environ["PGPASSWORD"]


def test_a_configuration_that_is_no_toml_is_one_line(run: RunDirectory) -> None:
    run.config.write_text("storage = ")
    with pytest.raises(UserError, match="not a TOML file"):
        open_study(run, GAN)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_journal_that_is_no_file_is_one_line(
    run: RunDirectory, make: Callable[[Path], None]
) -> None:
    make(run.journal)
    for call in (lambda: read_trials(run), lambda: open_study(run, GAN), lambda: recover(run)):
        with pytest.raises(UserError, match=r"studies.log is a .* and not a regular file$"):
            call()


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "null", "7", '{"op_code": 0}', '{"op_code": {}}', '{"op_code": 1e999}']
)
def test_a_journal_with_a_hostile_line_is_one_line(run: RunDirectory, line: str) -> None:
    run.journal.write_text(f"{line}\n{line}\n")
    with pytest.raises(UserError, match=r"studies\.log is damaged"):
        read_trials(run)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reason", '["<b>"]'),
        ("hyperparameters", "[1]"),
        ("val_auc", "NaN"),
        ("params", '"many"'),
        ("seconds", "9" * 400),
        ("method_auc", '{"swap": {}}'),
    ],
)
def test_an_attribute_that_no_worker_leaves_is_one_line(
    run: RunDirectory, name: str, value: str
) -> None:
    study = open_study(run, ARCHITECTURE)
    trial = study.ask()
    trial.set_user_attr(name, "@")
    study.tell(trial, 0.5)
    run.journal.write_text(run.journal.read_text().replace('"@"', value))
    with pytest.raises(UserError, match=rf"architecture trial 0 has an unusable {name};"):
        read_trials(run)


@pytest.mark.parametrize("value", ['"0.5"', "{}", "9" * 400])
def test_a_value_that_is_no_number_is_one_line(run: RunDirectory, value: str) -> None:
    study = open_study(run, ARCHITECTURE)
    study.tell(study.ask(), 0.625)
    run.journal.write_text(run.journal.read_text().replace("0.625", value))
    with pytest.raises(UserError, match=r"studies\.log is damaged"):
        read_trials(run)


def test_the_dashboard_of_a_damaged_journal_is_one_line(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", "")
    study = open_study(run, ARCHITECTURE)
    trial = study.ask()
    trial.set_user_attr("reason", 7)
    study.tell(trial, 0.5)
    with pytest.raises(UserError, match="architecture trial 0 has an unusable reason"):
        dfsearch.Run(run.root).dashboard(port=0)
