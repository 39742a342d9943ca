from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import HYPERPARAMETERS, REASON
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.store.store import Store
from search.config import run_config
from search.studies.run_state import RunState
from search.studies.study import (
    INTERRUPTED,
    RETRY_OF,
    open_study,
    read_trials,
)
from search.trials import heartbeat

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]
WAIT_SECONDS = 180


def trials(run_dir: Path, stage: str = "architecture") -> list[FrozenTrial]:
    try:
        return read_trials(RunDirectory(run_dir)).get(stage, [])
    except (ValueError, FileNotFoundError):
        return []


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert process.poll() is None, "the run ended before the moment it was to be killed"
        assert time.monotonic() < deadline, "the moment to kill the run never came"
        time.sleep(0.05)


@pytest.fixture
def begin_run() -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Start a run in the background: ``begin_run(config)``."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(config: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "search.cli", "run", str(config)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_run_leaves_every_artifact(finished_run: Path) -> None:
    for name in (
        "best_model.h5",
        "best_model.keras",
        "best_model.png",
        "best_model.json",
        "leaderboard.csv",
        "config.toml",
        "studies.log",
        "evaluation.json",
        "scores.csv",
    ):
        assert (finished_run / name).stat().st_size > 0, name
    assert not list(finished_run.rglob("*.tmp*"))


def test_the_certificate_describes_the_model_the_store_and_the_scores(
    finished_run: Path, store: Store
) -> None:
    certificate = json.loads((finished_run / "best_model.json").read_text())
    assert certificate["input"]["shape"] == list(store.clip_shape)
    assert certificate["store"]["fingerprint"] == store.fingerprint
    assert certificate["synthetic"] is True
    assert certificate["test"]["videos"] == len(store.rows("test"))
    assert certificate["validation"]["threshold"] == certificate["threshold"]
    assert 0 < certificate["threshold"] < 1
    assert certificate["preparation"]["clip"]["frames"] == store.clip_shape[0]


def test_both_model_files_agree_and_give_the_recorded_scores(
    finished_run: Path, store: Store
) -> None:
    rows = store.rows("test")
    frames = store.read(rows)
    h5, native = (
        keras.models.load_model(finished_run / name, compile=False).predict(frames, verbose=0)
        for name in ("best_model.h5", "best_model.keras")
    )
    np.testing.assert_allclose(h5, native, atol=1e-6)
    lines = csv.DictReader((finished_run / "scores.csv").read_text().splitlines())
    recorded = {line["key"]: float(line["fake_probability"]) for line in lines}
    np.testing.assert_allclose(h5[:, 0], [recorded[key] for key in store.keys[rows]], atol=1e-5)


def test_a_finished_run_started_again_changes_nothing(
    finished_run: Path, in_process: Dfsearch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_run.iterdir() if path.is_file()}
    again = in_process("run", finished_run / "config.toml")
    assert again.returncode == 0, again.stderr
    assert "finished" in again.stderr
    after = {path: path.stat().st_mtime_ns for path in before if path.name != ".lock"}
    assert after.items() <= before.items()


def test_a_moved_run_directory_still_predicts_and_lists(
    finished_run: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished_run, moved)
    rows = json.loads(in_process("leaderboard", moved, "--json").stdout)
    assert rows[0]["rank"] == 1
    assert in_process("evaluate", moved, "--json").returncode == 0


@pytest.mark.slow
def test_a_killed_run_goes_on_without_losing_or_repeating_a_trial(
    write_config: Callable[..., Path],
    begin_run: Callable[[Path], subprocess.Popen[bytes]],
    dfsearch: Dfsearch,
    tmp_path: Path,
) -> None:
    config, run_dir = write_config(tmp_path, architecture=3, gan=0, training=0), tmp_path / "run"
    process = begin_run(config)

    def second_trial_trains() -> bool:
        found = trials(run_dir)
        return (
            len(found) == 2
            and found[0].state == TrialState.COMPLETE
            and found[1].state == TrialState.RUNNING
            and HYPERPARAMETERS in found[1].user_attrs
        )

    wait_for(second_trial_trains, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = trials(run_dir)[0]

    again = dfsearch("run", config)
    assert again.returncode == 0, again.stderr
    after = trials(run_dir)
    assert after[0] == first
    interrupted = [t for t in after if t.user_attrs.get(REASON) == INTERRUPTED]
    assert len(interrupted) == 1
    counted = [t for t in after if t not in interrupted]
    assert len(counted) == 3
    assert all(t.state.is_finished() for t in counted)
    retried = [t for t in counted if t.user_attrs.get(RETRY_OF) == interrupted[0].number]
    assert len(retried) == 1
    assert retried[0].params == interrupted[0].params
    assert (run_dir / "best_model.h5").exists()


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial_and_nothing_else(
    write_config: Callable[..., Path],
    begin_run: Callable[[Path], subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    config, run_dir = write_config(tmp_path, architecture=3, gan=0, training=0), tmp_path / "run"
    process = begin_run(config)

    def second_trial_runs() -> bool:
        found = trials(run_dir)
        return (
            len(found) == 2
            and heartbeat.PID in found[1].user_attrs
            and (found[1].state == TrialState.RUNNING)
        )

    wait_for(second_trial_runs, process)
    os.kill(trials(run_dir)[1].user_attrs[heartbeat.PID], signal.SIGKILL)
    assert process.wait(timeout=WAIT_SECONDS) == 0
    after = trials(run_dir)
    assert [t.state.is_finished() for t in after] == [True] * 3
    assert after[1].state == TrialState.FAIL
    assert "died" in after[1].user_attrs[REASON]
    assert after[2].state in (TrialState.COMPLETE, TrialState.PRUNED)
    assert (run_dir / "best_model.json").exists()


@pytest.mark.slow
def test_two_workers_share_one_search(
    write_config: Callable[..., Path], dfsearch: Dfsearch, tmp_path: Path
) -> None:
    config = write_config(tmp_path, architecture=4, gan=0, training=0)
    done = dfsearch("run", config, "--workers", 2)
    assert done.returncode == 0, done.stderr
    found = trials(tmp_path / "run")
    assert len(found) == 4
    assert all(trial.state.is_finished() for trial in found)
    assert len({trial.user_attrs[heartbeat.PID] for trial in found}) == 2
    assert (tmp_path / "run" / "best_model.json").exists()


def test_an_interrupt_stops_cleanly_and_says_how_to_go_on(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_config(tmp_path, architecture=3, gan=0, training=0)
    command = [sys.executable, "-m", "search.cli", "run", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: len(trials(tmp_path / "run")) >= 1, process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert b"to resume, repeat the command" in stderr
    assert b"Traceback" not in stderr
    assert not (tmp_path / "run" / "best_model.json").exists()


def test_a_run_of_another_store_is_left_alone(
    finished_run: Path, make_store: Callable[..., Path], in_process: Dfsearch, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other.h5", seed=1)
    refused = in_process("run", other, finished_run)
    assert refused.returncode == 2
    assert "another store" in refused.stderr


def test_other_settings_in_a_begun_run_are_refused(
    finished_run: Path, in_process: Dfsearch
) -> None:
    refused = in_process("run", finished_run / "config.toml", "--seed", 7)
    assert refused.returncode == 2
    assert "seed: 0, 7" in refused.stderr


def test_a_folder_that_is_no_run_is_left_alone(
    store_path: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    refused = in_process("run", store_path, tmp_path, "--preset", "quick")
    assert refused.returncode == 2
    assert "holiday.jpg" in refused.stderr
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != ".lock") == ["holiday.jpg"]


@pytest.fixture(scope="module")
def refused(
    store_path: Path, in_process: Dfsearch, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The directory of a run whose weights are no weights, and how it ended."""
    folder = tmp_path_factory.mktemp("refused")
    weights = folder / "text.h5"
    weights.write_text("no weights")
    return folder / "run", in_process("run", store_path, folder / "run", "--weights", weights)


def test_weights_that_are_missing_are_found_before_anything_is_written(
    store_path: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    missing = tmp_path / "none.h5"
    done = in_process("run", store_path, tmp_path / "run", "--weights", missing)
    assert done.returncode == 2
    assert f"no file or folder {missing}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_weights_that_cannot_be_read_end_the_run_before_any_trial(
    refused: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    run_dir, done = refused
    assert done.returncode == 2
    assert "text.h5 does not fit the network" in done.stderr
    assert trials(run_dir) == []


def test_weights_and_preset_may_change_as_long_as_no_trial_was_started(
    refused: tuple[Path, subprocess.CompletedProcess[str]],
    store_path: Path,
    in_process: Dfsearch,
    tmp_path: Path,
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(refused[0], run_dir)
    before = tomllib.loads((run_dir / "config.toml").read_text())["architecture"]["trials"]
    # Without a stream that a GAN would have to be trained for first.
    (tmp_path / "other.h5").write_text("no weights")
    chosen = ("--weights", tmp_path / "other.h5", "--preset", "thorough", "--streams", "spatial")
    thorough = in_process("run", store_path, run_dir, *chosen)
    assert thorough.returncode == 2
    assert "other.h5" in thorough.stderr
    after = tomllib.loads((run_dir / "config.toml").read_text())["architecture"]["trials"]
    assert before != after == run_config.PRESETS["thorough"]["architecture"]["trials"]


def test_a_search_whose_architectures_all_failed_ends_in_one_line_each_time(
    write_config: Callable[..., Path], in_process: Dfsearch, store: Store, tmp_path: Path
) -> None:
    settings = run_config.load(write_config(tmp_path, architecture=2))
    run = RunDirectory(tmp_path / "run")
    run.root.mkdir()
    run.config.write_text(run_config.dump(settings))
    RunState.begin(run, store.fingerprint)
    study = open_study(run, ARCHITECTURE)
    for _ in range(2):
        study.tell(study.ask(), state=TrialState.FAIL)
    for _ in range(2):
        refused = in_process("run", run.config)
        assert refused.returncode == 2
        assert "no architecture trial" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert list(trials(run.root, "gan")) == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("run.json", "{}", "damaged"),
        ("run.json", "[", "cannot be read"),
        ("config.toml", "seed = ", "not a TOML file"),
        ("best_model.json", "{}", "not a certificate"),
    ],
)
def test_a_damaged_file_of_a_run_is_one_line(
    finished_run: Path,
    in_process: Dfsearch,
    store_path: Path,
    tmp_path: Path,
    name: str,
    content: str,
    says: str,
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(finished_run, run_dir)
    (run_dir / name).write_text(content)
    refused = in_process("run", store_path, run_dir)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_leaderboard_of_a_damaged_journal_is_one_line(
    finished_run: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(finished_run, run_dir)
    (run_dir / "studies.log").write_text("{}\nnonsense\n{}\n")
    refused = in_process("leaderboard", run_dir)
    assert refused.returncode == 2
    assert "is damaged" in refused.stderr


def test_a_lost_model_file_is_made_again(
    finished_run: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(finished_run, run_dir)
    (run_dir / "best_model.h5").unlink()
    again = in_process("run", run_dir / "config.toml")
    assert again.returncode == 0, again.stderr
    assert (run_dir / "best_model.h5").exists()
    assert len(trials(run_dir)) == len(trials(finished_run))


def test_a_moved_store_is_found_again_by_naming_it(
    finished_run: Path, in_process: Dfsearch, store_path: Path, tmp_path: Path
) -> None:
    run_dir, moved = tmp_path / "run", tmp_path / "moved.h5"
    shutil.copytree(finished_run, run_dir)
    shutil.copy(store_path, moved)
    assert in_process("run", moved, run_dir).returncode == 0
    assert tomllib.loads((run_dir / "config.toml").read_text())["store"] == str(moved)


def test_a_second_run_in_one_folder_is_refused(
    write_config: Callable[..., Path],
    begin_run: Callable[[Path], subprocess.Popen[bytes]],
    in_process: Dfsearch,
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, architecture=3, gan=0, training=0)
    process = begin_run(config)
    wait_for(lambda: (tmp_path / "run" / "run.json").exists(), process)
    refused = in_process("run", config)
    assert refused.returncode == 2
    assert "another process" in refused.stderr


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("missing", "no store at"),
        ("not hdf5", "not an HDF5 file"),
        ("other schema", "store schema 99"),
        ("no fakes", "no fake clip in the train split"),
    ],
)
def test_a_store_that_cannot_be_searched_on_is_one_line(
    store_path: Path, in_process: Dfsearch, tmp_path: Path, damage: str, says: str
) -> None:
    store = tmp_path / "store.h5"
    if damage == "not hdf5":
        store.write_bytes(b"hello")
    elif damage != "missing":
        shutil.copy(store_path, store)
        with h5py.File(store, "r+") as file:
            if damage == "other schema":
                file.attrs["schema_version"] = 99
            else:
                file["label"][...] = 0
    refused = in_process("run", store, tmp_path / "run")
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "run").exists()
