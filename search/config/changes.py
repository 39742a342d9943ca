"""Changes of the settings of a search that has begun: its numbers of trials may change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

TRIALS = ("architecture.trials", "gan.trials", "training.trials")


@dataclasses.dataclass(frozen=True)
class Changes:
    """Settings that differ from those a search began with, by dotted key as ``key: before, now``.

    Attributes:
        raised: Raised numbers of trials.
        lowered: Lowered numbers of trials.
        others: All other changes.
    """

    raised: dict[str, str]
    lowered: dict[str, str]
    others: dict[str, str]

    def __str__(self) -> str:
        """Return all changes in one line."""
        return "; ".join((self.raised | self.lowered | self.others).values())


def find_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    """Return the changes between two sets of settings.

    Args:
        before: Settings by dotted key. A key that it lacks is newer than the search.
        now: Settings by dotted key, see :func:`search.config.run_config.decisive`.
    """
    changed = {
        key: f"{key}: {before[key]}, {now[key]}"
        for key in now
        if key in before and before[key] != now[key]
    }
    raised = [key for key in changed if key in TRIALS and now[key] > before[key]]
    lowered = [key for key in changed if key in TRIALS and key not in raised]
    others = [key for key in changed if key not in TRIALS]
    return Changes(*({key: changed[key] for key in keys} for keys in (raised, lowered, others)))
