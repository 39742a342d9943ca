from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from data_prep.store.store import Clip, Store, write_store
from search.samples.samples import Samples, training_samples
from search.samples.subsets import nested_subset, shown_share


@pytest.fixture(scope="module")
def samples(
    make_clips: Callable[..., list[Clip]], tmp_path_factory: pytest.TempPathFactory
) -> Samples:
    """Twenty people in training, each with a real, two fakes of one method and one of another."""
    clips = []
    for clip in make_clips(20):
        clip = dataclasses.replace(clip, split="train")
        clips.append(clip)
        if clip.label:
            for method, key in (("Drawn", f"{clip.key}b"), ("Painted", f"{clip.key}c")):
                clips.append(dataclasses.replace(clip, method=method, key=key))
    path = tmp_path_factory.mktemp("grown") / "s.h5"
    write_store(path, clips, [], {"synthetic": True})
    return training_samples(Store(path).__enter__(), pseudo_fakes=0.5)


def test_a_share_is_balanced_and_part_of_every_larger_one(samples: Samples) -> None:
    quarter, half, whole = (nested_subset(samples, part) for part in (0.25, 0.5, 1.0))
    assert whole.all()
    assert not (quarter & ~half).any()
    assert Counter(samples.methods[quarter]) == {
        "real": 5,
        "Drawn": 10,
        "Painted": 5,
        "pseudo-fake": 5,
    }
    # As many people as there can be: of the twice as many fakes a half shows everybody.
    drawn = samples.groups[half & (samples.methods == "Drawn")]
    assert len(set(drawn)) == 20
    # The same people are real and fake.
    people = [set(samples.groups[quarter & (samples.methods == m)]) for m in ("real", "Painted")]
    assert people[0] == people[1]


def test_the_least_share_has_every_method(samples: Samples) -> None:
    assert set(samples.methods[nested_subset(samples, 0.001)]) == set(samples.methods)


def test_frequencies_of_a_share_are_as_balanced_as_of_all(samples: Samples) -> None:
    chosen = nested_subset(samples, 0.25)
    frequency = samples.balanced(0.5, chosen)
    assert frequency.sum() == pytest.approx(1)
    assert not frequency[~chosen].any()
    for method, due in (("real", 0.5), ("pseudo-fake", 0.25), ("Drawn", 0.125)):
        assert frequency[samples.methods == method].sum() == pytest.approx(due)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 7, 12])
def test_shares_never_fall_and_the_last_epoch_shows_all(epochs: int) -> None:
    shares = [shown_share(epoch, epochs) for epoch in range(epochs)]
    assert shares == sorted(shares)
    assert shares[-1] == shown_share(epochs, epochs) == 1
    if epochs >= 3:
        assert set(shares) == {0.25, 0.5, 1.0}


def test_the_same_samples_are_chosen_in_every_process(samples: Samples) -> None:
    chosen = np.flatnonzero(nested_subset(samples, 0.25) & (samples.methods == "real"))
    first = ["person000", "person001", "person009", "person012", "person014"]
    assert sorted(samples.groups[chosen]) == first
