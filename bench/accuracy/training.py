"""Training of one row of ``bench.accuracy``, and its scores on the test sets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from artifacts.run_directory import RunDirectory
from bench.accuracy import data
from bench.accuracy.rows import (
    CHANNELS,
    GAN,
    GAN_FAKES,
    GAN_STREAM,
    KEY_FIELDS,
    SEARCHES,
    Row,
    ScoreFile,
    find_missing_scores,
    make_score_key,
    make_training_store,
    read_fingerprint,
)
from data_prep.store.store import Store


def train_and_score(keep: Path, row: Row, tested: Sequence[data.TestSet]) -> None:
    """Train a row unless its model is kept, and score the test sets it has not scored.

    Run this in its own process.

    Args:
        keep: Folder for models and scores.
        row: Row to train.
        tested: Test sets.
    """
    missing = find_missing_scores(keep, row, tested)
    if not missing:
        return
    train = make_training_store(keep, row)
    name = f"{row.name}-{row.settings_digest}-{read_fingerprint(train)[:8]}"
    folder = RunDirectory(keep / "rows" / name)
    started = time.monotonic()
    if row.detector in SEARCHES:
        _search(row, train, folder)
    elif not folder.h5.is_file():
        _train_single(keep, row, train, folder)
    seconds = time.monotonic() - started

    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from artifacts.models.inference import score_clips

    model = keras.models.load_model(folder.h5, compile=False)
    for path, rows in missing:
        with Store(path) as store:
            scores = [float(score) for score in score_clips(model, store, rows)]
            known = dict(zip(KEY_FIELDS, make_score_key(keep, row, store.fingerprint), strict=True))
        ScoreFile(keep / "scores.jsonl").add(known | {"seconds": round(seconds), "scores": scores})


def _search(row: Row, train: Path, folder: RunDirectory) -> None:
    """Run or resume a search that writes ``best_model.h5`` to the folder."""
    from search.cli.console import run_progress
    from search.run import run

    with run_progress() as progress:
        run(row.config(train, folder.root), progress)


def _train_single(keep: Path, row: Row, train: Path, folder: RunDirectory) -> None:
    """Train one detector with the defaults of its space, and a GAN first if it needs one.

    Rows with the same seed and store share a GAN.
    """
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    from artifacts.models.saved import plain_copy, save_model
    from bench.accuracy.channels import build_channels_space
    from search.detectors.short_clips import build_short_detector
    from search.detectors.space import build_detector, build_space
    from search.features.cache import FeatureCache
    from search.gan.latent_walks import generated_walks
    from search.samples.samples import Walks
    from search.stages import architecture
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import TrainingTask, fit
    from search.trials.trial import GAN_FILES
    from spaces.detector import detector_space
    from spaces.streams.gan import GanStreamBlock

    config = row.config(train, folder.root)
    choices = architecture.training_choices(config)
    with Store(train) as store:
        pair = train_gan(keep, store, row.seed, GAN) if row.has_gan else Path()
        generator, discriminator = (pair / name for name in GAN_FILES)
        walks = None
        if row.detector == GAN_FAKES:
            walks = Walks(generated_walks(generator, pair, frames=store.clip_shape[0]), pair.name)
            choices = dataclasses.replace(choices, gan_fakes=True)
        if row.detector == GAN_STREAM:
            block = GanStreamBlock(str(discriminator))
            graph = detector_space(store.clip_shape, streams=(GAN_STREAM,), gan=block)
        elif row.detector in CHANNELS:
            graph = build_channels_space(store.clip_shape, row.detector)
        else:
            graph = build_space(config, store)
        fewer_frames = build_short_detector(config, store, fixed_hyperparameters({}), row.seed)
        model = build_detector(graph, fixed_hyperparameters({}), row.seed)
        fit(
            model,
            TrainingTask(
                store,
                FeatureCache(keep / "features"),
                row.seed,
                objective=config.objective,
                walks=walks,
            ),
            choices,
            shorter=fewer_frames,
        )
    folder.root.mkdir(parents=True, exist_ok=True)
    save_model(plain_copy(model), folder)


def train_gan(keep: Path, store: Store, seed: int, pair: Mapping[str, Any]) -> Path:
    """Return the folder of a generator and a discriminator of real faces, trained if missing.

    Args:
        keep: Folder for all GANs.
        store: Store of the faces.
        seed: Random seed.
        pair: ``steps``, and fields of :class:`spaces.gan.choices.GanChoices`.
    """
    import keras

    from artifacts.run_directory import replace_file
    from search.gan.faces import real_faces
    from search.gan.training import GanTraining
    from search.trials.trial import GAN_FILES
    from spaces.gan.choices import GanChoices
    from spaces.gan.networks import remove_spectral_norm

    settings = dict(pair)
    steps = settings.pop("steps")
    choices = GanChoices(**settings)
    digest = hashlib.sha256(json.dumps(dict(pair), sort_keys=True).encode()).hexdigest()[:8]
    folder = keep / "gans" / f"{seed}-{digest}-{store.fingerprint[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / name).is_file() for name in GAN_FILES):
        keras.utils.clear_session()
        training = GanTraining(choices, real_faces(store, "train", choices.side), seed)
        training.advance(steps)
        judge = remove_spectral_norm(training.discriminator, choices)
        for model, name in zip((training.averaged, judge), GAN_FILES, strict=True):
            with replace_file(folder / name) as temporary:
                model.save(temporary)
    return folder
