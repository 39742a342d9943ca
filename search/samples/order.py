"""In which order an epoch shows its samples: who is drawn how often, and who beside whom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


def sample_by_frequency(
    frequency: npt.NDArray[np.floating], count: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Places drawn in proportion to their frequency, (count,), in random order.

    Systematic sampling: a place that is due 2.3 times comes twice or three times, never otherwise,
    so that an epoch is as balanced as its length allows.

    Args:
        frequency: (n,), not negative, not all 0.
        count: how many to draw.
        rng: of what is left to chance.
    """
    mixed = rng.permutation(len(frequency))
    due = np.cumsum(frequency[mixed])
    marks = (np.arange(count) + rng.random()) * (due[-1] / max(count, 1))
    chosen = mixed[np.minimum(np.searchsorted(due, marks, side="right"), len(mixed) - 1)]
    return rng.permutation(chosen)


def balanced_order(
    labels: npt.NDArray[np.uint8],
    frequency: npt.NDArray[np.floating],
    rng: np.random.Generator,
) -> Places:
    """As many reals as fakes in turn, about as many draws as there are samples.

    Any two that follow each other are one of each label. Where there is one label alone, all
    draws are of it.

    Args:
        labels: uint8 (n,).
        frequency: (n,), how often each sample should come relative to others of its label.
        rng: of the draws.
    """
    half = -(-int(np.count_nonzero(frequency)) // 2)
    both = [np.flatnonzero((labels == label) & (frequency > 0)) for label in (0, 1)]
    if not all(map(len, both)):
        ours = np.concatenate(both)
        return ours[sample_by_frequency(frequency[ours], len(ours), rng)]
    reals, fakes = (ours[sample_by_frequency(frequency[ours], half, rng)] for ours in both)
    return np.stack([reals, fakes], axis=1).ravel()


def paired_order(
    labels: npt.NDArray[np.uint8],
    frequency: npt.NDArray[np.floating],
    sources: npt.NDArray[np.str_],
    rng: np.random.Generator,
) -> Places:
    """As many reals as fakes in turn, where it can be a fake behind the real it was made from.

    So people, cameras and data sets that are seen among the reals are seen as often among the
    fakes, and tell nothing. For every other pair the real is drawn first and one of its fakes to
    it, for the rest the fake first and its real: so a real of which nothing was made comes up, and
    a fake whose real is not there. Its neighbour is drawn from all then.

    Args:
        labels: uint8 (n,).
        frequency: (n,), how often each sample should come relative to others of its label.
        sources: (n,), equal for the samples of one source.
        rng: of the draws.
    """
    order = balanced_order(labels, frequency, rng)
    if len(np.unique(labels[order])) < 2:
        return order
    pairs = order.reshape(-1, 2)
    partners: list[dict[str, Places]] = [
        _by_source(sources, np.flatnonzero((labels == label) & (frequency > 0))) for label in (0, 1)
    ]
    for number, pair in enumerate(pairs):
        first = number % 2
        known = partners[1 - first].get(str(sources[pair[first]]))
        if known is not None:
            weights = frequency[known]
            pair[1 - first] = rng.choice(known, p=weights / weights.sum())
    return pairs.ravel()


def whole_order(labels: npt.NDArray[np.uint8], rng: np.random.Generator) -> Places:
    """Every sample once, the rarer label spread evenly among the other."""
    mixed = rng.permutation(len(labels))
    due = np.empty(len(labels))
    for label in np.unique(labels):
        ours = labels[mixed] == label
        due[ours] = (np.arange(ours.sum()) + rng.random()) / ours.sum()
    return mixed[np.argsort(due, kind="stable")]


def _by_source(sources: npt.NDArray[np.str_], places: Places) -> dict[str, Places]:
    """Places of each source."""
    ordered = places[np.argsort(sources[places], kind="stable")]
    names, starts = np.unique(sources[ordered], return_index=True)
    return dict(zip(map(str, names), np.split(ordered, starts[1:]), strict=True))
