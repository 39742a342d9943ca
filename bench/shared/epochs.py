"""Budgets of trainings in passes over a store, as benches of small stores count them."""

from __future__ import annotations

from data_prep.store.store import Store


def passes(store: Store, epochs: int, pseudo_fakes: float = 0.0) -> dict[str, int]:
    """Return arguments of ``TrainingChoices``: an epoch shows each training sample about once.

    Args:
        store: An open store.
        epochs: Number of epochs.
        pseudo_fakes: Share of pseudo-fakes, as in the training.
    """
    from search.samples.samples import training_samples

    count = len(training_samples(store, pseudo_fakes))
    return {"samples": epochs * count, "epoch_samples": count}
