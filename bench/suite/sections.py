"""What each bench told, as a section of the page: a table, a plot, and what to know of both."""

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
        label: what it is of.
        value: the figure.
        interval: of it, where it has one.
        series: of several figures of one label, which.
    """

    label: str
    value: float
    interval: tuple[float, float] | None = None
    series: str = ""


@dataclasses.dataclass(frozen=True)
class Plot:
    """Bars beside a line.

    Attributes:
        axis: what the bars measure.
        bars: at least one.
        line: a value to compare with.
        line_label: what that is.
        log: whether the axis is logarithmic.
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
        title: heading.
        question: what is compared with what, a sentence or two.
        columns: of the table.
        rows: of the table, as many cells as columns.
        plot: the same as a picture.
        notes: what to know before a figure is quoted.
        missing: what the bench should have told and did not; empty when it is whole.
    """

    title: str
    question: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    plot: Plot
    notes: Sequence[str] = ()
    missing: str = ""


class UnreadableError(Exception):
    """A bench told something else than it should; the message says what."""


def section(name: str, told: Any, detectors: Sequence[str] = ()) -> Section:
    """What a bench told, as a section.

    Args:
        name: of the bench.
        told: its JSON.
        detectors: that it has to tell of.

    Raises:
        UnreadableError: there is no figure in it, or it is not what this bench tells.
    """
    try:
        found = _READ[name](told)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        raise UnreadableError(f"what it told cannot be read: {error!r}") from None
    if not found.plot.bars:
        raise UnreadableError("it told no figure")
    lacking = [name for name in detectors if not any(f"`{name}`" in row for row in found.rows)]
    if not lacking:
        return found
    named = " and ".join(lacking)
    missing = f"{named}: not trained within the minutes; the same command goes on with them"
    return dataclasses.replace(found, missing=missing)


def preparation(told: Any) -> Section:
    """Preparation against decoding alone, and one walk through a video against seeking."""
    rows, bars = [], []
    compared = of_what = ""
    for row in told["rows"]:
        if row["wall"] is None:
            continue
        if row["what"].startswith(" "):
            # A variant of the row above it.
            series = f"{compared}, {row['what'].strip()}"
        else:
            compared, _, of_what = row["what"].partition(", ")
            series = compared
        figures = [_times(row["wall"]), _times(row["cpu"]), row["wanted"], row["note"]]
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


def search(told: Any) -> Section:
    """Trials an hour in terms of those of stock engines; a trial in terms of a bare ``fit``."""
    rows, bars, notes = [], [], [told["manner"] + "."]
    of_case = told["frozen"]["searches"]
    ours = next(one for one in of_case if one["engine"] == "dfsearch")
    network = f"{told['frozen']['case']['backbone']} frozen"
    notes.append(
        f"{network}: {_clips(told['frozen']['case'])}. This search ran for "
        f"{told['frozen']['minutes']:g} minutes, the others until their trials ended. Features of "
        "the network for every second, fourth or single frame are computed when first needed. So a "
        "longer run of this search completes more trials per hour."
    )
    for one in of_case:
        notes += [f"{network}, {one['engine']}: {note}." for note in one["notes"]]
        if one is ours:
            continue
        engine = _ENGINES[one["engine"]]
        rows.append(
            [
                f"{network}, {engine}",
                _times(one["ratio"]),
                f"{ours['trials']} / {one['trials']}",
                f"{_number(ours['auc'])} / {_number(one['auc'])}",
                _times(_over(one["peak"], ours["peak"])),
            ]
        )
        if one["ratio"] is not None:
            bars.append(Bar(network, one["ratio"], series=f"against {engine}"))
    alone = told["overhead"]
    slower = 1 / (1 + alone["overhead"])
    network = f"{alone['case']['backbone']}, nothing frozen"
    rows.append([f"{network}, a bare `fit`", _times(slower), f"{alone['rounds']} each", "", ""])
    bars.append(Bar(network, slower, series="against a bare fit"))
    notes += [
        f"{network}: {_clips(alone['case'])}. A trial of this search and a bare `fit` on clips "
        "in memory train the same detector in turns. No engine can be faster.",
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


def _clips(case: Any) -> str:
    return (
        f"{case['clips']} clips of {case['frames']} frames of {case['side']} px, "
        f"{case['epochs']} epochs per trial"
    )


_ENGINES = {"keras_tuner": "KerasTuner", "autokeras": "AutoKeras"}


def prediction(told: Any) -> Section:
    """Seconds of video judged in a second, and what share decoding is."""
    rows, bars = [], []
    for row in told["rows"]:
        label = f"{row['video']}, clips of {row['frames']}"
        judged = row["duration"] / row["judging"]
        rows.append(
            [
                label,
                _times(judged),
                _times(row["decoding"] / row["judging"]),
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


def storage(told: Any) -> Section:
    """Batches from the store in terms of copying them from memory to memory."""
    rows, bars = [], []
    for row in told["rows"]:
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
        (told["manner"] + ".", "Unless stated otherwise, a batch contains random clips."),
    )


def accuracy(told: Any) -> Section:
    """AUC and pair ranking of a few detectors on people they never saw."""
    rows, bars, notes = [], [], []
    for part in told:
        notes.append(f"{part['clips']}: {part['size']}.")
        detectors = [name for name in part["figures"] if not name.startswith(_UNTRAINED)]
        for name in [*detectors, *_best_untrained(part["figures"])]:
            figures = part["figures"][name]
            shown = [_figure(figures.get(key)) for key in (AUC, PAIRS)]
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
            "The untrained score is the best one on these test clips, which favours it.",
        ),
    )


_UNTRAINED = "untrained "


def _best_untrained(figures: Mapping[str, Any]) -> list[str]:
    """The name of the untrained score that is best by AUC, if there is one."""
    names = [name for name in figures if name.startswith(_UNTRAINED)]
    return sorted(names, key=lambda name: -figures[name][AUC]["value"])[:1]


_READ: Mapping[str, Callable[[Any], Section]] = {
    PREPARATION: preparation,
    SEARCH: search,
    PREDICTION: prediction,
    ACCURACY: accuracy,
    STORAGE: storage,
}


def _figure(figure: Any) -> str:
    if not figure:
        return "-"
    if figure["interval"] is None:
        return f"{figure['value']:.2f}"
    low, high = figure["interval"]
    return f"{figure['value']:.2f} [{low:.2f}, {high:.2f}]"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _over(value: float, other: float) -> float | None:
    return value / other if other else None
