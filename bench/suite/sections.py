"""Sections of the page, read from each bench's output: a table, a plot and notes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from artifacts.metrics.ranking import AUC, PAIRS
from bench.suite.benches import ACCURACY, PREDICTION, PREPARATION, SEARCH, STORAGE


@dataclasses.dataclass(frozen=True)
class Bar:
    """A figure to draw.

    Attributes:
        label: Name of the figure.
        value: Value.
        interval: Interval, if there is one.
        series: Name of the series, if a label has several figures.
    """

    label: str
    value: float
    interval: tuple[float, float] | None = None
    series: str = ""


@dataclasses.dataclass(frozen=True)
class Plot:
    """Bars and a reference line.

    Attributes:
        axis: Quantity of the bars.
        bars: Figures, at least one.
        line: Reference value.
        line_label: Name of the reference.
        log: Whether the axis is logarithmic.
    """

    axis: str
    bars: Sequence[Bar]
    line: float
    line_label: str
    log: bool = False


@dataclasses.dataclass(frozen=True)
class Section:
    """One bench on the page.

    Attributes:
        title: Heading.
        question: The comparison, in a sentence or two.
        columns: Column names of the table.
        rows: Rows of the table.
        plot: Plot of the same figures.
        notes: Necessary knowledge for quoting a figure.
        missing: Figures that the output lacks; empty if it is complete.
    """

    title: str
    question: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    plot: Plot
    notes: Sequence[str] = ()
    missing: str = ""


class UnreadableError(Exception):
    """The output of a bench has another format; the message has the reason."""


def build_section(name: str, output: Any, detectors: Sequence[str] = ()) -> Section:
    """Return the section of a bench.

    Args:
        name: Name of the bench.
        output: Its JSON output.
        detectors: Detectors that the output must contain.

    Raises:
        UnreadableError: The output has no figures or another format.
    """
    try:
        found = _READ[name](output)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        raise UnreadableError(f"its output cannot be read: {error!r}") from None
    if not found.plot.bars:
        raise UnreadableError("its output has no figures")
    absent = [name for name in detectors if not any(f"`{name}`" in row for row in found.rows)]
    if not absent:
        return found
    named = " and ".join(absent)
    missing = f"{named}: not trained within the time limit; to continue, repeat the command"
    return dataclasses.replace(found, missing=missing)


def read_preparation(output: Any) -> Section:
    """Read preparation against decoding, and one pass through a video against seeking."""
    rows, bars = [], []
    compared = of_what = ""
    for row in output["rows"]:
        if row["wall"] is None:
            continue
        if row["what"].startswith(" "):
            # A variant of the row above it.
            series = f"{compared}, {row['what'].strip()}"
        else:
            compared, _, of_what = row["what"].partition(", ")
            series = compared
        figures = [
            _format_ratio(row["wall"]),
            _format_ratio(row["cpu"]),
            row["wanted"],
            row["note"],
        ]
        rows.append([series, of_what, *figures])
        bars.append(Bar(of_what.partition(" (")[0], row["cpu"], series=series))
    return Section(
        "Preparation",
        "The speed of `dfsearch prepare` relative to only decoding the same videos, which is its "
        "limit. Then the speed of one pass through a video (walk) relative to seeking sixteen of "
        "its frames, as most toolkits do.",
        ("ratio of speeds", "videos", "wall time", "processor time", "target", ""),
        rows,
        Plot("ratio of speeds, processor time", bars, 1.0, "the limit, or seeking"),
        ("In synthetic videos of 32 frames, decoding is not the largest part of the time.",),
    )


def read_search(output: Any) -> Section:
    """Read the trials an hour against stock engines, and a trial against plain ``fit``."""
    rows, bars, notes = [], [], [output["manner"] + "."]
    searches = output["frozen"]["searches"]
    ours = next(one for one in searches if one["engine"] == "dfsearch")
    network = f"{output['frozen']['case']['backbone']} frozen"
    notes.append(
        f"{network}: {_describe_clips(output['frozen']['case'])}. This search ran for "
        f"{output['frozen']['minutes']:g} minutes, the others until their trials ended. Features "
        "of the network for every second, fourth or single frame are computed when first needed. "
        "So a longer run of this search completes more trials per hour."
    )
    for one in searches:
        notes += [f"{network}, {one['engine']}: {note}." for note in one["notes"]]
        if one is ours:
            continue
        engine = _ENGINES[one["engine"]]
        rows.append(
            [
                f"{network}, {engine}",
                _format_ratio(one["ratio"]),
                f"{ours['trials']} / {one['trials']}",
                f"{_format_number(ours['auc'])} / {_format_number(one['auc'])}",
                _format_ratio(_divide(one["peak"], ours["peak"])),
            ]
        )
        if one["ratio"] is not None:
            bars.append(Bar(network, one["ratio"], series=f"against {engine}"))
    overhead = output["overhead"]
    ratio = 1 / (1 + overhead["overhead"])
    network = f"{overhead['case']['backbone']}, nothing frozen"
    rows.append(
        [f"{network}, a bare `fit`", _format_ratio(ratio), f"{overhead['rounds']} each", "", ""]
    )
    bars.append(Bar(network, ratio, series="against a bare fit"))
    notes += [
        f"{network}: {_describe_clips(overhead['case'])}. A trial of this search and a "
        "bare `fit` on clips in memory train the same detector in turns. No engine can be faster.",
        "These stores are so small that TensorFlow takes most of the memory. `python -m "
        "bench.search --only memory` uses one of 4 GB.",
    ]
    return Section(
        "Search",
        "Trials per hour of this search relative to stock KerasTuner and stock AutoKeras. All get "
        "the same space, clips, epochs and seed, and a frozen network, which benefits from the "
        "feature cache. With nothing frozen, the limit is a bare `fit` of the same detector.",
        (
            *("compared with", "trials per hour, ratio", "trials, this search / other"),
            *("best AUC at equal time", "peak memory, other / this search"),
        ),
        rows,
        Plot("trials per hour, ratio", bars, 1.0, "equal", log=True),
        notes,
    )


def _describe_clips(case: Any) -> str:
    return (
        f"{case['clips']} clips of {case['frames']} frames of {case['side']} px, "
        f"{case['epochs']} epochs per trial"
    )


_ENGINES = {"keras_tuner": "KerasTuner", "autokeras": "AutoKeras"}


def read_prediction(output: Any) -> Section:
    """Read the speed of predictions and the share of decoding."""
    rows, bars = [], []
    for row in output["rows"]:
        label = f"{row['video']}, clips of {row['frames']}"
        judged = row["duration"] / row["judging"]
        rows.append(
            [
                label,
                _format_ratio(judged),
                _format_ratio(row["decoding"] / row["judging"]),
                f"{row['faces']:.0%}",
                f"{row['model']:.0%}",
            ]
        )
        bars.append(Bar(label, judged))
    return Section(
        "Prediction",
        "The speed of `dfsearch predict` on 720p video, for every face over time. It is relative "
        "to playback, and to only decoding the video, which is its limit.",
        (
            *("video", "relative to playback", "relative to decoding"),
            *("share of time for faces", "for the network"),
        ),
        rows,
        Plot("speed relative to playback", bars, 1.0, "real time"),
        (
            "The network is EfficientNet-Lite0 alone, on every frame. The start of Python and "
            "TensorFlow is not included.",
        ),
    )


def read_storage(output: Any) -> Section:
    """Read the speed of batches from the store against copying in memory."""
    rows, bars = [], []
    for row in output["rows"]:
        size = "" if row["bytes"] is None else f"{row['bytes']:.0%}"
        rows.append([row["what"], f"{row['speed']:.2g}", size])
        bars.append(Bar(row["what"], row["speed"]))
    return Section(
        "Storage",
        "The speed of batches from the store relative to copying the same clips in memory, which "
        "is the limit. Then the speed and size of the same clips in other layouts of HDF5.",
        ("batches of 8 clips from", "speed relative to the limit", "bytes on disk"),
        rows,
        Plot("speed relative to copying in memory", bars, 1.0, "the limit", log=True),
        (output["manner"] + ".", "Unless stated otherwise, a batch contains random clips."),
    )


def read_accuracy(output: Any) -> Section:
    """Read AUC and pair ranking of a few detectors on unseen people."""
    rows, bars, notes = [], [], []
    for part in output:
        notes.append(f"{part['clips']}: {part['size']}.")
        detectors = [name for name in part["figures"] if not name.startswith(_BASELINE)]
        for name in [*detectors, *_best_baseline(part["figures"])]:
            figures = part["figures"][name]
            shown = [_format_figure(figures.get(key)) for key in (AUC, PAIRS)]
            rows.append([f"`{name}`", part["clips"], *shown])
            auc = figures[AUC]
            interval = auc["interval"] and (auc["interval"][0], auc["interval"][1])
            bars.append(Bar(name, auc["value"], interval, series=part["clips"]))
    return Section(
        "Accuracy",
        "AUC of video scores and pair ranking on people that the detectors never saw, also on "
        "matched pairs of equal sharpness. The best baseline without training is shown with them.",
        ("score", "clips", "AUC", "pair ranking"),
        rows,
        Plot("AUC, 95% interval over people", bars, 0.5, "chance"),
        (
            *notes,
            "With few people and one seed, these rows show that everything from videos to a figure "
            "works. They do not rank detectors. [Results: accuracy](accuracy.md) has every row and "
            "the conclusions.",
            "The baseline is the best one on these test clips, which favours it.",
        ),
    )


_BASELINE = "baseline "


def _best_baseline(figures: Mapping[str, Any]) -> list[str]:
    """Return the name of the best baseline by AUC, in a list; empty if there is none."""
    names = [name for name in figures if name.startswith(_BASELINE)]
    return sorted(names, key=lambda name: -figures[name][AUC]["value"])[:1]


_READ: Mapping[str, Callable[[Any], Section]] = {
    PREPARATION: read_preparation,
    SEARCH: read_search,
    PREDICTION: read_prediction,
    ACCURACY: read_accuracy,
    STORAGE: read_storage,
}


def _format_figure(figure: Any) -> str:
    if not figure:
        return "-"
    if figure["interval"] is None:
        return f"{figure['value']:.2f}"
    low, high = figure["interval"]
    return f"{figure['value']:.2f} [{low:.2f}, {high:.2f}]"


def _format_ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _divide(value: float, other: float) -> float | None:
    return value / other if other else None
