"""The clips of ``bench.leak`` and the two ways their sides are dealt.

Every prepared clip is cut into pieces of consecutive frames. Of each tested video one piece is
tested; both ways test the same pieces and train and choose on as many others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts.evaluation.matching import ClipReader
from bench.accuracy import data as real
from bench.accuracy import people
from bench.shared.synthetic_store import drawn_store
from data_prep.preparation.clip import Preparation
from data_prep.store.format import FAKE, FRAME_FIELDS, REAL
from data_prep.store.store import Clip, Store, write_store

RANDOM, APART = "at random", "people apart"
WAYS = (RANDOM, APART)

VIDEO_SIDE, SIDE = 96, 64
DRAWN = Preparation(frames=16, size=SIDE)
DRAWN_PIECES, REAL_PIECES = 4, 4
COIN, BLENDED, REAL_FAKES = SETS = ("coin", "blended", "real")
NAMES = {
    COIN: "real videos, labels by a coin",
    BLENDED: "fakes with a blending border",
    REAL_FAKES: "FaceForensics++",
}
"""Of the sets; the first two are SYNTHETIC."""


@dataclasses.dataclass(frozen=True)
class ClipSet:
    """Pieces of videos to split in both ways.

    Attributes:
        name: for the table.
        path: of the store.
        tested: folds of people, each tested in turn.
    """

    name: str
    path: Path
    tested: tuple[int, ...]


def drawn_set(keep: Path, name: str, identities: int, tested: tuple[int, ...]) -> ClipSet:
    """A SYNTHETIC set, made where it is missing: ``coin`` or ``blended``, of the same people."""
    called = f"blended-{identities}-{SIDE}px"

    def stores() -> list[Path]:
        people = {"identities": identities, "size": VIDEO_SIDE, "cues": ("spatial",)}
        return [drawn_store(keep / f"{called}.h5", DRAWN, **people)]

    path = keep / f"{name}-{identities}-{SIDE}px-pieces.h5"
    labelled = by_coin if name == COIN else list
    return ClipSet(NAMES[name], _cut(path, stores, DRAWN_PIECES, labelled), tested)


def real_set(keep: Path) -> ClipSet:
    """The videos of FaceForensics++ below the folder of real data, all people tested in turn.

    Raises:
        UserError: the real data is not there.
    """

    def stores() -> list[Path]:
        # The test stores of the folds have everyone once.
        return [real.fold_stores(keep, fold, extras=False)[1] for fold in range(people.FOLDS)]

    path = _cut(keep / "real-pieces.h5", stores, REAL_PIECES)
    return ClipSet(NAMES[REAL_FAKES], path, tuple(range(people.FOLDS)))


def _cut(
    path: Path,
    stores: Callable[[], Iterable[Path]],
    count: int,
    labelled: Callable[[list[Clip]], list[Clip]] = list,
) -> Path:
    """A store of the pieces of other stores' clips, made where it is missing."""
    if path.exists():
        return path
    clips: list[Clip] = []
    preparation = {}
    for one in stores():
        with Store(one) as store:
            read = ClipReader(store)
            clips += [read(row) for row in range(len(store))]
            preparation = store.preparation
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = [piece for clip in labelled(clips) for piece in pieces(clip, count)]
    write_store(path, cut, [], preparation)
    return path


def by_coin(clips: Sequence[Clip]) -> list[Clip]:
    """The real clips alone, half of them called fake by chance."""
    reals = [clip for clip in clips if clip.label == REAL]
    heads = np.random.default_rng(0).permutation(len(reals)) < len(reals) // 2
    return [
        dataclasses.replace(clip, label=FAKE, method="coin") if head else clip
        for clip, head in zip(reals, heads, strict=True)
    ]


def pieces(clip: Clip, count: int) -> list[Clip]:
    """A clip cut into so many pieces of consecutive frames, in their order.

    What is measured of the whole clip, and its modalities, are left out; a piece keeps the path of
    the video it is of.
    """
    found = []
    for number, places in enumerate(np.array_split(np.arange(len(clip.frames)), count)):
        arrays = {name: getattr(clip, name)[places] for name in ("frames", *FRAME_FIELDS)}
        source = f"{clip.crop_source}#{number}" if clip.crop_source else ""
        piece = dataclasses.replace(
            clip, key=f"{clip.key}#{number}", crop_source=source, shortcuts={}, modalities={}
        )
        found.append(dataclasses.replace(piece, **arrays))
    return found


def dealt(
    groups: npt.NDArray[np.str_], videos: npt.NDArray[np.str_], fold: int, seed: int
) -> dict[str, npt.NDArray[np.str_]]:
    """The split of every piece by way: ``train``, ``val``, ``test`` or empty for none.

    Of each video of the fold's people one piece is tested, whatever the seed and the way. With
    people apart, the next fold's people are for validation and the others are trained on. At
    random, as many pieces are drawn from all that are not tested, other pieces of the tested
    videos among them.

    Args:
        groups: (N,), identity group of each piece.
        videos: (N,), the video each piece is of.
        fold: of the people that are tested, see :func:`accuracy_people.folds_of`.
        seed: of the draw.
    """
    folds = people.folds_of(map(str, groups))
    seats = np.array([folds[str(group)] for group in groups])
    picked = np.random.default_rng(fold)
    tested = np.zeros(len(groups), bool)
    for video in np.unique(videos[seats == fold]):
        tested[picked.choice(np.flatnonzero(videos == video))] = True

    apart = np.where(seats == (fold + 1) % people.FOLDS, "val", "train")
    apart[seats == fold] = ""
    random = np.full_like(apart, "")
    free = np.random.default_rng((fold, seed)).permutation(np.flatnonzero(~tested))
    train, val = (int((apart == split).sum()) for split in ("train", "val"))
    random[free[:train]] = "train"
    random[free[train : train + val]] = "val"
    for sides in (random, apart):
        sides[tested] = "test"
    return {RANDOM: random, APART: apart}
