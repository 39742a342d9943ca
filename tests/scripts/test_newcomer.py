"""Commands of README.md and their steps agree; the clone starts empty."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import checks
import pytest
import readme
from place import FailedError, Place, stranger
from steps import STEPS, steps

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

EXAMPLE = """\
Begin with `make demo`, which takes `--no` options; `dfsearch` alone is a name.

```
dfsearch prepare VIDEOS \\
    store.h5
LIMIT=3 dfsearch audit store.h5
```

| command | what |
|---|---|
| `dfsearch leaderboard RUN \\| less` | `RUN` as `dfsearch audit
store.h5` left it, and `make demo` again |

```python
import keras
```
"""


def test_commands_are_read_from_blocks_sentences_and_tables_in_their_order() -> None:
    assert [(shown.line, shown.text) for shown in readme.commands(EXAMPLE)] == [
        (1, "make demo"),
        (4, "dfsearch prepare VIDEOS store.h5"),
        (6, "LIMIT=3 dfsearch audit store.h5"),
        (11, "dfsearch leaderboard RUN | less"),
        (11, "dfsearch audit store.h5"),
        (15, "import keras\n"),
    ]
    assert readme.commands(EXAMPLE)[-1].python


def test_every_command_of_the_readme_has_a_step_and_no_other() -> None:
    shown = readme.commands(README)
    assert [step.shown for step in steps(shown)] == [one.text for one in shown]
    assert {step.shown for step in STEPS} <= {one.text for one in shown}


def test_a_command_without_a_step_is_named_with_its_line() -> None:
    more = f"{README}\n```\ndfsearch improve runs/demo\n```\n"
    line = more.count("\n") - 1
    with pytest.raises(ValueError, match=rf"line {line}: .*'dfsearch improve runs/demo'"):
        steps(readme.commands(more))


def test_a_step_without_a_command_is_named() -> None:
    shorter = README.replace("dfsearch audit ffpp.h5", "the audit")
    with pytest.raises(ValueError, match=r"does not show 'dfsearch audit ffpp\.h5'"):
        steps(readme.commands(shorter))


def test_python_runs_unchanged_and_make_targets_only_as_dry_runs() -> None:
    shown = readme.commands("```python\nprobability = 0.5 if 'a' < \"b\" else 2\n```\n`make lint`")
    known = readme.commands("".join(f"```\n{step.shown}\n```\n" for step in STEPS))
    python, lint = steps([*shown, *known])[:2]
    assert lint.script == "make --dry-run lint"
    code = "import shlex, sys; exec(shlex.split(sys.argv[1])[-1].split('import importlib')[0])"
    done = [sys.executable, "-c", f"{code}; print(probability)", python.runs[-1]]
    assert subprocess.run(done, capture_output=True, text=True, check=True).stdout == "0.5\n"


def test_files_of_a_run_are_read_from_the_readme(tmp_path: Path) -> None:
    assert {"best_model.h5", "trials/", "studies.log"} <= set(readme.files_of_a_run(README))
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    for name in readme.files_of_a_run(README):
        path = tmp_path / checks.RUN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path / "0" if name.endswith("/") else path).parent.mkdir(exist_ok=True)
        (path / "0" if name.endswith("/") else path).write_text("something", encoding="utf-8")
    checks.a_run_leaves(tmp_path, "")
    (tmp_path / checks.RUN / "scores.csv").write_bytes(b"")
    with pytest.raises(FailedError, match=r"runs/demo/scores\.csv is missing or empty"):
        checks.a_run_leaves(tmp_path, "")


def test_patterns_match_across_lines() -> None:
    checks.shows("real|fake", "file size")(Path(), "A Fake;\n  file\n size")
    with pytest.raises(FailedError, match="does not match 'certain'"):
        checks.shows("certain")(Path(), "a fake")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A private repository with a README.md whose first command fails."""
    folder = tmp_path / "project"
    folder.mkdir(mode=0o700)
    shutil.copy(REPOSITORY / "README.md", folder)
    (folder / "Makefile").write_text("demo:\n\t@echo no luck; exit 3\n", encoding="utf-8")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "all"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    (folder / "not committed").touch()
    return folder


@pytest.fixture
def place(tmp_path: Path, project: Path) -> Place:
    """A clone of it that another user can enter, unlike the temporary folders of tests."""
    place = Place(tmp_path / "place", stranger(same=False))
    place.clone(str(project))
    for folder in (place.root, *place.root.parents):
        if os.geteuid() == 0 and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o011)
    return place


def test_a_clone_belongs_to_the_new_user_and_holds_the_committed_files(place: Place) -> None:
    printed = place.run('id -un; pwd; ls; touch mine "$HOME/mine"', place.logs / "1.log", 60)
    who, where, *files = printed.splitlines()
    assert who == (place.user or who)
    assert where.endswith("/neu gier ä 日本/deepfake-model-search")
    assert files == ["Makefile", "README.md"]
    assert (place.home / "mine").exists()


def test_the_environment_of_the_current_user_is_not_visible(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/simple")
    printed = place.run("env", place.logs / "1.log", 60)
    assert "/somewhere" not in printed
    assert f"KERAS_HOME={place.home}/.keras" in printed
    assert "PIP_INDEX_URL=https://example.org/simple" in printed


def test_the_output_of_a_failing_command_is_logged(place: Place) -> None:
    log = place.logs / "1.log"
    with pytest.raises(FailedError, match="exit code 7"):
        place.run("echo before; sh -c 'exit 7'; echo after", log, 60)
    assert log.read_text(encoding="utf-8").endswith("\n\nbefore\n")


def test_a_hanging_command_is_killed_with_its_children(place: Place) -> None:
    with pytest.raises(FailedError, match="not done after 1 s"):
        place.run("sleep 1000 & echo $! > sleeper; wait", place.logs / "1.log", 1)
    sleeper = int((place.checkout / "sleeper").read_text(encoding="utf-8"))
    for _ in range(100):
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(sleeper)], capture_output=True, text=True
        ).stdout.strip()
        if not state or state.startswith("Z"):
            return
        time.sleep(0.1)
    pytest.fail("it still runs")


def test_a_missing_interpreter_is_named(place: Place) -> None:
    with pytest.raises(FailedError, match=r"cannot start python2\.0 as Python 3\.11 or newer"):
        place.python("python2.0")


def test_the_first_failure_stops_it_and_prints_the_end_of_the_log(
    project: Path, tmp_path: Path
) -> None:
    (project / "README.md").write_text("", encoding="utf-8")
    command = [sys.executable, str(REPOSITORY / "scripts" / "newcomer"), str(project)]
    command += ["--same-user", "--python", sys.executable, "--folder", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "1 changed files are not committed and so not tested" in done.stdout
    assert "make demo  FAILED" in done.stdout
    assert "exit code 2" in done.stdout
    assert "no luck" in done.stdout.partition("end of")[2]
    assert ".venv/bin/dfsearch" not in done.stdout
