"""Files of a run are whole or as they were, and one process at a time works in its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artifacts.run_directory import RunDirectory, read_json, replace_file, write_json, write_text
from data_prep.errors import UserError
from search.studies.run_state import RunState

HOLD = (
    "import sys\n"
    "from pathlib import Path\n"
    "from artifacts.run_directory import RunDirectory\n"
    "with RunDirectory(Path(sys.argv[1])).locked():\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old\n")
    write_text(path, "Zoë\r\n")
    assert path.read_bytes() == "Zoë\r\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"), replace_file(path) as temporary:
        temporary.write_text("half a")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"auc": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"auc": float("nan")})
    assert read_json(path) == {"auc": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_keeps_the_ending_that_tells_the_format(tmp_path: Path) -> None:
    for name in ("best_model.keras", "best_model.h5", "best_model.png"):
        with replace_file(tmp_path / name) as temporary:
            assert temporary.suffix == Path(name).suffix
            assert temporary.parent == tmp_path
            temporary.touch()


def test_reading_a_missing_file_asks_whether_the_run_has_finished(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"best_model.json is missing; has the run finished\?"):
        read_json(tmp_path / "best_model.json")


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[" * 100_000])
def test_reading_a_damaged_file_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json cannot be read"):
        read_json(path)


def test_opening_a_folder_without_a_run_says_how_to_start_one(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match=rf"no run at {root}( |;)"):
            RunDirectory(root).open()


def test_a_run_near_the_current_folder_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = RunDirectory(tmp_path / "near")
    near.root.mkdir()
    RunState.begin(near, "0" * 64)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there are runs at near$"):
        RunDirectory(Path()).open()


def test_opening_a_run_gives_the_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.config.write_text("")
    RunState.begin(run, "0" * 64)
    assert run.open() is run


def test_everything_of_a_run_lies_in_its_folder(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    names = [name for name, member in vars(RunDirectory).items() if isinstance(member, property)]
    paths = [getattr(run, name) for name in names] + [run.trial("architecture", 3)]
    assert len(set(paths)) == len(paths) > 8
    assert all(path.is_relative_to(run.root) for path in paths)


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"another process is running in {tmp_path}"):
            run.locked().__enter__()
        holder.kill()
    with run.locked():
        pass


def test_the_folder_is_free_again_after_an_error_inside(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with pytest.raises(RuntimeError), run.locked():
        raise RuntimeError
    with run.locked():
        pass


def test_json_is_written_for_people_to_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1]})
    text = (tmp_path / "a.json").read_text()
    assert text.endswith("}\n")
    assert "\n  " in text
    assert json.loads(text) == {"a": [1]}


def test_what_is_being_written_is_not_swept_away(tmp_path: Path) -> None:
    trial = tmp_path / "trials" / "architecture" / "0000"
    trial.mkdir(parents=True)
    old, new = trial / ".model.1.tmp.keras", trial / ".model.2.tmp.keras"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    RunDirectory(tmp_path).sweep()
    assert list(trial.iterdir()) == [new]


def test_a_setting_is_read_from_the_configuration_of_the_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.setting("objective") is None
    run.config.write_text('objective = "auc"\n')
    assert run.setting("objective") == "auc"
    assert run.setting("storage") is None
    run.config.write_text("objective = ")
    with pytest.raises(UserError, match=r"config\.toml is not a TOML file"):
        run.setting("objective")
