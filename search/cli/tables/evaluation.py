"""Metrics of a finished run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from artifacts.evaluation.request import Assessment
from artifacts.metrics.measures import MOST_BINS
from search.cli.console import cell, tables

_MARK = "*"
_LISTED = 3
_PARTS = ("method", "quality", "codec")
_WORDS = {
    "auc": "AUC",
    "eer": "EER",
    "average_precision": "average precision",
    "tpr_at_1_percent_fpr": "TPR at 1% FPR",
    "tpr_at_0_1_percent_fpr": "TPR at 0.1% FPR",
    "f1": "F1",
    "brier": "Brier",
    "ece": "ECE",
}


def print_assessment(found: Assessment, run_dir: Path) -> None:
    """Print every metric with its interval, then methods, qualities, baselines and notes.

    Args:
        found: Result of the evaluation.
        run_dir: Folder of the run, for the title.
    """
    console = tables()
    result = found.to_json()
    kind = "SYNTHETIC videos" if found.synthetic else "videos"
    name = f"{run_dir}, {result['split']} split"
    if not found.own_test:
        name += f" of {found.store['path']}"
    _print_title(console, f"{name}: {result['videos']} {kind}")
    console.print(_metrics_table(result))
    for part in _PARTS:
        _print_parts(console, result[f"by_{part}"], part)
    for show, kept, name in (
        (_print_baseline, result.get("untrained"), "best_model.json"),
        (_print_degraded, found.robustness, "robustness.json"),
        (_print_matched, found.matched, "matched.json"),
    ):
        if kept:
            try:
                show(console, kept)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError):
                console.print(f"{name} is damaged: some of it cannot be shown")
    _print_notes(console, found, result)


def _print_title(console: Console, text: str) -> None:
    """Print a title as a line; in a table it would wrap at the width of the table."""
    console.print(cell(text, "bold"), soft_wrap=True)


def _metrics_table(result: Mapping[str, Any]) -> Table:
    table = Table()
    clips = result.get("per_clip")
    for column in ("metric", "value", "95% CI", *(["per clip"] if clips else [])):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, interval in result["intervals"].items():
        cells = [_words(name), _value(result[name]), _edges(interval, _is_bound(result, name))]
        if clips:
            cells.append(f"{clips['values'][name]:.3f}")
        table.add_row(*cells)
    return table


def _print_parts(console: Console, rows: Mapping[str, Mapping[str, Any]], kind: str) -> None:
    """Print a table of methods, qualities or codecs, if there are any."""
    if not rows:
        return
    table = Table()
    table.add_column(kind)
    for column in ("videos", "AUC", "95% CI", "recall", "95% CI", "false alarms", "95% CI"):
        if "alarms" in column and all("false_alarm_rate" not in row for row in rows.values()):
            break
        table.add_column(column, justify="right")
    for name, row in rows.items():
        cells = [str(row["videos"])]
        for figure in ("auc", "recall", "false_alarm_rate"):
            if figure in row or figure != "false_alarm_rate":
                edges = _edges(row.get(f"{figure}_ci"), _is_bound(row, figure))
                cells += [_value(row.get(figure)), edges]
        table.add_row(cell(name), *cells)
    console.print(table)


def _print_baseline(console: Console, beside: Mapping[str, Any]) -> None:
    direction = "higher" if beside["higher_is_fake"] else "lower"
    console.print(
        f"best baseline: {_words(beside['name'])} ({direction} in fakes on "
        f"{beside['oriented_on']}), AUC {_with_edges(beside['auc'], beside['auc_ci'])}; margin of "
        f"the detector {_with_edges(beside['margin'], beside['margin_ci'], signed=True)}",
        markup=False,
    )
    if beside["pair_ranking"] is not None:
        console.print(
            f"pair ranking of {beside['pairs']} pairs: detector "
            f"{_with_edges(beside['pair_ranking'], beside['pair_ranking_ci'])}, "
            f"{_words(beside['name'])} {beside['untrained_pair_ranking']:.3f}; margin "
            f"{_with_edges(beside['pair_margin'], beside['pair_margin_ci'], signed=True)}",
            markup=False,
        )


def _print_degraded(console: Console, found: Mapping[str, Any]) -> None:
    _print_title(console, "degraded clips")
    table = Table()
    table.add_column("clips")
    for column in ("AUC", "95% CI", "drop", "95% CI", "recall", "false alarms"):
        table.add_column(column, justify="right")
    for row in found["conditions"]:
        interval = row["auc_drop_ci"]
        drop = "" if row["auc_drop"] is None else f"{row['auc_drop']:+.3f}"
        table.add_row(
            cell(str(row.get("description", row["name"]))),
            _value(row["auc"]),
            _edges(row["auc_ci"], _is_bound(row, "auc")),
            drop,
            "" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}",
            _value(row["recall"]),
            _value(row["false_alarm_rate"]),
        )
    console.print(table)


def _print_matched(console: Console, found: Mapping[str, Any]) -> None:
    _print_title(console, f"{found['pairs']} pairs at equal {found['quantity']}")
    table = Table()
    table.add_column("metric")
    for column in ("original", "matched", "95% CI", "change", "95% CI"):
        table.add_column(column, justify="right")
    for name in ("auc", "pair_ranking"):
        gain = found[f"{name}_gain_ci"]
        table.add_row(
            _words(name),
            _value(found[f"{name}_as_they_are"]),
            _value(found[name]),
            _edges(found[f"{name}_ci"]),
            f"{found[f'{name}_gain']:+.3f}",
            "" if gain is None else f"{gain[0]:+.3f} to {gain[1]:+.3f}",
        )
    console.print(table)
    if found["quantity_auc"] is not None:
        console.print(
            f"{found['quantity']} baseline: AUC {found['quantity_auc_as_they_are']:.3f}, matched "
            f"{found['quantity_auc']:.3f}"
        )
    if found["left_out"]:
        left_out = len(found["left_out"])
        console.print(f"skipped pairs with a flat or nearly flat clip: {left_out}")
    if found["untrained"]:
        _print_baseline(console, found["untrained"])


def _print_notes(console: Console, found: Assessment, result: Mapping[str, Any]) -> None:
    if result.get("ece_bins"):
        bins = result["ece_bins"]
        fewer = f"; more videos would allow {MOST_BINS}" if bins < MOST_BINS else ""
        console.print(f"ECE in {bins} bins of equal size{fewer}")
    parts = [row for kind in _PARTS for row in result[f"by_{kind}"].values()]
    bounds = [f"{_words(name)} {count}" for name, count in result.get("bounds", {}).items()]
    if any(row.get("bounds") for row in parts):
        bounds.append("each part with its own people")
    if bounds:
        console.print(
            f"{_MARK} exact Clopper-Pearson bound, as all bootstrap draws give one value; "
            f"independent people or pairs: {', '.join(bounds)}"
        )
    for note in result.get("notes", ()):
        console.print(cell(f"note: {note}"))
    reals, fakes = (f"{result[name]} {name[:-1]}" for name in ("reals", "fakes"))
    if "coverage_real" in result:
        reals += f" (face coverage {result['coverage_real']:.3f})"
        fakes += f" (face coverage {result['coverage_fake']:.3f})"
    console.print(
        f"{reals} and {fakes}; {result['quarantined']} quarantined videos of the store are not "
        f"scored\nthreshold {result['threshold']:.3f} from validation; intervals over identity "
        "groups"
    )
    if found.openings:
        times = f"{len(found.openings):,} time" + ("s" if len(found.openings) > 1 else "")
        last = [entry.opened or entry.by for entry in found.openings[-_LISTED:]]
        shown = ", at last" if len(found.openings) > len(last) else ""
        console.print(cell(f"the test split was opened {times}{shown}: {', '.join(last)}"))


def _words(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def _is_bound(row: Mapping[str, Any], figure: str) -> bool:
    return figure in row.get("bounds", {})


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _edges(interval: Any, bound: bool = False) -> str:
    if interval is None:
        return ""
    return f"{interval[0]:.3f} to {interval[1]:.3f}{_MARK if bound else ''}"


def _with_edges(value: float, interval: Any, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    if interval is None:
        return f"{value:{sign}.3f} (no interval)"
    return f"{value:{sign}.3f} [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]"
