"""A finished run as the last step of a search leaves it, with a tiny untrained detector."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import keras_tuner
import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from artifacts.certificate import (
    Certificate,
    InputContract,
    ModelFile,
    ModelFiles,
    Origin,
    Scored,
)
from artifacts.metrics.metrics import Calibration, evaluate
from artifacts.metrics.per_video import ScoredClips
from artifacts.models.saved import save_model, versions
from artifacts.run_directory import RunDirectory, write_json
from data_prep.preparation.clip import Preparation
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.grey import with_grey
from search.studies.run_state import RunState
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
    RunState.begin(run, "0" * 64)
    save_model(detector, run)
    preparation = Preparation(frames=CLIP_SHAPE[0], size=CLIP_SHAPE[1])
    labels = np.array([0, 1, 0, 1], np.uint8)
    evaluation = evaluate(
        ScoredClips(
            labels,
            np.array([0.1, 0.9, 0.2, 0.8]),
            np.array(["a", "a", "b", "b"]),
            np.where(labels, "Drawn", "real"),
            np.ones(4),
        ),
        split="val",
        threshold=THRESHOLD,
        quarantined=0,
    )
    score = Scored(auc=1.0, log_loss=0.2)
    Certificate(
        files=ModelFiles(h5=ModelFile.from_path(run.h5), keras=ModelFile.from_path(run.keras)),
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
        certificate["files"]["h5"] = ModelFile.from_path(run.h5).model_dump()
        write_json(run.certificate, certificate)

    return rewrite


@pytest.fixture(scope="session")
def searched() -> dict[str, list[FrozenTrial]]:
    """Trials of every stage as a search leaves them; one failed, its reason made to be mischief."""
    trials = {
        "architecture": [
            _trial({"detector/spatial/filters": 8, "head": "mean"}, 0.81, seconds=3.0),
            _trial({"detector/spatial/filters": 16, "head": "bilstm"}, 0.92, seconds=11.0),
            _trial({"detector/spatial/filters": 32, "head": "mean"}, 0.70, seconds=20.0),
            _trial({"head": "mean"}, None, reason="<script>window.mischief = 1</script>"),
        ],
        "gan": [_trial({"kind": "dense", "loss": "hinge", "latent": 64}, 0.2, seconds=2.0)],
    }
    return {
        stage: [_numbered(trial, number) for number, trial in enumerate(ours)]
        for stage, ours in trials.items()
    }


def _trial(chosen: dict[str, Any], value: float | None, **attributes: Any) -> FrozenTrial:
    ranges = {
        name: IntDistribution(8, 64)
        if isinstance(value, int)
        else CategoricalDistribution(("mean", "bilstm", "dense", "hinge"))
        for name, value in chosen.items()
    }
    return optuna.create_trial(
        state=TrialState.FAIL if value is None else TrialState.COMPLETE,
        value=value,
        params=chosen,
        distributions=ranges,
        user_attrs={"hyperparameters": chosen, "params": 1000 * len(chosen), **attributes},
    )


def _numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    trial.number = number
    return trial


@pytest.fixture(scope="session")
def labelled_store(
    tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Clip]
) -> Path:
    """A store of clips of :data:`CLIP_SHAPE`: 18 people, six in a split, each real and as a fake.

    A fake is the real, blurrier. Every third person is of quality c40.
    """
    clips = []
    for number in range(18):
        noise = np.random.default_rng(number).integers(0, 256, (*CLIP_SHAPE[:3], 3), np.uint8)
        real = with_grey(np.stack([cv2.GaussianBlur(frame, (0, 0), 0.8) for frame in noise]))
        fake = with_grey(
            np.stack([cv2.GaussianBlur(frame, (0, 0), 0.6) for frame in real[..., :3]])
        )
        quality = "c40" if number % 9 < 3 else "c23"
        known = {
            "count": CLIP_SHAPE[0],
            "split": ("train", "val", "test")[number % 3],
            "quality": quality,
        }
        name = f"person{number:02d}"
        original = make_clip(name, frames=real, **known)
        swap = "swap" if number % 2 else "paint"
        clips += [original, make_clip(name, swap, frames=fake, crop_source=original.key, **known)]
    path = tmp_path_factory.mktemp("labelled") / "labelled.h5"
    write_store(path, clips, [], {"clip": Preparation(frames=4, size=32).to_dict()})
    return path


@pytest.fixture
def own_run(finished_run: RunDirectory, labelled_store: Path) -> RunDirectory:
    """A finished run that was made on the labelled store."""
    with Store(labelled_store) as store:
        RunState.begin(finished_run, store.fingerprint)
    finished_run.config.write_text(f'store = "{labelled_store}"\n')
    return finished_run
