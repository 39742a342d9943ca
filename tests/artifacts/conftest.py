"""A finished run as the last step of a search leaves it, with a tiny untrained detector."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from artifacts.certificate import (
    Certificate,
    InputContract,
    ModelFile,
    ModelFiles,
    Origin,
    Scored,
)
from artifacts.evaluation import Calibration, evaluate
from artifacts.export import save_model, versions
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
    run.write_fingerprint("0" * 64)
    save_model(detector, run)
    preparation = Preparation(frames=CLIP_SHAPE[0], size=CLIP_SHAPE[1])
    labels = np.array([0, 1, 0, 1], np.uint8)
    evaluation = evaluate(
        labels,
        np.array([0.1, 0.9, 0.2, 0.8]),
        np.array(["a", "a", "b", "b"]),
        np.where(labels, "Drawn", "real"),
        np.ones(4),
        split="val",
        threshold=THRESHOLD,
        quarantined=0,
    )
    score = Scored(auc=1.0, log_loss=0.2)
    Certificate(
        files=ModelFiles(h5=ModelFile.of(run.h5), keras=ModelFile.of(run.keras)),
        input=InputContract(shape=CLIP_SHAPE),
        params=detector.count_params(),
        threshold=THRESHOLD,
        calibration=Calibration(1.0, 0.0),
        origin=Origin(
            stage="architecture",
            trial=0,
            trial_validation=score,
            refit_validation=score,
            kept="trial",
        ),
        architecture={},
        training={},
        validation=evaluation,
        test=evaluation,
        test_opened="2026-01-01T00:00:00+00:00",
        synthetic=True,
        preparation={"clip": preparation.to_dict()},
        store={"path": "store.h5", "fingerprint": "0"},
        seed=0,
        versions=versions(),
        created="2026-01-01T00:00:00+00:00",
    ).write(run.certificate)
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
        certificate["files"]["h5"] = ModelFile.of(run.h5).model_dump()
        write_json(run.certificate, certificate)

    return rewrite
