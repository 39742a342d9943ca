"""Learning curves of GANs on faces: ``python -m bench.gan [STORE.h5] [--steps N] [--only NAMES]``.

Pairs of the GAN space are trained on the real faces of a store. Each report has their KID to
held-out real faces with its standard error, the pairwise and nearest distances of generated faces
relative to real ones, the share of real faces that the discriminator accepts (training and held
out), and its AUC as a detector of validation clips. A sentence states whether KID fell. Without a
store, SYNTHETIC people are used. ``--keep`` writes a picture of each pair's faces and of real
faces; with a store of real people it shows real people.
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
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
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
    """Return a small store of synthetic people, made if missing."""
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


def train(
    name: str, choices: GanChoices, store: Store, steps: int, features: str, keep: Path | None
) -> Iterator[tuple[dict[str, float | None], FaceMeasures]]:
    """Train one pair; yield a row and the measures of each report."""
    faces_seen = real_faces(store, "train", choices.side)
    held_out = to_unit(real_faces(store, "val", choices.side, MOST_COMPARED))
    measure = FaceMeasure(face_features(features, choices.side), to_unit(faces_seen), held_out)
    training, latents = GanTraining(choices, faces_seen, seed=0), fixed_latents(choices, 0)
    began = time.perf_counter()
    for report in range(1, REPORTS + 1):
        training.advance(steps * report // REPORTS - training.steps)
        seconds = time.perf_counter() - began
        faces = training.generated(latents)
        measures = measure(faces)
        accuracy = real_accuracy(training, faces_seen, held_out, faces)
        yield (
            {
                "steps": training.steps,
                "seconds": seconds,
                "kid": measures.kid,
                "kid_error": measures.kid_error,
                "pairwise": measures.pairwise,
                "nearest": measures.nearest,
                "train": accuracy.train,
                "held_out": accuracy.held_out,
                "auc": detector_auc(training.discriminator, store, "val"),
            },
            measures,
        )
    if keep:
        write_grid(keep / f"{name}.png", to_pixels(faces[:64]), faces_seen)


def format_row(row: dict[str, float | None]) -> str:
    """Return a row of the table."""
    auc = "" if row["auc"] is None else f"{row['auc']:.3f}"
    kid = f"{row['kid']:.3f} ± {row['kid_error']:.3f}"
    return (
        f"{row['steps']:>9}{row['seconds']:>9.0f}{kid:>21}{row['pairwise']:>10.2f}"
        f"{row['nearest']:>9.2f}{row['train']:>13.2f}{row['held_out']:>10.2f}{auc:>9}"
    )


def describe(name: str, reports: list[FaceMeasures]) -> str:
    """Return a sentence on whether KID changed by more than two standard errors."""
    first, last = reports[0], reports[-1]
    change, error = last.kid - first.kid, math.hypot(first.kid_error, last.kid_error)
    if abs(change) <= 2 * error:
        verdict = "not significant"
    else:
        verdict = "a significant fall" if change < 0 else "a significant rise"
    return (
        f"{name}: KID {first.kid:.3f} at the first report, {last.kid:.3f} at the last; change "
        f"{change:+.3f}, standard error {error:.3f}: {verdict}"
    )


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gan", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "store", nargs="?", type=Path, help="prepared store; default: a synthetic one"
    )
    parser.add_argument("--steps", type=int, default=1000, help="steps of each discriminator")
    parser.add_argument("--only", default=",".join(PAIRS), metavar="NAMES", help="pairs to train")
    parser.add_argument("--side", type=int, choices=SIDES, default=FACE_SIDE)
    parser.add_argument("--features", choices=FEATURES, default="random")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for pictures of faces")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    chosen = parser.parse_args()
    unknown = set(chosen.only.split(",")) - set(PAIRS)
    if unknown:
        parser.error(f"unknown pair {', '.join(sorted(unknown))}: choose from {', '.join(PAIRS)}")
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = chosen.store or make_small_store(chosen.keep or Path(scratch))
        with Store(path) as store:
            train_pairs(store, chosen)


def train_pairs(store: Store, chosen: argparse.Namespace) -> None:
    """Train the selected pairs and print."""
    sentences = []
    if not chosen.json:
        kind = "SYNTHETIC" if store.is_synthetic else "real"
        counts = [len(real_faces(store, split, chosen.side)) for split in ("train", "val")]
        print(f"{describe_machine()}, tensorflow {tf.__version__}")
        print(
            f"{counts[0]} {kind} training faces of {chosen.side} px, {counts[1]} held out; "
            f"KID of {chosen.features} features"
        )
    for name in chosen.only.split(","):
        choices = dataclasses.replace(PAIRS[name], side=chosen.side)
        reports: list[FaceMeasures] = []
        if not chosen.json:
            print(f"\n{name}\n{HEADING}")
        try:
            for row, found in train(
                name, choices, store, chosen.steps, chosen.features, chosen.keep
            ):
                reports.append(found)
                print(
                    json.dumps({"pair": name, **row}) if chosen.json else format_row(row),
                    flush=True,
                )
        except GanDivergedError as error:
            sentences.append(f"{name}: {error}")
            continue
        sentences.append(describe(name, reports))
    if not chosen.json:
        print("\n" + "\n".join(sentences))


if __name__ == "__main__":
    main()
