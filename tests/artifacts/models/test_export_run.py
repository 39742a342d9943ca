"""Every exported file is run by its own runtime alone and compared with the detector."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn import metrics

from artifacts.models import export_check, formats
from artifacts.models.export_check import Clips, auc_change, export_all, random_clips, run_alone
from artifacts.models.export_run import check_precisions, export_run
from artifacts.models.formats import FORMATS, export_to, select_formats
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError

OTHERS = ("onnx", "tf2onnx", "onnxruntime", "ai_edge_litert", "openvino")


@pytest.fixture(scope="module")
def tiny() -> keras.Model:
    """A detector of a few layers on clips (2, 8, 8, 4) and the flow between their frames."""
    keras.utils.set_random_seed(0)
    frames = keras.Input((2, 8, 8, 4), dtype="uint8", name="frames")
    x = keras.layers.Rescaling(1 / 255)(frames)
    x = keras.layers.Conv3D(4, (1, 3, 3), activation="relu")(x)
    x = keras.layers.Flatten()(keras.layers.AveragePooling3D((1, 6, 6))(x))
    flow = keras.Input((1, 8, 8, 2), dtype="float16", name="flow")
    y = keras.layers.Activation("gelu")(keras.layers.Rescaling(0.1)(flow))
    y = keras.layers.Flatten()(y)
    x = keras.layers.Dense(1, "sigmoid", name="fake_probability")(
        keras.layers.Concatenate()([x, y])
    )
    return keras.Model([frames, flow], x)


@pytest.fixture(scope="module")
def clips(tiny: keras.Model) -> Clips:
    """Labelled by chance, of four people."""
    noise = random_clips(tiny).arrays
    labels = np.arange(32) % 2
    return Clips(noise, "32 clips of noise", labels, np.array(list("abcd"))[np.arange(32) // 8])


@pytest.mark.slow
def test_every_format_and_precision_runs_alone_and_agrees(
    tiny: keras.Model, clips: Clips, finished_run: RunDirectory
) -> None:
    for name in OTHERS:
        pytest.importorskip(name)
    measured: list[str] = []
    original = tiny.predict([clips.arrays["frames"], clips.arrays["flow"]], verbose=0)[:, 0]
    result = export_run(
        finished_run,
        tiny,
        select_formats(("all",)),
        ("float16", "int8"),
        clips,
        on_row=lambda row: measured.append(row.format),
    )
    assert [row.error for row in result.rows] == [""] * 9
    assert measured == [row.format for row in result.rows]
    assert {row.format for row in result.rows} == set(FORMATS)
    for row in result.rows:
        assert (result.folder / row.file).exists() and row.bytes > 0
        assert row.difference is not None and row.milliseconds is not None
        assert row.difference < (1e-5 if row.precision == "float32" else 0.02), row
        assert row.auc == pytest.approx(row.original_auc, abs=0.2) and row.auc_change is not None
        assert row.original_auc == pytest.approx(metrics.roc_auc_score(clips.labels, original))
    variants = [row for row in result.rows if row.precision != "float32"]
    assert len(variants) == 3 and any(row.difference > 0 for row in variants)
    record = json.loads((finished_run.root / "exports" / "exports.json").read_text())
    assert record == json.loads(json.dumps(result.to_json()))
    assert not list(result.folder.glob(".*"))
    assert (finished_run.root / "MODEL_CARD.md").is_file()


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("-[2] *?50%d", "saved_model"),
        pytest.param("~root[2] *?50%d", "all", marks=pytest.mark.slow),
    ],
)
def test_a_folder_may_have_any_name(
    tiny: keras.Model,
    clips: Clips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    names: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    rows = export_all(tiny, select_formats((names,)), (), clips, Path(folder))

    assert {row.format: row.error for row in rows} == {row.format: "" for row in rows}
    assert len(list((tmp_path / folder).iterdir())) >= len(rows)
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_a_format_that_fails_is_a_row_with_its_reason_and_others_go_on(
    tiny: keras.Model, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: keras.Model, path: Path, precision: str) -> None:
        raise ValueError("no such operation\nsecond line")

    monkeypatch.setitem(formats._WRITERS, "keras", broken)
    absent = dataclasses.replace(FORMATS["onnx"], packages=("no_such_package",))
    rows = export_all(tiny, [FORMATS["keras"], absent, FORMATS["h5"]], (), clips, tmp_path)
    assert [row.error for row in rows] == [
        "cannot be written: no such operation second line",
        "needs no_such_package: pip install 'deepfake-model-search[export]'",
        "",
    ]
    assert rows[2].difference == pytest.approx(0, abs=1e-6)


def test_a_file_that_does_not_load_is_told_by_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("no model")
    np.save(tmp_path / "frames.npy", np.zeros((1, 2, 8, 8, 4), np.uint8))
    pytest.importorskip("onnxruntime")
    with pytest.raises(RuntimeError, match=r"^[^\n]*onnxruntime[^\n]*$"):
        run_alone("onnx", path, {"frames": str(tmp_path / "frames.npy")})


def test_a_file_is_run_with_the_packages_of_this_process_but_nothing_of_this_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path / "spy.py"
    source = Path(export_check.runtimes.__file__).read_text(encoding="utf-8")
    asked = (
        "def load_h5(path):\n"
        "    found = []\n"
        "    for name in ('artifacts', 'data_prep', 'search', 'spaces', 'tensorflow', 'keras'):\n"
        "        try:\n"
        "            __import__(name)\n"
        "            found.append(name)\n"
        "        except ImportError:\n"
        "            pass\n"
        "    import only_on_the_path, sys\n"
        "    found.append(sys.flags.no_user_site)\n"
        "    return found, lambda arrays: 0.5\n"
        "LOADERS['litert'] = load_h5\n"
    )
    spy.write_text(source.replace('if __name__ == "__main__":', asked + "if True:"))
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "only_on_the_path.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    monkeypatch.delenv("PYTHONNOUSERSITE", raising=False)
    monkeypatch.setattr(export_check.runtimes, "__file__", str(spy))
    np.save(tmp_path / "frames.npy", np.zeros((3, 1), np.uint8))
    answers, facts = run_alone("litert", spy, {"frames": str(tmp_path / "frames.npy")})
    assert facts["inputs"] == [0]
    assert answers.tolist() == [0.5] * 3 and len(facts["seconds"]) == 3


def test_an_export_that_fails_leaves_the_file_before_it(
    tiny: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export_to(tiny, FORMATS["h5"], "float32", tmp_path)
    before = path.read_bytes()

    def stopped(model: keras.Model, path: Path, precision: str) -> None:
        path.mkdir() if path.suffix == ".tmp" else path.write_text("half")
        raise RuntimeError

    for name in ("h5", "saved_model"):
        monkeypatch.setitem(formats._WRITERS, name, stopped)
        with pytest.raises(RuntimeError):
            export_to(tiny, FORMATS[name], "float32", tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["deepfake_detector.h5"]
    assert path.read_bytes() == before


def test_noise_is_as_different_as_clips_are(tiny: keras.Model) -> None:
    arrays = random_clips(tiny).arrays
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "frames": "uint8",
        "flow": "float16",
    }
    assert arrays["frames"].shape == (32, 2, 8, 8, 4)
    assert arrays["frames"].mean(axis=(1, 2, 3, 4)).std() > 20
    again = random_clips(tiny).arrays
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


def test_formats_and_precisions_are_checked_first() -> None:
    assert [entry.name for entry in select_formats(("onnx", "h5"))] == ["h5", "onnx"]
    with pytest.raises(UserError, match="formats must be all or of h5, keras"):
        select_formats(("h5", "tflite"))
    with pytest.raises(UserError, match="names no format"):
        select_formats(())
    check_precisions(select_formats(("all",)), ("float16", "int8"))
    with pytest.raises(UserError, match="int8: no chosen format can; only litert can"):
        check_precisions(select_formats(("openvino",)), ("int8",))
    with pytest.raises(UserError, match="int4: no chosen format can; it is float16 or int8"):
        check_precisions(select_formats(("all",)), ("int4",))


def test_the_change_of_an_auc_is_paired() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    groups = (np.arange(60) // 6).astype(str)
    scores = (labels + rng.normal(size=60)).astype(np.float32)
    assert auc_change(labels, groups, scores, scores) == (0, 0)
    worse = auc_change(labels, groups, rng.normal(size=60).astype(np.float32), scores)
    assert worse is not None and worse[0] < worse[1] < 0
    assert auc_change(labels, np.repeat("a", 60), scores, scores) is None
