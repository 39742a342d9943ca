"""A finished run as the last step of a search leaves it, with a tiny untrained detector."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
import pytest

from artifacts.export import file_facts, save_model, versions
from artifacts.run_directory import RunDirectory, write_json
from data_prep.clip import Preparation
from spaces.detector import detector_space

CLIP_SHAPE = (4, 32, 32, 4)
THRESHOLD = 0.4


@pytest.fixture(scope="session")
def detector() -> keras.Model:
    """A tiny untrained detector on clips of :data:`CLIP_SHAPE`."""
    keras.utils.set_random_seed(1)
    hp = keras_tuner.HyperParameters()
    hp.values.update({"detector/temporal/kind": "mean", "detector/spatial/filters": 8})
    return detector_space(CLIP_SHAPE).build(hp)


@pytest.fixture(scope="session")
def _run_template(tmp_path_factory: pytest.TempPathFactory, detector: keras.Model) -> Path:
    run = RunDirectory(tmp_path_factory.mktemp("template"))
    run.config.write_text('store = "store.h5"\n')
    save_model(detector, run)
    preparation = Preparation(frames=CLIP_SHAPE[0], size=CLIP_SHAPE[1])
    write_json(
        run.certificate,
        {
            "format": 1,
            "files": {"h5": file_facts(run.h5), "keras": file_facts(run.keras)},
            "input": {"name": "frames", "dtype": "uint8", "shape": list(CLIP_SHAPE)},
            "output": {"name": "fake_probability", "shape": [1], "activation": "sigmoid"},
            "threshold": THRESHOLD,
            "preparation": {"clip": preparation.to_dict()},
            "versions": versions(),
        },
    )
    return run.root


@pytest.fixture
def finished_run(_run_template: Path, tmp_path: Path) -> RunDirectory:
    """A run of one's own, to use or to damage."""
    shutil.copytree(_run_template, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


@pytest.fixture(scope="session")
def certify() -> Callable[[RunDirectory], None]:
    """Make the certificate name the ``.h5`` as it is now, as whoever made that file could."""

    def rewrite(run: RunDirectory) -> None:
        certificate = json.loads(run.certificate.read_text())
        certificate["files"]["h5"] = file_facts(run.h5)
        write_json(run.certificate, certificate)

    return rewrite
