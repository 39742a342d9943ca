"""A plain training loop over the samples of a search: ``python -m bench.accuracy.plain``.

One network, one head, Adam with a cosine, all layers trained, no validation, no calibration and no
selection: what ``dfsearch run`` has to reach with the same samples, budget and seed. It reads the
training split of one store and tests on all clips of another, of other people.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.quiet import import_tensorflow
from bench.shared.cells import format_figure
from data_prep.store.store import Store
from search.cli.console import bars, tables

RATE, BATCH = 1e-3, 32


def build_network(store: Store, size: int, margin: float, seed: int) -> Any:
    """Return a network from frames (1, S, S, 4) of a store to a logit; all of it is trained."""
    import keras

    from spaces.backbones.pretrained import backbone
    from spaces.layers.cropping import crop_centre
    from spaces.layers.preprocessing import preprocess

    keras.utils.set_random_seed(seed)
    frames = keras.Input((1, *store.clip_shape[1:]), dtype="uint8")
    share = min(1.0, margin / float(store.preparation["clip"]["margin"]))
    x = crop_centre(frames, share=share, size=size, name="crop")
    x = preprocess(x, "none", name="colour")
    network = backbone("efficientnet_lite0", tuple(x.shape[2:]), "imagenet", frames=1)
    network.trainable = True
    x = keras.layers.GlobalAveragePooling3D()(network(x))
    return keras.Model(frames, keras.layers.Dense(1, dtype="float32")(x))


def train(model: Any, store: Store, chosen: argparse.Namespace) -> float:
    """Train a network in place and return the mean loss of the last tenth of the steps."""
    import keras

    from search.samples.batches import ENDLESS, ClipBatches, Sampling
    from search.samples.samples import training_samples

    samples = training_samples(store, chosen.pseudo_fakes, chosen.augmentation, frames=1)
    frequency = samples.balanced(chosen.pseudo_fakes)
    sampling = Sampling(chosen.seed, chosen.samples, frequency, views=ENDLESS)
    batches = ClipBatches(samples, batch_size=BATCH, sampling=sampling)
    schedule = keras.optimizers.schedules.CosineDecay(chosen.rate, len(batches))
    model.compile(
        keras.optimizers.Adam(schedule), keras.losses.BinaryCrossentropy(from_logits=True)
    )
    losses = []
    with bars("training") as [progress]:
        for step in range(len(batches)):
            frames, labels = batches[step]
            losses.append(float(model.train_on_batch(frames, labels)))
            # The mean over all steps so far is what Keras returns.
            model.reset_metrics()
            progress(step + 1, len(batches))
    return float(np.mean(losses[-max(1, len(losses) // 10) :]))


def score(model: Any, store: Store) -> npt.NDArray[np.float64]:
    """Return the mean logit of the frames of every clip and of their mirror images, (N,)."""
    scores = np.empty(len(store))
    for row in range(len(store)):
        frames = store.read([row])[0][:, None]
        both = np.concatenate([frames, frames[:, :, :, ::-1]])
        scores[row] = float(np.mean(model.predict_on_batch(both)))
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, test and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.accuracy.plain", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("train", type=Path, metavar="TRAIN.h5")
    parser.add_argument("test", type=Path, metavar="TEST.h5")
    parser.add_argument("--samples", type=int, default=16384)
    parser.add_argument("--size", type=int, default=128, help="side of the crop in pixels")
    parser.add_argument("--margin", type=float, default=1.3, help="in sides of the face box")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--pseudo-fakes", type=float, default=1.0, help="share of the fakes")
    parser.add_argument("--augmentation", default="strong")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    import_tensorflow()
    from artifacts.metrics.ranking import RankedClips, compute_figures, find_originals

    started = time.monotonic()
    with Store(chosen.train) as store:
        model = build_network(store, chosen.size, chosen.margin, chosen.seed)
        loss = train(model, store, chosen)
    minutes = (time.monotonic() - started) / 60
    with Store(chosen.test) as store:
        originals = find_originals(store.keys, store.crop_sources)
        clips = RankedClips(store.labels, store.groups, originals)
        baseline = -store.shortcuts["sharpness"]
        figures = compute_figures(score(model, store), clips, against=baseline)
    found = {name: {"value": one.value, "ci": one.interval} for name, one in figures.items()}
    if chosen.json:
        print(json.dumps({**vars(chosen), "minutes": minutes, "loss": loss, **found}, default=str))
        return
    shown = Table("figure", "value", title=f"{chosen.samples} samples in {minutes:.1f} minutes")
    shown.add_row("training loss, last tenth", f"{loss:.3f}")
    for name, figure in figures.items():
        shown.add_row(name.replace("margin", "margin over sharpness"), format_figure(figure))
    tables().print(shown)


if __name__ == "__main__":
    main()
