"""Every metric of a split is shown, and which of its intervals are exact bounds."""

from __future__ import annotations

from artifacts.metrics.metrics import Evaluation
from artifacts.report.metrics import metric_parts
from artifacts.report.parts import Table


def test_an_exact_bound_of_a_method_is_called_so(exactly_bounded: Evaluation) -> None:
    metrics, *_, methods = metric_parts(exactly_bounded)
    assert isinstance(metrics, Table) and isinstance(methods, Table)
    assert "Those called exact are bounds" in metrics.caption
    rows = {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in methods.rows}
    assert rows["swap"][-1] == "1.000 [0.158, 1.000] (exact)"
    assert "exact" not in rows["paint"][-1]
