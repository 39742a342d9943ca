"""Bar plots of a bench with a reference line, as SVG."""

from __future__ import annotations

import textwrap
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from artifacts.run_directory import replace_file
from bench.suite.sections import Plot

_COLOURS = ("#2a6fb0", "#c96a1b", "#1b9a78", "#8a6fb8")
_INK, _FAINT = "#202020", "#808080"
_WIDTH, _BAR, _FRAME = 7.6, 0.3, 1.3
_LABEL = 38


def draw(path: Path, plot: Plot, *, quick: bool) -> None:
    """Write a plot atomically; equal figures give equal files.

    Args:
        path: File that ends in ``.svg``.
        plot: Plot to draw.
        quick: Whether the figures mean nothing, which the plot then states.
    """
    # Text stays text, and element names do not depend on the time.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem, "text.parse_math": False}):
        figure = Figure(figsize=(_WIDTH, _FRAME + _BAR * len(plot.bars)), layout="constrained")
        axes = figure.add_subplot()
        series = list(dict.fromkeys(bar.series for bar in plot.bars))
        for number, name in enumerate(series):
            _draw_bars(axes, plot, name, number, len(series))
        _draw_frame(axes, plot)
        if any(series):
            figure.legend(loc="outside lower center", ncols=len(series), fontsize=8, frameon=False)
        if quick:
            red = {"color": "#c02020", "alpha": 0.5, "fontsize": 26, "rotation": 12}
            figure.text(0.5, 0.5, "QUICK: MEANS NOTHING", ha="center", va="center", **red)
        with replace_file(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Title": plot.axis})


def _draw_bars(axes: Axes, plot: Plot, series: str, number: int, count: int) -> None:
    """Draw the bars of one series with their values and intervals."""
    labels = _list_labels(plot)
    height = 0.8 / count
    bars = [bar for bar in plot.bars if bar.series == series]
    positions = [labels.index(bar.label) + (number - (count - 1) / 2) * height for bar in bars]
    left = _find_left_end(plot)
    axes.barh(
        positions,
        [bar.value - left for bar in bars],
        0.9 * height,
        left=left,
        color=_COLOURS[number % len(_COLOURS)],
        label=series,
    )
    for position, bar in zip(positions, bars, strict=True):
        end = bar.value
        if bar.interval is not None:
            axes.plot(bar.interval, (position, position), color=_INK, linewidth=1)
            end = max(end, bar.interval[1])
        offset = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{bar.value:.2g}", (end, position), **offset, color=_INK, fontsize=8)


def _draw_frame(axes: Axes, plot: Plot) -> None:
    """Draw the reference line, the labels and the axes."""
    labels = _list_labels(plot)
    axes.axvline(plot.line, color=_FAINT, linestyle="--", linewidth=1)
    above = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
    above |= {"xy": (plot.line, 1), "xycoords": ("data", "axes fraction")}
    axes.annotate(plot.line_label, **above, color=_FAINT, fontsize=8)
    axes.set_yticks(range(len(labels)), [textwrap.fill(label, _LABEL) for label in labels])
    axes.tick_params(labelsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(plot.axis, fontsize=9)
    if plot.log:
        axes.set_xscale("log")
        axes.set_xlim(left=_find_left_end(plot))
        axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)


def _list_labels(plot: Plot) -> list[str]:
    """Return the labels of the bars, each once, from the top down."""
    return list(dict.fromkeys(bar.label for bar in plot.bars))


def _find_left_end(plot: Plot) -> float:
    """Return the left end of the bars: a logarithmic axis has no zero."""
    return min(plot.line, *(bar.value for bar in plot.bars)) / 2 if plot.log else 0.0
