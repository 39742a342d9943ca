"""How GANs learn faces: ``python -m bench.gan [STORE.h5] [--steps N] [--only NAMES]``.

Trains pairs of the GAN space on the real faces of a store and prints, as they learn, their KID to
held-out real faces with its standard error, how far generated faces lie apart relative to real
ones, how often the discriminator takes real faces for real - those it trained on and held-out
ones - and its AUC as a detector of validation clips. Then whether KID fell, by these figures.
Without a store, one of SYNTHETIC people is drawn. ``--keep`` leaves a picture of each pair's faces
beside real ones; of a store of real people that picture shows real people.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from artifacts.quiet import import_tensorflow
from bench.shared.timing import describe_machine
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import Execution, prepare
from data_prep.store.store import Store
from data_prep.synthetic.synthesize import synthesize

import_tensorflow()

import tensorflow as tf  # noqa: E402

from search.gan.discriminator import detector_auc, real_accuracy  # noqa: E402
from search.gan.faces import real_faces, to_pixels, to_unit, write_grid  # noqa: E402
from search.gan.measures import MOST_COMPARED, FaceMeasure, FaceMeasures  # noqa: E402
from search.gan.training import GanDivergedError, GanTraining  # noqa: E402
from search.stages.gan import fixed_latents  # noqa: E402
from spaces.gan.choices import FACE_SIDE, FEATURES, SIDES, GanChoices  # noqa: E402
from spaces.gan.features import face_features  # noqa: E402

_CONVOLUTIONAL = GanChoices(
    "convolutional", generator_rate=5e-4, discriminator_rate=5e-4, pixel_norm=True
)
PAIRS = {
    "dense": GanChoices(),
    "non_saturating": _CONVOLUTIONAL,
    "hinge": dataclasses.replace(_CONVOLUTIONAL, loss="hinge"),
    "wasserstein": dataclasses.replace(_CONVOLUTIONAL, loss="wasserstein", critic_steps=3),
    "augmented": dataclasses.replace(_CONVOLUTIONAL, augmented=True),
}
REPORTS = 10
HEADING = f"{'steps':>9}{'seconds':>9}{'KID':>21}" + (
    "  pairwise  nearest  real: train, held out  val AUC"
)


def make_small_store(folder: Path) -> Path:
    """A small store of synthetic people."""
    store = folder / "synthetic.h5"
    if not store.exists():
        synthesize(folder / "videos", identities=48, frames=8, size=128, jobs=-1)
        prepare(
            folder / "videos",
            store,
            preparation=Preparation(frames=4, size=64),
            execution=Execution(jobs=-1),
        )
    return store


def trained(
    name: str, choices: GanChoices, store: Store, steps: int, features: str, keep: Path | None
) -> Iterator[tuple[dict[str, float | None], FaceMeasures]]:
    """Train one pair; a row and the measurement of each report."""
    train = real_faces(store, "train", choices.side)
    held_out = to_unit(real_faces(store, "val", choices.side, MOST_COMPARED))
    measure = FaceMeasure(face_features(features, choices.side), to_unit(train), held_out)
    training, latents = GanTraining(choices, train, seed=0), fixed_latents(choices, 0)
    began = time.perf_counter()
    for report in range(1, REPORTS + 1):
        training.advance(steps * report // REPORTS - training.steps)
        seconds = time.perf_counter() - began
        faces = training.generated(latents)
        measured = measure(faces)
        accuracy = real_accuracy(training, train, held_out, faces)
        yield (
            {
                "steps": training.steps,
                "seconds": seconds,
                "kid": measured.kid,
                "kid_error": measured.kid_error,
                "pairwise": measured.pairwise,
                "nearest": measured.nearest,
                "train": accuracy.train,
                "held_out": accuracy.held_out,
                "auc": detector_auc(training.discriminator, store, "val"),
            },
            measured,
        )
    if keep:
        write_grid(keep / f"{name}.png", to_pixels(faces[:64]), train)


def line(row: dict[str, float | None]) -> str:
    """A row of the table."""
    auc = "" if row["auc"] is None else f"{row['auc']:.3f}"
    kid = f"{row['kid']:.3f} ± {row['kid_error']:.3f}"
    return (
        f"{row['steps']:>9}{row['seconds']:>9.0f}{kid:>21}{row['pairwise']:>10.2f}"
        f"{row['nearest']:>9.2f}{row['train']:>13.2f}{row['held_out']:>10.2f}{auc:>9}"
    )


def verdict(name: str, reports: list[FaceMeasures]) -> str:
    """Whether KID fell, in a sentence made of the figures."""
    first, last = reports[0], reports[-1]
    fall, error = first.kid - last.kid, math.hypot(first.kid_error, last.kid_error)
    said = (
        "falls" if fall > 2 * error else "rises" if -fall > 2 * error else "does not clearly fall"
    )
    return (
        f"{name}: KID {said}, from {first.kid:.3f} at the first report to {last.kid:.3f} at the "
        f"last; difference {fall:+.3f}, standard error {error:.3f}"
    )


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gan", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("store", nargs="?", type=Path, help="prepared; without it one is drawn")
    parser.add_argument("--steps", type=int, default=1000, help="of each discriminator")
    parser.add_argument("--only", default=",".join(PAIRS), metavar="NAMES", help="pairs to train")
    parser.add_argument("--side", type=int, choices=SIDES, default=FACE_SIDE)
    parser.add_argument("--features", choices=FEATURES, default="random")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for pictures of faces")
    parser.add_argument("--json", action="store_true", help="rows as JSON lines, for programs")
    chosen = parser.parse_args()
    unknown = set(chosen.only.split(",")) - set(PAIRS)
    if unknown:
        parser.error(f"no pair {', '.join(sorted(unknown))}; there are {', '.join(PAIRS)}")
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = chosen.store or make_small_store(chosen.keep or Path(scratch))
        with Store(path) as store:
            measured(store, chosen)


def measured(store: Store, chosen: argparse.Namespace) -> None:
    """Train every pair that was asked for, and print."""
    sentences = []
    if not chosen.json:
        kind = "SYNTHETIC" if store.is_synthetic else "real"
        counts = [len(real_faces(store, split, chosen.side)) for split in ("train", "val")]
        print(f"{describe_machine()}, tensorflow {tf.__version__}")
        print(
            f"{counts[0]} {kind} faces of {chosen.side} px to learn from, {counts[1]} held out; "
            f"KID of {chosen.features} features"
        )
    for name in chosen.only.split(","):
        choices = dataclasses.replace(PAIRS[name], side=chosen.side)
        reports: list[FaceMeasures] = []
        if not chosen.json:
            print(f"\n{name}\n{HEADING}")
        try:
            for row, found in trained(
                name, choices, store, chosen.steps, chosen.features, chosen.keep
            ):
                reports.append(found)
                print(json.dumps({"pair": name, **row}) if chosen.json else line(row), flush=True)
        except GanDivergedError as error:
            sentences.append(f"{name}: {error}")
            continue
        sentences.append(verdict(name, reports))
    if not chosen.json:
        print("\n" + "\n".join(sentences))


if __name__ == "__main__":
    main()
