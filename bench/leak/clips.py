"""The clips of ``bench.leak`` and their two splits.

Every prepared clip is cut into pieces of consecutive frames. One piece of each test video is
tested. Both splits have the same test pieces and equal numbers of training and validation pieces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.accuracy import data as real
from bench.accuracy import people
from bench.shared.synthetic_store import make_synthetic_store
from data_prep.preparation.clip import Preparation
from data_prep.store.clip_reader import ClipReader
from data_prep.store.format import FAKE, FRAME_FIELDS, REAL
from data_prep.store.store import Clip, Store, write_store

RANDOM, APART = "at random", "people apart"
WAYS = (RANDOM, APART)

VIDEO_SIDE, SIDE = 96, 64
DRAWN = Preparation(frames=16, size=SIDE)
DRAWN_PIECES, REAL_PIECES = 4, 4
COIN, BLENDED, REAL_FAKES = SETS = ("coin", "blended", "real")
NAMES = {
    COIN: "all videos real, random labels",
    BLENDED: "fakes with a blending border",
    REAL_FAKES: "FaceForensics++",
}
"""Names of the sets in the table; the first two are SYNTHETIC."""


@dataclasses.dataclass(frozen=True)
class ClipSet:
    """Pieces of videos to split in both ways.

    Attributes:
        name: Name in the table.
        path: Store.
        tested: Folds of people, each tested once.
    """

    name: str
    path: Path
    tested: tuple[int, ...]


def make_synthetic_set(keep: Path, name: str, identities: int, tested: tuple[int, ...]) -> ClipSet:
    """Return the SYNTHETIC set ``coin`` or ``blended``, of the same people, made if missing."""

    def make_stores() -> list[Path]:
        people = {"identities": identities, "size": VIDEO_SIDE, "cues": ("spatial",)}
        return [make_synthetic_store(keep / f"blended-{identities}-{SIDE}px.h5", DRAWN, **people)]

    path = keep / f"{name}-{identities}-{SIDE}px-pieces.h5"
    relabel = draw_labels if name == COIN else list
    return ClipSet(NAMES[name], _make_pieces(path, make_stores, DRAWN_PIECES, relabel), tested)


def make_real_set(keep: Path) -> ClipSet:
    """Return the videos of FaceForensics++, every person tested once.

    Raises:
        UserError: The real data is missing.
    """

    def make_stores() -> list[Path]:
        # Together, the test stores of the folds hold every person once.
        return [real.make_fold_stores(keep, fold, extras=False)[1] for fold in range(people.FOLDS)]

    path = _make_pieces(keep / "real-pieces.h5", make_stores, REAL_PIECES)
    return ClipSet(NAMES[REAL_FAKES], path, tuple(range(people.FOLDS)))


def _make_pieces(
    path: Path,
    make_stores: Callable[[], Iterable[Path]],
    count: int,
    relabel: Callable[[list[Clip]], list[Clip]] = list,
) -> Path:
    """Return a store of the pieces of other stores' clips, made if missing."""
    if path.exists():
        return path
    clips: list[Clip] = []
    preparation = {}
    for one in make_stores():
        with Store(one) as store:
            read = ClipReader(store)
            clips += [read(row) for row in range(len(store))]
            preparation = store.preparation
    path.parent.mkdir(parents=True, exist_ok=True)
    pieces = [piece for clip in relabel(clips) for piece in cut(clip, count)]
    write_store(path, pieces, [], preparation)
    return path


def draw_labels(clips: Sequence[Clip]) -> list[Clip]:
    """Return the real clips only, half of them labelled as fake at random."""
    reals = [clip for clip in clips if clip.label == REAL]
    heads = np.random.default_rng(0).permutation(len(reals)) < len(reals) // 2
    return [
        dataclasses.replace(clip, label=FAKE, method="coin") if head else clip
        for clip, head in zip(reals, heads, strict=True)
    ]


def cut(clip: Clip, count: int) -> list[Clip]:
    """Return a clip cut into pieces of consecutive frames, in order.

    Modalities and quantities of the whole clip are dropped; a piece keeps the path of its video.
    """
    found = []
    for number, indices in enumerate(np.array_split(np.arange(len(clip.frames)), count)):
        arrays = {name: getattr(clip, name)[indices] for name in ("frames", *FRAME_FIELDS)}
        source = f"{clip.crop_source}#{number}" if clip.crop_source else ""
        piece = dataclasses.replace(
            clip, key=f"{clip.key}#{number}", crop_source=source, shortcuts={}, modalities={}
        )
        found.append(dataclasses.replace(piece, **arrays))
    return found


def assign_splits(
    groups: npt.NDArray[np.str_], videos: npt.NDArray[np.str_], fold: int, seed: int
) -> dict[str, npt.NDArray[np.str_]]:
    """Return the split of every piece (``train``, ``val``, ``test`` or empty) by way of splitting.

    One piece of each video of the fold's people is tested, the same for every seed and way. In the
    split with people apart, the next fold is for validation and the others are for training. The
    random split draws equal numbers from all other pieces, including those of test videos.

    Args:
        groups: Identity group of each piece, (N,).
        videos: Video of each piece, (N,).
        fold: Fold of people to test, see :func:`bench.accuracy.people.assign_folds`.
        seed: Random seed.
    """
    folds = people.assign_folds(map(str, groups))
    group_folds = np.array([folds[str(group)] for group in groups])
    rng = np.random.default_rng(fold)
    tested = np.zeros(len(groups), bool)
    for video in np.unique(videos[group_folds == fold]):
        tested[rng.choice(np.flatnonzero(videos == video))] = True

    apart = np.where(group_folds == (fold + 1) % people.FOLDS, "val", "train")
    apart[group_folds == fold] = ""
    random = np.full_like(apart, "")
    free = np.random.default_rng((fold, seed)).permutation(np.flatnonzero(~tested))
    train, val = (int((apart == split).sum()) for split in ("train", "val"))
    random[free[:train]] = "train"
    random[free[train : train + val]] = "val"
    for sides in (random, apart):
        sides[tested] = "test"
    return {RANDOM: random, APART: apart}
