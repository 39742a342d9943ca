"""How a figure with its interval is shown in a table."""

from __future__ import annotations

from artifacts.metrics.ranking import Figure


def cell(figure: Figure | None, sign: str = "") -> str:
    """A figure and its interval, for a table of Rich.

    Args:
        figure: None where there is none.
        sign: ``+`` shows the sign of positive figures, too.
    """
    if figure is None:
        return "-"
    if figure.interval is None:
        return f"{figure.value:{sign}.2f}"
    low, high = figure.interval
    return rf"{figure.value:{sign}.2f} \[{low:{sign}.2f}, {high:{sign}.2f}]"
