"""Table cells of figures with intervals."""

from __future__ import annotations

from artifacts.metrics.ranking import Figure


def format_figure(figure: Figure | None, sign: str = "") -> str:
    """Return a figure and its interval as a Rich table cell.

    Args:
        figure: Figure, or ``None`` if there is none.
        sign: ``+`` shows the sign of positive figures, too.
    """
    if figure is None:
        return "-"
    if figure.interval is None:
        return f"{figure.value:{sign}.2f}"
    low, high = figure.interval
    return rf"{figure.value:{sign}.2f} \[{low:{sign}.2f}, {high:{sign}.2f}]"
