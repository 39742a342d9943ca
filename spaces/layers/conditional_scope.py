"""How blocks ask the search, so that KerasTuner understands it and nothing is asked in vain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def only_of(
    hp: Any, choice: str, known: Collection[str], those: Collection[str]
) -> AbstractContextManager[None]:
    """Ask what follows of some answers to a choice alone.

    What is asked must always be asked under the same condition, so ``those`` are all the answers
    that ask it: where it has two conditions, KerasTuner forgets the answer under one when the
    other does not hold.

    Args:
        hp: the hyperparameters.
        choice: what was asked before.
        known: all answers it can have; with one alone it was never asked.
        those: answers under which the rest is asked.
    """
    if len(known) == 1:
        return nullcontext()
    scope: AbstractContextManager[None] = hp.conditional_scope(choice, list(those))
    return scope


def strides_for(frames: int, strides: Sequence[int]) -> list[int]:
    """Strides that leave clips of so many frames at least two; the first where none does."""
    return [stride for stride in strides if stride < frames] or [strides[0]]
