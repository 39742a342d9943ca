"""Conditions of hyperparameters, so that no trial spends a choice without an effect."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def active_for(
    hp: Any, choice: str, known: Collection[str], active: Collection[str]
) -> AbstractContextManager[None]:
    """Return a scope whose hyperparameters are active for some values of a choice alone.

    A hyperparameter needs the same condition everywhere. If it has two, KerasTuner forgets its
    value under one when the other does not hold. ``active`` therefore lists every value.

    Args:
        hp: Hyperparameters.
        choice: Name of the choice.
        known: All values of the choice; a single value was not searched, and needs no scope.
        active: Values under which the hyperparameters of the scope are active.
    """
    if len(known) == 1:
        return nullcontext()
    scope: AbstractContextManager[None] = hp.conditional_scope(choice, list(active))
    return scope


def strides_for(frames: int, strides: Sequence[int]) -> list[int]:
    """Return the strides that leave at least two frames; if none does, the first."""
    return [stride for stride in strides if stride < frames] or [strides[0]]
