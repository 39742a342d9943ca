"""A plot of one bench: bars beside the line they are compared with, as SVG."""

from __future__ import annotations

import textwrap
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from artifacts.run_directory import replacing
from bench.suite.sections import Plot

_COLOURS = ("#2a6fb0", "#c96a1b", "#1b9a78", "#8a6fb8")
_INK, _FAINT = "#202020", "#808080"
_WIDTH, _BAR, _FRAME = 7.6, 0.3, 1.3
_LABEL = 38


def draw(path: Path, plot: Plot, *, quick: bool) -> None:
    """Write a plot, whole or not at all; the same figures give the same file.

    Args:
        path: ends in ``.svg``.
        plot: what is drawn.
        quick: whether the figures mean nothing, which is then written across it.
    """
    # Text stays text, and names of parts do not depend on the time.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem, "text.parse_math": False}):
        figure = Figure(figsize=(_WIDTH, _FRAME + _BAR * len(plot.bars)), layout="constrained")
        axes = figure.add_subplot()
        series = list(dict.fromkeys(bar.series for bar in plot.bars))
        for number, name in enumerate(series):
            _bars(axes, plot, name, number, len(series))
        _frame(axes, plot)
        if any(series):
            figure.legend(loc="outside lower center", ncols=len(series), fontsize=8, frameon=False)
        if quick:
            red = {"color": "#c02020", "alpha": 0.5, "fontsize": 26, "rotation": 12}
            figure.text(0.5, 0.5, "QUICK: MEANS NOTHING", ha="center", va="center", **red)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Title": plot.axis})


def _bars(axes: Axes, plot: Plot, series: str, number: int, count: int) -> None:
    """The bars of one series, beside those of the others, with their figures and intervals."""
    labels = _labels(plot)
    thick = 0.8 / count
    bars = [bar for bar in plot.bars if bar.series == series]
    places = [labels.index(bar.label) + (number - (count - 1) / 2) * thick for bar in bars]
    left = _left(plot)
    axes.barh(
        places,
        [bar.value - left for bar in bars],
        0.9 * thick,
        left=left,
        color=_COLOURS[number % len(_COLOURS)],
        label=series,
    )
    for place, bar in zip(places, bars, strict=True):
        end = bar.value
        if bar.interval is not None:
            axes.plot(bar.interval, (place, place), color=_INK, linewidth=1)
            end = max(end, bar.interval[1])
        beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{bar.value:.2g}", (end, place), **beside, color=_INK, fontsize=8)


def _frame(axes: Axes, plot: Plot) -> None:
    """What is around the bars: the line they are compared with, labels, axes."""
    labels = _labels(plot)
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
        axes.set_xlim(left=_left(plot))
        axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)


def _labels(plot: Plot) -> list[str]:
    """What bars are of, each once, from the top down."""
    return list(dict.fromkeys(bar.label for bar in plot.bars))


def _left(plot: Plot) -> float:
    """Where bars begin: a logarithmic axis has no zero."""
    return min(plot.line, *(bar.value for bar in plot.bars)) / 2 if plot.log else 0.0
