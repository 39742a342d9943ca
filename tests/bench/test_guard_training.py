"""Guards of speed in searches and predictions, by machine-independent counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow.trainer import TensorFlowTrainer

from artifacts.prediction.clip_windows import choose_pace
from artifacts.prediction.predict import TRAINED_ON
from artifacts.prediction.video_frames import Watcher
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from bench.search.material import FROZEN, Case, build_config, make_store
from data_prep.preparation.clip import Preparation, make_detector
from data_prep.store.store import Store
from data_prep.video import decoding
from search.detectors.space import build_detector
from search.samples.batches import ClipBatches, Sampling
from search.samples.samples import clips_of
from search.stages import architecture
from search.studies.hyperparameters import fixed_hyperparameters
from search.studies.study import (
    open_study,
)
from search.trials import queue
from spaces.detector import detector_space
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import TemporalBlock

TRIALS = 3
# With two frames there is no stride to search, so all trials share one prefix. 32 clips are for
# training, in batches of 12, 12 and 8, and 8 for validation.
CASE = Case(FROZEN, "vgg16", clips=40, frames=2, side=48, epochs=3, batch_size=12)
FIRST_LAYER = "block1_conv1"


@dataclasses.dataclass
class Work:
    """Work of one trial.

    Attributes:
        images: Images through the first layer of the backbone.
        clips: Clips read from the store.
        traces: Traces of the training step, each a compilation by TensorFlow.
        epochs: Trained epochs.
        state: Final state of the trial.
    """

    images: int = 0
    clips: int = 0
    traces: int = 0
    epochs: int = 0
    state: str = ""


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> list[Work]:
    """Run a search of three trials on a frozen VGG16, and return the work of each."""
    folder = tmp_path_factory.mktemp("frozen")
    make_store(CASE, folder)
    ours = build_config(CASE, folder, folder / "run", trials=TRIALS)
    ours = ours.model_copy(update={"space": ours.space.model_copy(update={"weights": "hed"})})
    ours.run_dir.mkdir()
    done = []
    with pytest.MonkeyPatch.context() as patched:
        now = count_work(patched)
        architecture.enqueue(ours)
        study = open_study(RunDirectory(ours.run_dir), ARCHITECTURE)
        queue.queue_trials(study, TRIALS, TRIALS)
        for _ in range(TRIALS):
            vars(now).update(vars(Work()))
            outcome = architecture.run(ours)
            done.append(dataclasses.replace(now, state=f"{outcome.state} {outcome.reason}".strip()))
    return done


def count_work(patched: pytest.MonkeyPatch) -> Work:
    """Count all work from now on, when it is computed and not when it is built."""
    now = Work()
    convolve, step, read = keras.layers.Conv3D.call, TensorFlowTrainer.train_step, Store.read

    def count(images: tf.Tensor) -> tf.Tensor:
        now.images += images.shape[0] * images.shape[1]
        return images

    def convolve_counted(layer: keras.layers.Conv3D, images: Any) -> Any:
        if layer.name == FIRST_LAYER:
            shape = images.shape
            images = tf.ensure_shape(tf.py_function(count, [images], images.dtype), shape)
        return convolve(layer, images)

    def step_counted(model: keras.Model, data: Any) -> Any:
        now.traces += 1
        return step(model, data)

    def read_counted(store: Store, rows: Any, name: str = "frames") -> npt.NDArray[Any]:
        now.clips += len(rows)
        return read(store, rows, name)

    class Epochs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            now.epochs += 1

    fit = keras.Model.fit

    def fit_counted(model: keras.Model, *arguments: Any, **options: Any) -> Any:
        callbacks = [*options.pop("callbacks", []), Epochs()]
        return fit(model, *arguments, callbacks=callbacks, **options)

    patched.setattr(keras.layers.Conv3D, "call", convolve_counted)
    patched.setattr(TensorFlowTrainer, "train_step", step_counted)
    patched.setattr(Store, "read", read_counted)
    patched.setattr(keras.Model, "fit", fit_counted)
    return now


@pytest.mark.slow
def test_every_image_passes_a_frozen_backbone_once_in_a_whole_search(trials: list[Work]) -> None:
    assert [trial.state for trial in trials] == ["complete"] * TRIALS
    assert [trial.epochs for trial in trials] == [CASE.epochs] * TRIALS
    assert [trial.images for trial in trials] == [CASE.clips * CASE.frames, 0, 0]


@pytest.mark.slow
def test_clips_are_read_once_in_a_whole_search_behind_a_frozen_backbone(
    trials: list[Work],
) -> None:
    assert [trial.clips for trial in trials] == [CASE.clips, 0, 0]


@pytest.mark.slow
def test_a_trial_compiles_its_training_step_once(trials: list[Work]) -> None:
    assert [trial.traces for trial in trials] == [1] * TRIALS


def test_an_epoch_reads_every_clip_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_store(dataclasses.replace(CASE, backbone="small_cnn"), tmp_path)
    rows_read: list[int] = []
    read = Store.read

    def read_counted(store: Store, rows: Any, name: str = "frames") -> npt.NDArray[Any]:
        rows_read.extend(map(int, rows))
        return read(store, rows, name)

    with Store(CASE.store(tmp_path)) as store:
        rows = store.rows("train")
        batches = ClipBatches(
            clips_of(store, rows), batch_size=CASE.batch_size, sampling=Sampling(0)
        )
        monkeypatch.setattr(Store, "read", read_counted)
        for number in range(len(batches)):
            batches[number]
    assert sorted(rows_read) == rows.tolist()


@pytest.fixture
def watcher() -> Watcher:
    """Return a watcher with clips of 8 frames and a frame-by-frame network."""
    graph = detector_space(
        (8, 32, 32, 4),
        streams=("spatial",),
        spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
        temporal=TemporalBlock(kind="mean"),
    )
    preparation = Preparation(frames=8, size=32)
    model = build_detector(graph, fixed_hyperparameters({}), 0)
    pace = choose_pace(8, TRAINED_ON, by_frames_alone=True)
    return Watcher(model, preparation, make_detector(preparation), pace, any_order=True)


def test_a_prediction_decodes_a_video_once(
    watcher: Watcher,
    tmp_path: Path,
    write_video: Callable[..., Path],
    face_frames: Callable[..., Iterator[npt.NDArray[np.uint8]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_video(tmp_path / "face.mp4", face_frames(48))
    decoded: list[int] = []
    walk = decoding.Video.walk

    def walk_counted(video: decoding.Video, *arguments: Any, **options: Any) -> decoding.Walk:
        walked = walk(video, *arguments, **options)
        decoded.append(walked.decoded)
        return walked

    monkeypatch.setattr(decoding.Video, "walk", walk_counted)
    seen = watcher.read(path)
    assert seen.media.frames == 48
    assert decoded == [48]
