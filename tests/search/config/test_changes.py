from __future__ import annotations

from search.config.changes import find_changes


def test_numbers_of_trials_are_apart_from_other_changes() -> None:
    before = {"architecture.trials": 3, "gan.trials": 2, "seed": 0, "objective": "auc"}
    now = {"architecture.trials": 5, "gan.trials": 1, "seed": 4, "objective": "auc", "new": 1}

    changes = find_changes(before, now)

    assert changes.raised == {"architecture.trials": "architecture.trials: 3, 5"}
    assert changes.lowered == {"gan.trials": "gan.trials: 2, 1"}
    assert changes.others == {"seed": "seed: 0, 4"}
    assert str(changes) == "architecture.trials: 3, 5; gan.trials: 2, 1; seed: 0, 4"
    assert str(find_changes(now, now)) == ""
