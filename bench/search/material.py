"""SYNTHETIC stores, backbone weights and run settings of ``bench.search``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.preparation.clip import Preparation
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.video import Media
from search.config import run_config
from search.config.run_config import RunConfig

FROZEN, UNFROZEN, MEMORY = "frozen", "unfrozen", "memory"
RESNET50, SMALL = "resnet50", "small_cnn"
_NOTED_CLIPS = 32


@dataclasses.dataclass(frozen=True)
class Case:
    """One store and one space, the same for every engine.

    Attributes:
        name: :data:`FROZEN`, :data:`UNFROZEN` or :data:`MEMORY`.
        backbone: Backbone of the spatial stream, the only stream.
        clips: Number of clips, four in five for training, the others for validation.
        frames, side: Shape of a clip.
        epochs: Epochs of every trial.
        batch_size: Clips in a batch.
        stride: Frame stride of stock engines; ``None`` if they draw it.
    """

    name: str
    backbone: str
    clips: int
    frames: int
    side: int
    epochs: int
    batch_size: int = 8
    stride: int | None = None

    @property
    def gigabytes(self) -> float:
        """Size of the clips."""
        return self.clips * self.frames * self.side**2 * 4 / 1e9

    @property
    def train_clips(self) -> int:
        """Number of training clips, the samples of an epoch."""
        return self.clips * 4 // 5

    def store(self, folder: Path) -> Path:
        """Return the path of its store."""
        return folder / f"synthetic-{self.clips}x{self.frames}x{self.side}.h5"

    def __str__(self) -> str:
        return (
            f"{self.backbone}, {self.clips} clips of {self.frames} frames of {self.side} px "
            f"({self.gigabytes:.2f} GB), {self.epochs} epochs, batches of {self.batch_size}"
        )


def make_store(case: Case, folder: Path) -> None:
    """Write the store of a case, and the weights of a frozen backbone."""
    path = case.store(folder)
    if not path.exists():
        clip = dataclasses.asdict(Preparation(frames=case.frames, size=case.side))
        write_store(path, _make_clips(case), [], {"clip": clip, "synthetic": True})
    weights = folder / f"{RESNET50}.weights.h5"
    if case.backbone == RESNET50 and not weights.exists():
        _write_weights(weights, path)


def build_config(case: Case, folder: Path, run_dir: Path, **settings: Any) -> RunConfig:
    """Return the run configuration of a case: random sampling, no pruning, no augmentation.

    Args:
        case: Store and space.
        folder: Folder of stores and weights.
        run_dir: Folder of the run.
        settings: Other settings: ``seed``, ``workers``, ``trials``.
    """
    trials = settings.pop("trials", 1)
    return run_config.resolve(
        {
            "store": case.store(folder),
            "run_dir": run_dir,
            "sampler": "random",
            "pruner": "none",
            "objective": "auc",
            "space": {
                "streams": ["spatial"],
                "backbones": [case.backbone],
                "weights": str(folder) if case.backbone == RESNET50 else "none",
                "fine_tune": "never",
            },
            "architecture": {
                "trials": trials,
                "samples": case.epochs * case.train_clips,
                "batch_size": case.batch_size,
                "learning_rate": 1e-3,
                "schedule": "constant",
            },
            "gan": {"trials": 0},
            "training": {
                "trials": 0,
                "epoch_samples": case.train_clips,
                "frames": 0,
                "pseudo_fakes": 0.0,
                "augmentation": "none",
                "gan_fakes": False,
                "loss": "binary_crossentropy",
                "mixup": False,
                "weight_averaging": False,
            },
            **settings,
        }
    )


def _make_clips(case: Case) -> Iterator[Clip]:
    """Yield clips of noise, one real and one fake a person; a fake carries a faint patch."""
    times = np.arange(case.frames)
    media = dataclasses.asdict(Media("h264", 512, 512, 25.0, case.frames, 1.0, 1000))
    patch = slice(case.side // 4, case.side // 2)
    for number in range(case.clips):
        person, label = divmod(number, 2)
        rng = np.random.default_rng([case.clips, number])
        level = rng.integers(60, 120)
        shape = (case.frames, case.side, case.side, 3)
        colour = rng.integers(0, 80, shape, np.uint8) + np.uint8(level)
        if label:
            colour[:, patch, patch] += np.uint8(rng.integers(2, 30))
        grey = np.rint(colour.mean(axis=-1, keepdims=True)).astype(np.uint8)
        yield Clip(
            key=f"synthetic/{'fake' if label else 'real'}/c23/{person:05d}",
            label=label,
            method="Drawn" if label else "real",
            quality="c23",
            group=f"person{person:05d}",
            split="val" if person % 5 == 4 else "train",
            path=f"{person:05d}-{label}.mp4",
            sha256="0" * 64,
            frame_indices=times,
            frame_times=times / 25.0,
            boxes=np.tile(np.float32([64, 64, 448, 448]), (case.frames, 1)),
            landmarks=np.full((case.frames, 5, 2), np.nan, np.float32),
            scores=np.ones(case.frames, np.float32),
            coverage=1.0,
            frames=np.concatenate([colour, grey], axis=-1),
            media=media,
        )


def _write_weights(path: Path, store: Path) -> None:
    """Write ResNet50 weights without a download: random, with batch norms fitted to the clips.

    Training time does not depend on the weights.
    """
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    with Store(store) as opened:
        side = opened.clip_shape[1]
        frames = opened.read(opened.rows("train")[:_NOTED_CLIPS])[:, 0, ..., :3]
    network = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(side, side, 3)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(keras.applications.resnet50.preprocess_input(frames.astype(np.float32)), training=True)
    network.save_weights(path)
