"""Every metric of a split is shown, and which of its intervals are exact bounds."""

from __future__ import annotations

import numpy as np

from artifacts.evaluation.metrics import evaluate
from artifacts.report.metrics import metric_parts
from artifacts.report.parts import Table


def test_an_exact_bound_of_a_method_is_called_so() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    found = evaluate(
        labels,
        np.array([0.1, 0.3, 0.6, 0.9, 0.8, 0.2, 0.5]),
        np.arange(7).astype(str),
        np.array([*["real"] * 3, "swap", "swap", "paint", "paint"]),
        np.ones(7),
        split="test",
        threshold=0.5,
        quarantined=0,
    )
    assert found.bounds == {}
    metrics, *_, methods = metric_parts(found)
    assert isinstance(metrics, Table) and isinstance(methods, Table)
    assert "Those called exact are bounds" in metrics.caption
    rows = {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in methods.rows}
    assert rows["swap"][-1] == "1.000 [0.158, 1.000] (exact)"
    assert "exact" not in rows["paint"][-1]
