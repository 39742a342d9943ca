"""Order of the samples of an epoch: how often each is shown, and beside which other sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def sample_by_frequency(
    frequency: npt.NDArray[np.floating], count: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return indices in proportion to their frequency, (count,), in random order.

    Systematic sampling: an index that is due 2.3 times comes two or three times, never otherwise,
    so that an epoch is balanced within one sample.

    Args:
        frequency: (n,), not negative, not all 0.
        count: Number of indices.
        rng: Source of the random choices.
    """
    mixed = rng.permutation(len(frequency))
    due = np.cumsum(frequency[mixed])
    marks = (np.arange(count) + rng.random()) * (due[-1] / max(count, 1))
    chosen = mixed[np.minimum(np.searchsorted(due, marks, side="right"), len(mixed) - 1)]
    return rng.permutation(chosen)


def balanced_order(
    labels: npt.NDArray[np.uint8],
    frequency: npt.NDArray[np.floating],
    count: int,
    rng: np.random.Generator,
) -> Indices:
    """Return reals and fakes, alternating.

    Any two neighbours have different labels. If there is one label only, all are of it.

    Args:
        labels: uint8 (n,).
        frequency: (n,), how often each sample should come relative to others of its label.
        count: Number of samples; an odd number is rounded up where there are both labels.
        rng: Source of the random choices.
    """
    half = -(-count // 2)
    both = [np.flatnonzero((labels == label) & (frequency > 0)) for label in (0, 1)]
    if not all(map(len, both)):
        ours = np.concatenate(both)
        return ours[sample_by_frequency(frequency[ours], count, rng)]
    reals, fakes = (ours[sample_by_frequency(frequency[ours], half, rng)] for ours in both)
    return np.stack([reals, fakes], axis=1).ravel()


def paired_order(
    labels: npt.NDArray[np.uint8],
    frequency: npt.NDArray[np.floating],
    sources: npt.NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
) -> Indices:
    """Return reals and fakes, alternating; if possible, a fake follows the real it was made from.

    So the people, cameras and data sets among the reals are as frequent among the fakes, and do not
    identify the label. In every other pair the real is chosen first, and one of its fakes with it.
    In the rest the fake is chosen first, and its real with it. So reals without fakes and fakes
    without their real appear, too. Their neighbours are chosen from all samples.

    Args:
        labels: uint8 (n,).
        frequency: (n,), how often each sample should come relative to others of its label.
        sources: int64 (n,), equal for the samples of one source.
        count: Number of samples; an odd number is rounded up where there are both labels.
        rng: Source of the random choices.
    """
    order = balanced_order(labels, frequency, count, rng)
    if len(np.unique(labels[order])) < 2:
        return order
    pairs = order.reshape(-1, 2)
    partners: list[dict[int, Indices]] = [
        _by_source(sources, np.flatnonzero((labels == label) & (frequency > 0))) for label in (0, 1)
    ]
    for number, pair in enumerate(pairs):
        first = number % 2
        known = partners[1 - first].get(int(sources[pair[first]]))
        if known is not None:
            weights = frequency[known]
            pair[1 - first] = rng.choice(known, p=weights / weights.sum())
    return pairs.ravel()


def whole_order(labels: npt.NDArray[np.uint8], count: int, rng: np.random.Generator) -> Indices:
    """Return every sample once, then again in another order, until there are enough.

    The rarer label is evenly spread among the other.

    Args:
        labels: uint8 (n,), n at least 1.
        count: Number of samples.
        rng: Source of the random choices.
    """
    passes = [_one_pass(labels, rng) for _ in range(-(-count // len(labels)))]
    return np.concatenate([np.zeros(0, np.int64), *passes])[:count]


def _one_pass(labels: npt.NDArray[np.uint8], rng: np.random.Generator) -> Indices:
    mixed = rng.permutation(len(labels))
    due = np.empty(len(labels))
    for label in np.unique(labels):
        ours = labels[mixed] == label
        due[ours] = (np.arange(ours.sum()) + rng.random()) / ours.sum()
    return mixed[np.argsort(due, kind="stable")]


def _by_source(sources: npt.NDArray[np.int64], indices: Indices) -> dict[int, Indices]:
    """Return the indices of each source."""
    ordered = indices[np.argsort(sources[indices], kind="stable")]
    names, starts = np.unique(sources[ordered], return_index=True)
    return dict(zip(names.tolist(), np.split(ordered, starts[1:]), strict=True))
