"""Choice of models and weights for an average: greedy selection on validation.

The method is that of Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble Selection from Libraries
of Models, ICML 2004. Models are drawn one by one, with replacement, each time the one that improves
the mean of all drawn models most. The best mean of all steps is kept. A start from the best few
models reduces overfitting to a small validation split. Every number of them is tried as a start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

DRAWS = 20
"""So many models are drawn at most, so that weights are multiples of one in this or less."""

_DIGITS = 9

Probabilities = npt.NDArray[np.floating]
Order = Callable[[Probabilities], tuple[float, ...]]


def select(candidates: Sequence[Probabilities], order: Order, most: int) -> dict[int, float]:
    """Choose models and weights by the score of their mean on validation.

    Equal means go to fewer different models, then to fewer draws, which avoids useless members. The
    same candidates always give the same choice.

    Args:
        candidates: Probabilities (S,) of each model on the same S validation samples.
        order: sort key of such probabilities, lowest best.
        most: most different models, at least 1.

    Returns:
        The weight of each chosen model by its position among the candidates, heaviest first, with
        the sum 1.

    Raises:
        ValueError: there are no candidates.
    """
    if not candidates:
        raise ValueError("there is no model to choose from")

    def merit(bag: Sequence[int]) -> tuple[float, ...]:
        # Rounded, since means of the same models in another order differ in their last digit.
        scored = order(np.mean([candidates[place] for place in bag], axis=0))
        return (*(round(part, _DIGITS) for part in scored), len(set(bag)), len(bag))

    ranked = sorted(range(len(candidates)), key=lambda place: (merit([place]), place))
    best = ranked[:1]
    for start in range(1, min(most, len(ranked)) + 1):
        bag = ranked[:start]
        best = min(best, bag, key=merit)
        while len(bag) < DRAWS:
            allowed = ranked if len(set(bag)) < most else [k for k in ranked if k in bag]
            bag = min(([*bag, place] for place in allowed), key=merit)
            best = min(best, bag, key=merit)
    return {place: count / len(best) for place, count in Counter(best).most_common()}
