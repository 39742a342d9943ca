from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from artifacts.evaluation import openings
from artifacts.evaluation.scoring import join_videos
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from search.config import run_config
from search.config.run_config import RunConfig
from search.stages import finish
from search.studies.study import (
    rank_key,
    read_trials,
)
from search.trials.trial import MODEL_FILE


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> RunDirectory:
    """A finished run of one's own."""
    shutil.copytree(finished_run, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def config(run: RunDirectory) -> RunConfig:
    return run_config.load(run.config)


def test_the_winner_is_the_best_trial_of_both_detector_stages(
    run: RunDirectory, config: RunConfig
) -> None:
    winner = finish.choose(config)
    trials = read_trials(run)
    complete = [t for stage in ("architecture", "training") for t in trials[stage] if t.values]
    assert rank_key(winner.trial) == min(map(rank_key, complete))
    certificate = json.loads(run.certificate.read_text())
    assert certificate["origin"]["stage"] == winner.stage.name
    assert certificate["origin"]["trial"] == winner.trial.number
    assert certificate["architecture"] == winner.architecture


def test_a_run_without_a_complete_trial_has_no_winner(config: RunConfig, tmp_path: Path) -> None:
    empty = config.model_copy(update={"run_dir": tmp_path})
    with pytest.raises(UserError, match=r"no trial of .* finished"):
        finish.choose(empty)


def test_a_refit_that_diverges_leaves_the_trial_in_its_place(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    winner = finish.choose(config)
    diverging = dataclasses.replace(winner.choices, learning_rate=float("nan"))
    single = finish._better_of_trial_and_refit(
        config, run, store, dataclasses.replace(winner, choices=diverging)
    )
    assert single.origin.kept == "trial"
    assert single.origin.refit_validation is None
    assert "diverged" in single.origin.refit_failure
    assert single.score == finish.trial_score(winner.trial, config.objective)
    assert np.isfinite(single.model.predict(store.read([0]), verbose=0)).all()


def test_without_the_trial_and_without_a_refit_there_is_nothing_to_export(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    winner = finish.choose(config)
    (run.trial(winner.stage, winner.trial.number) / MODEL_FILE).unlink()
    diverging = dataclasses.replace(winner.choices, learning_rate=float("nan"))
    with pytest.raises(UserError, match="is missing and the refit failed"):
        finish._better_of_trial_and_refit(
            config, run, store, dataclasses.replace(winner, choices=diverging)
        )


def test_the_threshold_is_of_videos_not_of_their_faces(
    make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    known = {"count": 1, "split": "val"}
    faces = [make_clip(name, kind, **known) for name, kind in (("a", "real"), ("b", "Drawn"))]
    further = [
        make_clip("c", clip.method, **known, key=f"{clip.key}#face2", path=clip.path)
        for clip in faces
    ]
    write_store(tmp_path / "store.h5", [*faces, *further], [], {})
    with Store(tmp_path / "store.h5") as store:
        score = {faces[0].key: 0.2, further[0].key: 0.6, faces[1].key: 0.9, further[1].key: 0.4}
        scores = np.array([score[key] for key in store.keys])
        threshold = finish.threshold_of_videos(scores, store, np.arange(4))
        videos = join_videos(scores, store, np.arange(4))
    real, fake = (videos.probabilities[videos.labels == label][0] for label in (0, 1))
    assert threshold == pytest.approx((real + fake) / 2)


@pytest.mark.slow
def test_finishing_twice_gives_the_same_model_and_scores(
    run: RunDirectory, config: RunConfig
) -> None:
    before = run.scores.read_text()
    threshold = json.loads(run.certificate.read_text())["threshold"]
    finish.finish(config)
    assert run.scores.read_text() == before
    assert json.loads(run.certificate.read_text())["threshold"] == threshold
    # The very same model: the test split was not opened for it again.
    assert len(openings.openings(run)) == 1
