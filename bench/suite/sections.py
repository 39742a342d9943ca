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
        "How fast `dfsearch prepare` is in terms of decoding the same videos and doing nothing "
        "else, which is its limit; and how fast one walk through a video is in terms of seeking "
        "to sixteen frames of it, which most toolkits do.",
        ("speed", "videos", "by the clock", "by processor time", "wanted", ""),
        rows,
        Plot("times as fast, by processor time", bars, 1.0, "the limit, or seeking"),
        ("Synthetic videos of 32 frames are too short for decoding to be what takes the time.",),
    )


def search(told: Any) -> Section:
    """Trials an hour in terms of those of stock engines; a trial in terms of a bare ``fit``."""
    rows, bars, notes = [], [], [told["manner"] + "."]
    of_case = told["frozen"]["searches"]
    ours = next(one for one in of_case if one["engine"] == "dfsearch")
    network = f"{told['frozen']['case']['backbone']} frozen"
    notes.append(
        f"{network}: {_clips(told['frozen']['case'])}, {told['frozen']['minutes']:g} minutes of "
        "ours and as long as theirs takes. Features of the network for "
        "every second, fourth or single frame are computed when first met, "
        "so that a longer search of ours has more trials an hour."
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
        f"{network}: {_clips(alone['case'])}. The same detector is trained in turns by a trial of "
        "ours and by `fit` on clips in memory that does nothing else; no engine can be faster.",
        "These stores are so small that memory is TensorFlow's; `python -m bench.search --only "
        "memory` takes one of 4 GB.",
    ]
    return Section(
        "Search",
        "Trials an hour of a search of ours in terms of those of stock KerasTuner and stock "
        "AutoKeras, which are given the same space, clips, epochs and seed, with a frozen network, "
        "where the cache of features counts. Where nothing is frozen there is nothing to gain: "
        "there the limit is a bare `fit` of the same detector.",
        (
            *("ours against", "trials an hour, times as many", "trials, ours / theirs"),
            *("best AUC at equal time", "their memory in terms of ours"),
        ),
        rows,
        Plot("trials an hour, times as many as theirs", bars, 1.0, "equal", log=True),
        notes,
    )


def _clips(case: Any) -> str:
    return (
        f"{case['clips']} clips of {case['frames']} frames of {case['side']} px, "
        f"{case['epochs']} epochs a trial"
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
        "How fast `dfsearch predict` judges 720p video, every face in it over time, in terms of "
        "how fast the video plays, and in terms of decoding it and doing nothing else, which is "
        "its limit.",
        ("video", "against real time", "against decoding", "time for faces", "for the network"),
        rows,
        Plot("times as fast as the video plays", bars, 1.0, "real time"),
        (
            "The network is EfficientNet-Lite0 alone, on every frame; a start of Python and "
            "TensorFlow is not in.",
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
        "How fast batches come from the store in terms of copying the same clips from memory to "
        "memory, which is the limit; and what the same clips would cost in other layouts of HDF5.",
        ("batches of 8 clips from", "speed, in terms of the limit", "bytes on disk"),
        rows,
        Plot("speed, in terms of copying from memory to memory", bars, 1.0, "the limit", log=True),
        (told["manner"] + ".", "Unless said otherwise a batch is drawn at random."),
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
        "What detectors score on people they never saw: the AUC of video scores, and how often a "
        "fake scores above the very video it was made from; both again on matched pairs, made "
        "equally sharp. Beside them stands the best score that needs no training.",
        ("score", "clips", "AUC", "pair ranking"),
        rows,
        Plot("AUC, 95% interval over people", bars, 0.5, "chance"),
        (
            *notes,
            "Few people and one seed: these rows show that the path from videos to a figure runs, "
            "and what it finds; they rank nothing. [accuracy.md](../accuracy.md) has every row, "
            "and what can be concluded.",
            "The untrained score is the one that is best on these very clips, which flatters it.",
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
