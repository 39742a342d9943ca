from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest
import typer

from search.cli.__main__ import app

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]

VERBS = (
    "synthesize",
    "prepare",
    "merge",
    "audit",
    "verify",
    "run",
    "leaderboard",
    "dashboard",
    "evaluate",
    "predict",
    "export",
    "pseudo-fakes",
    "work",
    "demo",
)


def test_help_imports_no_tensorflow() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from search.cli.__main__ import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'tensorflow', 'keras', 'autokeras', 'cv2', 'optuna', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_needs_no_tensorflow_imports_none() -> None:
    modules = (
        "data_prep.preparation.prepare",
        "data_prep.synthetic.synthesize",
        "search.run",
        "search.preflight",
        "search.workers.join",
        "search.cli.live_table",
        "artifacts.leaderboard.board",
    )
    code = (
        "import importlib, sys\n"
        f"for name in {modules}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'tensorflow' not in sys.modules, name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(in_process: Dfsearch, verb: str) -> None:
    shown = in_process(verb, "--help")
    assert shown.returncode == 0
    assert "Example" in shown.stdout
    assert f"dfsearch {verb}" in shown.stdout


def test_help_has_a_line_for_each_paragraph_and_each_example() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    for verb in VERBS:
        command = group.get_command(context, verb)
        assert command.help
        assert "\n" not in command.help.replace("\n\n", ""), verb
        assert "; dfsearch" not in command.epilog


def test_leaderboard_json_has_the_promised_fields(finished_run: Path, in_process: Dfsearch) -> None:
    shown = in_process("leaderboard", finished_run, "--json")
    assert shown.returncode == 0, shown.stderr
    rows = json.loads(shown.stdout)
    assert len(rows) == 4
    promised = {"rank", "stage", "trial", "state", "val_auc", "params", "seconds", "reason"}
    for row in rows:
        assert promised | {"hyperparameters"} <= set(row)
    ranks = [row["rank"] for row in rows if row["rank"] is not None]
    assert ranks == list(range(1, len(ranks) + 1))
    (gan,) = (row for row in rows if row["stage"] == "gan")
    assert gan["rank"] is None
    written = list(csv.DictReader(io.StringIO((finished_run / "leaderboard.csv").read_text())))
    assert [row["trial"] for row in written] == [str(row["trial"]) for row in rows]


def test_one_trial_is_shown_in_full(finished_run: Path, in_process: Dfsearch) -> None:
    shown = in_process("leaderboard", finished_run, "--trial", "architecture/0")
    assert shown.returncode == 0, shown.stderr
    assert "detector/spatial/backbone" in shown.stdout
    assert "val_auc" in shown.stdout
    unknown = in_process("leaderboard", finished_run, "--trial", "architecture/77")
    assert unknown.returncode == 2
    assert "no trial architecture/77" in unknown.stderr


def test_leaderboard_table_names_streams(finished_run: Path, in_process: Dfsearch) -> None:
    shown = in_process("leaderboard", finished_run)
    assert shown.returncode == 0
    assert "small_cnn" in shown.stdout
    assert "KID" in shown.stdout


def test_evaluate_json_has_the_promised_fields(finished_run: Path, in_process: Dfsearch) -> None:
    shown = in_process("evaluate", finished_run, "--json")
    assert shown.returncode == 0, shown.stderr
    result = json.loads(shown.stdout)
    promised = [
        "split",
        "videos",
        "coverage",
        "auc",
        "auc_ci",
        "eer",
        "average_precision",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "log_loss",
        "brier",
        "threshold",
        "by_method",
    ]
    assert set(promised) <= set(result)
    assert result["split"] == "test"
    assert result["synthetic"] is True
    low, high = result["auc_ci"]
    assert low <= result["auc"] <= high
    assert set(result["by_method"]) == {"Drawn"}


def test_evaluate_on_another_store_keeps_the_frozen_threshold(
    finished_run: Path, make_store: Callable[..., Path], in_process: Dfsearch, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other.h5", seed=4)
    shown = in_process("evaluate", finished_run, other, "--split", "all", "--json")
    assert shown.returncode == 0, shown.stderr
    result = json.loads(shown.stdout)
    certificate = json.loads((finished_run / "best_model.json").read_text())
    assert result["videos"] == 32
    assert result["threshold"] == certificate["threshold"]


def test_evaluating_what_the_search_has_seen_says_so(
    finished_run: Path, in_process: Dfsearch
) -> None:
    shown = in_process("evaluate", finished_run, "--split", "val", "--json")
    assert shown.returncode == 0, shown.stderr
    assert "note: the model was made with the val split of this store" in shown.stderr
    assert json.loads(shown.stdout)["split"] == "val"


def test_predict_json_answers_each_path_in_order(
    finished_run: Path, face_video: bytes, in_process: Dfsearch, tmp_path: Path
) -> None:
    good, empty = tmp_path / "a clip.mp4", tmp_path / "empty.mp4"
    good.write_bytes(face_video)
    empty.touch()
    shown = in_process("predict", finished_run, good, empty, tmp_path / "none.mp4", "--json")
    assert shown.returncode == 2
    answers = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [answer["path"] for answer in answers] == [
        str(good),
        str(empty),
        str(tmp_path / "none.mp4"),
    ]
    assert set(answers[0]) >= {
        "path",
        "fake_probability",
        "verdict",
        "threshold",
        "coverage",
        "faces",
        "windows",
        "seconds",
    }
    assert answers[0]["verdict"] in ("real", "fake", "undecided")
    assert answers[0]["windows"] == 1
    (face,) = answers[0]["tracks"]
    assert face["fake_probability"] == answers[0]["fake_probability"]
    assert "empty" in answers[1]["error"]
    assert "no such file" in answers[2]["error"]


def test_predict_of_good_videos_alone_succeeds(
    finished_run: Path,
    face_video: bytes,
    dfsearch: Dfsearch,
    in_process: Dfsearch,
    tmp_path: Path,
) -> None:
    good = tmp_path / "clip.mp4"
    good.write_bytes(face_video)
    out = tmp_path / "seen.mp4"
    shown = dfsearch("predict", finished_run, tmp_path, "--annotate", out)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("fake probability") == 1
    assert "I0000" not in shown.stderr
    with av.open(str(out)) as annotated:
        assert sum(1 for _ in annotated.decode(video=0)) == 24
    refused = in_process("predict", finished_run, good, "--annotate", good)
    assert refused.returncode == 2
    assert f"error: --annotate {good} would replace {good}" in refused.stderr


def test_prepare_json_is_alone_on_standard_output(
    face_video: bytes, dfsearch: Dfsearch, in_process: Dfsearch, tmp_path: Path
) -> None:
    for label in ("real", "fake"):
        (tmp_path / "videos" / label).mkdir(parents=True)
        for person in range(4):
            path = tmp_path / "videos" / label / f"{label}{person}.mp4"
            # A trailing box makes the files differ without touching the picture.
            path.write_bytes(face_video + b"\0\0\0\x10free" + path.name[:8].encode())
    (tmp_path / "videos" / "real" / "broken.mp4").write_bytes(b"no video")
    store = tmp_path / "store.h5"
    shown = dfsearch("prepare", tmp_path / "videos", store, "--frames", 4, "--size", 32, "--json")
    assert shown.returncode == 0, shown.stderr
    summary = json.loads(shown.stdout)
    assert (summary["videos"], summary["clips"]) == (9, 8)
    (left_out,) = summary["quarantined"]
    assert set(left_out) == {"path", "step", "reason"}
    refused = in_process("prepare", tmp_path / "videos", store)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard", "nowhere"),
        ("evaluate", "nowhere"),
        ("predict", "nowhere", "video.mp4"),
        ("prepare", "nowhere", "store.h5"),
        ("prepare", "only_one"),
        ("prepare", "nowhere.toml", "store.h5"),
        ("prepare", "--add", "nowhere", "store.h5"),
        ("merge", "store.h5"),
        ("merge", "nowhere.h5", "neither.h5", "store.h5"),
        ("run", "nowhere.toml"),
        ("run", "nowhere.h5", "run"),
        ("run", "nowhere.h5"),
        ("synthesize", "out", "--cues", "sparkles"),
        ("synthesize", "out", "--identities", "3"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_exit_code_2_and_leaves_nothing(
    in_process: Dfsearch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    refused = in_process(*arguments, cwd=tmp_path)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error:")]
    assert "Traceback" not in refused.stderr
    assert len(line) < 400
    assert list(tmp_path.iterdir()) == []
    assert refused.stdout == ""
