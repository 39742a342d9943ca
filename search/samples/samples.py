"""What a model is trained and validated on: clips of a store, and pseudo-fakes made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.store.format import FAKE, REAL
from data_prep.store.store import Store
from search.samples.augmentation import CHANGED, augment, view_generator
from search.samples.gan_fakes import gan_fake
from search.samples.pseudo_fakes import crop_points, pseudo_fake

FRAMES, FLOW = "frames", "flow"
UNCHANGED = "none"

PSEUDO_FAKE = "pseudo-fake"
"""The method of every pseudo-fake."""

GAN_FAKE = "GAN fake"
"""The method of every fake whose face a GAN has made."""

# A search is steered by so many pseudo-fakes of validation, where so many of a clip suffice.
WANTED_FOR_VALIDATION = 96
_FEWEST_OF_A_CLIP, _MOST_OF_A_CLIP = 2, 8


@dataclasses.dataclass(frozen=True)
class Walks:
    """Generated faces that GAN fakes are made with.

    Attributes:
        faces: uint8 (n, T, side, side, 3), see :func:`search.gan.latent_walks.generated_walks`.
        name: tells them from others of the run.
    """

    faces: npt.NDArray[np.uint8]
    name: str


@dataclasses.dataclass(frozen=True)
class Changes:
    """Changes of some arrays of a part, compared with the clips of the store.

    Attributes:
        fake: Method, number and, if any, walks of the fakes; empty for the clips themselves.
        augmentation: ``none``, ``light`` or ``strong``.
        frames: How many consecutive frames are shown; 0 for all.
    """

    fake: tuple[str, ...] = ()
    augmentation: str = UNCHANGED
    frames: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether the arrays are those of the store."""
        return self == Changes()

    @property
    def key(self) -> str:
        """Text that identifies the changes in the feature cache; no user reads it."""
        return f"{'+'.join(self.fake)}|{self.augmentation}|{self.frames}"


@dataclasses.dataclass(frozen=True)
class Part:
    """Samples that are made alike, one of each of some rows.

    Attributes:
        name: of the rows: ``train``, ``train real``, ``val``, ``val real``.
        rows: int64 (n,), of the store.
        number: 0 for the clips themselves, from 1 for the fake of that number made of each.
        augmentation: how they are changed besides: ``none``, ``light`` or ``strong``.
        frames: how many consecutive frames of a clip are shown, others in every view; 0 for all.
        points: float32 (n, T, 5, 2), landmarks in crop pixels; what these fakes need.
        walks: of which faces they are made; ``None`` for pseudo-fakes.
    """

    name: str
    rows: npt.NDArray[np.int64]
    number: int = 0
    augmentation: str = UNCHANGED
    frames: int = 0
    points: npt.NDArray[np.float32] | None = None
    walks: Walks | None = None

    @property
    def method(self) -> str:
        """Of the fakes that it is made of."""
        return PSEUDO_FAKE if self.walks is None else GAN_FAKE

    def __len__(self) -> int:
        return len(self.rows)

    def changes(self, names: Collection[str]) -> Changes:
        """Return the changes of the arrays of these names."""
        fake: tuple[str, ...] = ()
        if self.number and FRAMES in names:
            # The method seeds what is random in a fake, so another method is another fake.
            fake = (self.method, str(self.number))
            fake += () if self.walks is None else (self.walks.name,)
        changed = any(name in CHANGED for name in names)
        return Changes(fake, self.augmentation if changed else UNCHANGED, self.frames)


class Samples:
    """Samples, one part behind the other; a sample is known by its place from 0.

    Args:
        store: an open store.
        parts: at least one.

    Attributes:
        store: the store.
        parts: the parts.
        part: int64 (n,), number of the part of each sample.
        within: int64 (n,), its place in that part.
        rows: int64 (n,), row of the store it is or was made of.
        labels: uint8 (n,), 1 for fakes and pseudo-fakes.
        methods: str (n,), of the store, :data:`PSEUDO_FAKE` or :data:`GAN_FAKE`.
        groups: str (n,), identity groups.
        sources: str (n,), key of the real clip it was made from, that of the clip itself where it
            is real or the store does not name one. Samples of one source are pairs.
    """

    def __init__(self, store: Store, parts: Sequence[Part]) -> None:
        self.store = store
        self.parts = tuple(parts)
        self.part = np.repeat(np.arange(len(self.parts)), [len(part) for part in self.parts])
        self.within = np.concatenate([np.arange(len(part)) for part in self.parts])
        self.rows = np.concatenate([part.rows for part in self.parts]).astype(np.int64)
        made = np.array([part.number > 0 for part in self.parts])[self.part]
        methods = np.array([part.method for part in self.parts])[self.part]
        self.labels = np.where(made, FAKE, store.labels[self.rows]).astype(np.uint8)
        self.methods = np.where(made, methods, store.methods[self.rows])
        self.groups = store.groups[self.rows]
        origins = store.crop_sources[self.rows]
        self.sources = np.where(origins == "", store.keys[self.rows], origins)

    def __len__(self) -> int:
        return len(self.rows)

    def balanced(
        self, pseudo_share: float = 0.5, among: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.float64]:
        """How often each sample should be seen, (n,), in sum 1.

        Both labels count equally, of one label all methods, of one method all identity groups and
        of one group all samples, so that no person and no method rules. Where a label is missing
        the other has all.

        Args:
            pseudo_share: of the fakes, so much is pseudo-fakes; the methods of the store share
                the rest, with GAN fakes as one of them. Where there are fakes of one kind alone,
                they have all.
            among: bool (n,), the samples that are seen at all; ``None`` for all.
        """
        frequency = np.zeros(len(self))
        seen = np.ones(len(self), bool) if among is None else among
        for label in np.unique(self.labels[seen]):
            methods = np.unique(self.methods[seen & (self.labels == label)])
            stored = [method for method in methods if method != PSEUDO_FAKE]
            share = pseudo_share if PSEUDO_FAKE in methods else 0.0
            if not stored:
                share = 1.0
            for method in methods:
                ours = seen & (self.labels == label) & (self.methods == method)
                weight = share if method == PSEUDO_FAKE else (1 - share) / len(stored)
                frequency[ours] = weight * _evenly(self.groups[ours])
        return frequency / frequency.sum()

    def make(
        self,
        places: npt.NDArray[np.int64],
        names: Sequence[str],
        views: npt.NDArray[np.int64] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Arrays of samples by name, each (len(places), ...), fresh.

        Everything random in a sample depends on its view and on keys of the store alone, so that
        it is the same in every trial and process. A sample is augmented as its source is in the
        same view: what that leaves, tells nothing of the label. A fake made here differs from its
        clip in frames alone; flow and sound are the clip's, also where its frames were jittered.

        Args:
            places: of the samples, in any order.
            names: ``frames`` or modalities of the store.
            views: number of the view of each; samples that are augmented need one. Without one,
                pseudo-fakes are those of view 0.
        """
        made: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
        for at, place in enumerate(places):
            part = self.parts[self.part[place]]
            view = 0 if views is None else int(views[at])
            source = str(self.sources[place])
            clip = {name: self.store.read([self.rows[place]], name)[0] for name in names}
            points = None if part.points is None else part.points[self.within[place]]
            if part.frames and clip:
                rng = view_generator(view, f"{source}/frames")
                clip, points = _window(clip, points, part.frames, rng)
            if part.number and FRAMES in clip:
                key = f"{self.store.keys[self.rows[place]]}/{part.method}/{part.number}"
                clip[FRAMES] = _fake(clip[FRAMES], points, part.walks, view_generator(view, key))
            if part.augmentation != UNCHANGED and clip:
                augment(clip, view_generator(view, source), strength=part.augmentation)
            for name, array in clip.items():
                made[name].append(array)
        return {name: np.stack(found) for name, found in made.items()}


def clips_of(store: Store, rows: npt.NDArray[np.int64], name: str = "clips") -> Samples:
    """The clips of some rows, as they are."""
    return Samples(store, [Part(name, rows)])


def training_samples(
    store: Store,
    pseudo_fakes: float = 0.0,
    augmentation: str = "none",
    frames: int = 0,
    walks: Walks | None = None,
) -> Samples:
    """The training split, and a pseudo-fake of every real clip of it.

    Args:
        store: an open store.
        pseudo_fakes: which share of the fakes they are to be; 0 for none, 1 for no others.
        augmentation: how all of them are changed besides: ``none``, ``light`` or ``strong``.
        frames: how many consecutive frames of each are shown; 0 for all.
        walks: generated faces; adds a GAN fake of every real clip, unless there are to be no others
            than pseudo-fakes.
    """
    if pseudo_fakes == 1:
        clips = Part("train real", store.rows("train", REAL), augmentation=augmentation)
    else:
        clips = Part("train", store.rows("train"), augmentation=augmentation)
    fakes = _pseudo_fakes(store, "train", 1, augmentation) if pseudo_fakes else []
    if walks is not None and pseudo_fakes < 1:
        (plain,) = _pseudo_fakes(store, "train", 1, augmentation)
        fakes.append(dataclasses.replace(plain, walks=walks))
    return Samples(store, [dataclasses.replace(part, frames=frames) for part in (clips, *fakes)])


def validation_samples(store: Store, *, pseudo_fakes: bool = False) -> Samples:
    """The validation split as it is, and fixed pseudo-fakes of its real clips if wanted.

    There are about :data:`WANTED_FOR_VALIDATION` of them, equally many of every real clip.
    """
    parts = [Part("val", store.rows("val"))]
    reals = len(store.rows("val", REAL))
    if pseudo_fakes and reals:
        wanted = -(-WANTED_FOR_VALIDATION // reals)
        number = min(max(wanted, _FEWEST_OF_A_CLIP), _MOST_OF_A_CLIP)
        parts += _pseudo_fakes(store, "val", number)
    return Samples(store, parts)


def _pseudo_fakes(store: Store, split: str, number: int, augmentation: str = "none") -> list[Part]:
    """So many pseudo-fakes of every real clip of a split, one part each."""
    rows = store.rows(split, REAL)
    points = crop_points(store, rows)
    return [
        Part(f"{split} real", rows, copy, augmentation, points=points)
        for copy in range(1, number + 1)
    ]


def _fake(
    frames: npt.NDArray[np.uint8],
    points: npt.NDArray[np.float32] | None,
    walks: Walks | None,
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """A fake of a real clip: of one of the walks, or of the clip itself."""
    if walks is None:
        return pseudo_fake(frames, points, rng)[0]
    walk = walks.faces[rng.integers(len(walks.faces))]
    return gan_fake(frames, points, walk[: len(frames)], rng)[0]


def _window(
    clip: dict[str, npt.NDArray[Any]],
    points: npt.NDArray[np.float32] | None,
    frames: int,
    rng: np.random.Generator,
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.float32] | None]:
    """So many consecutive frames of a clip, of all its arrays and of the points."""
    name, array = next(iter(clip.items()))
    length = len(array) + (name == FLOW)
    start = int(rng.integers(max(length - frames, 0) + 1))
    shown = {name: array[start : start + frames - (name == FLOW)] for name, array in clip.items()}
    return shown, None if points is None else points[start : start + frames]


def _evenly(groups: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Weights, in sum 1, under which all groups count equally, and all members of one."""
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    weights: npt.NDArray[np.float64] = 1.0 / count[place]
    return weights / len(count)
