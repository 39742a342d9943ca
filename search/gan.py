"""The GAN stage: generator and discriminator on real faces, tuned by Optuna."""

from __future__ import annotations

from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import optuna
import tensorflow as tf

from artifacts import records
from artifacts.run_directory import RunDirectory, replacing
from data_prep.store import REAL, Store
from search import studies
from search.config import RunConfig
from search.hyperparameters import OptunaHyperParameters, fixed, optuna_params
from search.trial import GAN_FILES, OpenTrial, TrialOutcome, TrialResult, run_trial
from spaces.gan import (
    FACE_SIDE,
    KINDS,
    GanChoices,
    discriminator,
    gan_space,
    generator,
    random_features,
)

STAGE = "gan"
MAX_FACES = 4096
# How often a trial reports, and so may be pruned.
REPORTS = 5
# Spread of generated faces relative to real ones below which a generator has collapsed.
COLLAPSED = 0.05


class ModeCollapseError(Exception):
    """The generator gives almost the same face for every latent."""


def enqueue(config: RunConfig) -> None:
    """Queue the dense pair of the original recipe and the convolutional pair."""
    study = studies.open_study(RunDirectory(config.run_dir).journal, STAGE)
    for kind in KINDS[: config.gan.trials]:
        hp = fixed({"kind": kind})
        gan_space(hp)
        study.enqueue_trial(optuna_params(hp), skip_if_exists=True)


def run(config: RunConfig) -> TrialOutcome:
    """Run one trial of the stage; the objective is KID against held-out real faces, lowest best."""

    def objective(trial: OpenTrial) -> TrialResult:
        hp = OptunaHyperParameters(trial.optuna)
        choices = gan_space(hp)
        trial.optuna.set_user_attr(records.HYPERPARAMETERS, hp.values)
        with Store(config.store) as store:
            train, held_out = real_faces(store, "train"), real_faces(store, "val")
        return _train(choices, train, held_out, config.gan.steps, trial)

    return run_trial(config, STAGE, REPORTS, objective)


def real_faces(store: Store, split: str) -> npt.NDArray[np.float32]:
    """Real faces of a split, evenly over clips and frames: float32 (n, 32, 32, 3) in -1..1.

    At most :data:`MAX_FACES`, so memory does not grow with the store.

    Raises:
        ValueError: there are fewer than two.
    """
    rows = store.rows(split, label=REAL)
    if len(rows) * store.clip_shape[0] < 2:
        raise ValueError(
            f"the GAN needs 2 real faces in the {split} split, "
            f"found {len(rows) * store.clip_shape[0]}"
        )
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MAX_FACES)).astype(int)]
    per_clip = max(1, min(store.clip_shape[0], MAX_FACES // len(rows)))
    places = np.linspace(0, store.clip_shape[0] - 1, per_clip).astype(int)
    faces = [
        cv2.resize(frame[..., :3], (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA)
        for row in rows
        for frame in store.read([row])[0][places]
    ]
    return np.stack(faces).astype(np.float32) / 127.5 - 1.0


def kid(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Kernel inception distance of two feature sets (n, d) and (m, d); 0 for equal distributions.

    The unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (Binkowski et
    al., Demystifying MMD GANs, 2018).
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    n, m = len(x), len(y)
    xx, yy, xy = _cubic(x, x), _cubic(y, y), _cubic(x, y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def _cubic(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (p @ q.T / p.shape[1] + 1) ** 3


def _train(
    choices: GanChoices,
    train: npt.NDArray[np.float32],
    held_out: npt.NDArray[np.float32],
    steps: int,
    trial: OpenTrial,
) -> TrialResult:
    keras.utils.clear_session()
    keras.utils.set_random_seed(trial.seed)
    network = random_features()
    make, judge = generator(choices), discriminator(choices)
    trial.optuna.set_user_attr(records.PARAMS, make.count_params() + judge.count_params())
    step = _step(choices, make, judge)
    rng = np.random.default_rng(trial.seed)

    reference = network.predict(held_out, verbose=0)
    latents = rng.normal(size=(max(64, min(len(held_out), 512)), choices.latent)).astype("float32")
    value = spread = float("inf")
    for report in range(1, REPORTS + 1):
        for _ in range(steps * (report - 1) // REPORTS, steps * report // REPORTS):
            picked = rng.integers(0, len(train), choices.batch_size)
            losses = step(tf.constant(train[picked]))
        judge_loss, make_loss = float(losses[0]), float(losses[1])
        faces = make.predict(latents, verbose=0)
        features = network.predict(faces, verbose=0)
        value = kid(features, reference)
        spread = float(features.std(axis=0).mean() / reference.std(axis=0).mean())
        if not np.isfinite([judge_loss, make_loss, value, spread]).all():
            raise FloatingPointError(
                f"losses {judge_loss} and {make_loss}, KID {value}: the GAN diverged"
            )
        trial.record(
            {
                "report": report,
                "kid": value,
                "spread": spread,
                "discriminator_loss": judge_loss,
                "generator_loss": make_loss,
            }
        )
        trial.optuna.report(value, report)
        if report < REPORTS and trial.optuna.should_prune():
            raise optuna.TrialPruned(f"kid {value:.4f} after {steps * report // REPORTS} steps")
    if spread < COLLAPSED:
        raise ModeCollapseError(f"generated faces vary {spread:.3f} times as much as real ones")
    for model, name in zip((make, judge), GAN_FILES, strict=True):
        with replacing(trial.folder / name) as temporary:
            model.save(temporary)
    _write_grid(trial.folder / "faces.png", faces[:64])
    return TrialResult(value, {"spread": spread})


def _step(
    choices: GanChoices, make: keras.Model, judge: keras.Model
) -> tf.types.experimental.PolymorphicFunction:
    """One update of the discriminator and one of the generator, compiled."""
    make_optimizer = keras.optimizers.Adam(choices.generator_rate, beta_1=0.5)
    judge_optimizer = keras.optimizers.Adam(choices.discriminator_rate, beta_1=0.5)
    make_optimizer.build(make.trainable_variables)
    judge_optimizer.build(judge.trainable_variables)

    @tf.function
    def step(real: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        latent = tf.random.normal((choices.batch_size, choices.latent))
        with tf.GradientTape() as tape:
            on_real = judge(real, training=True)
            on_fake = judge(make(latent, training=True), training=True)
            if choices.loss == "hinge":
                judge_loss = tf.reduce_mean(tf.nn.relu(1 - on_real) + tf.nn.relu(1 + on_fake))
            else:
                judge_loss = tf.reduce_mean(tf.nn.softplus(-on_real) + tf.nn.softplus(on_fake))
        gradients = tape.gradient(judge_loss, judge.trainable_variables)
        judge_optimizer.apply(gradients, judge.trainable_variables)
        with tf.GradientTape() as tape:
            on_fake = judge(make(latent, training=True), training=True)
            hinge = choices.loss == "hinge"
            make_loss = tf.reduce_mean(-on_fake if hinge else tf.nn.softplus(-on_fake))
        gradients = tape.gradient(make_loss, make.trainable_variables)
        make_optimizer.apply(gradients, make.trainable_variables)
        return judge_loss, make_loss

    return step


def _write_grid(path: Path, faces: npt.NDArray[np.float32]) -> None:
    """Eight generated faces a row as a PNG."""
    pictures = np.clip(np.rint((faces + 1) * 127.5), 0, 255).astype(np.uint8)
    side = int(np.sqrt(len(pictures)))
    rows = pictures[: side * side].reshape(side, side, FACE_SIDE, FACE_SIDE, 3)
    grid = rows.transpose(0, 2, 1, 3, 4).reshape(side * FACE_SIDE, side * FACE_SIDE, 3)
    with replacing(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
