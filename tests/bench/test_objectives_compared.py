from __future__ import annotations

import numpy as np
import pytest

from bench import objectives_compared as bench

LABELS = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.uint8)
METHODS = np.array(["real", "real", "Drawn", "Painted"] * 2)
GROUPS = np.array(["anna"] * 4 + ["bert"] * 4)
RIGHT = [0.1, 0.2, 0.8, 0.9, 0.1, 0.2, 0.8, 0.9]
WRONG = [0.9, 0.8, 0.2, 0.1, 0.9, 0.8, 0.2, 0.1]


def test_a_held_out_method_is_scored_by_the_model_without_it() -> None:
    plain = {"trained on": RIGHT, "Drawn": WRONG, "Painted": RIGHT}
    steered = {"trained on": RIGHT, "Drawn": RIGHT, "Painted": RIGHT}
    found = bench.summarise(
        LABELS, METHODS, GROUPS, {"auc": plain, "leave-one-method-out": steered}
    )
    assert found["trained on"]["Drawn"]["auc"] == (1.0, (1.0, 1.0))
    assert found["held out"]["Drawn"]["auc"][0] == 0.0
    assert found["held out"]["Painted"]["auc"][0] == 1.0
    assert found["held out"]["Drawn"][bench.DIFFERENCE][0] == pytest.approx(1.0)
    shown = bench.build_table(found, "t")
    assert shown.row_count == 4
    assert list(shown.columns[2].cells)[2] == r"0.00 \[0.00, 0.00]"
