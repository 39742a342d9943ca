"""Report sections of further tests of a detector: degradation, matched pairs, openings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from artifacts.evaluation.openings import Opening
from artifacts.report.parts import (
    Cell,
    Column,
    Facts,
    Items,
    Missing,
    Part,
    Row,
    Table,
    interval_text,
    with_interval,
)

_LISTED = 10
_DAMAGED = "its file is not as dfsearch evaluate writes it."


def robustness_part(found: Mapping[str, Any] | None) -> Part:
    """Return the grid of degraded clips.

    Args:
        found: content of ``robustness.json`` for the present model.
    """
    what = "Under degradation"
    if found is None:
        return Missing(what, "not measured; dfsearch evaluate RUN_DIR --robustness does that.")
    try:
        rows = [_condition(row) for row in found["conditions"]]
        videos = f"{found['videos']} videos of the {found['split']} split"
    except (KeyError, TypeError, ValueError, IndexError):
        return Missing(what, _DAMAGED)
    return Table(
        f"{what}: the same {videos} after common degradations, at the frozen threshold. The drop "
        "is relative to the original clips of the same people.",
        (
            Column("condition", number=False),
            *map(Column, ("AUC", "drop in AUC", "fakes found", "false alarms")),
        ),
        tuple(rows),
        sortable=True,
    )


def _condition(row: Mapping[str, Any]) -> Row:
    figures = ("auc", "auc_drop", "recall", "false_alarm_rate")
    bounds = row.get("bounds", {})
    cells = (
        with_interval(row[figure], row[f"{figure}_ci"], exact=figure in bounds)
        for figure in figures
    )
    return Row((Cell(str(row.get("description", row["name"]))), *cells))


def matched_part(found: Mapping[str, Any] | None) -> Part:
    """Return the results on pairs of fake and real with an equal baseline.

    The baseline is the one that separates most fakes.

    Args:
        found: content of ``matched.json`` for the present model.
    """
    what = "On matched pairs"
    if found is None:
        return Missing(what, "not measured; dfsearch evaluate RUN_DIR --matched sharpness does it.")
    try:
        rows = (
            ("AUC", "auc"),
            ("fake above its own real", "pair_ranking"),
        )
        quantity, alone = found["quantity"], found["quantity_auc"]
        then = "" if alone is None else f", which alone then has an AUC of {alone:.3f}"
        return Table(
            f"{what}: {found['pairs']} pairs of a fake and the video it was made from, made equal "
            f"in {quantity}{then}. The rest of the score comes from cues other than {quantity}.",
            (
                Column("figure", number=False),
                Column("matched"),
                Column("as they are"),
                Column("gain"),
            ),
            tuple(
                Row(
                    (
                        Cell(name),
                        with_interval(found[figure], found[f"{figure}_ci"]),
                        with_interval(found[f"{figure}_as_they_are"], None),
                        with_interval(found[f"{figure}_gain"], found[f"{figure}_gain_ci"]),
                    )
                )
                for name, figure in rows
            ),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return Missing(what, _DAMAGED)


def untrained_part(found: Mapping[str, Any] | None) -> Part:
    """Return the best score without training on the tested clips.

    Args:
        found: content of :class:`artifacts.metrics.baselines.BaselineComparison`.
    """
    what = "Against no training"
    if found is None:
        return Missing(what, "not measured on these clips; dfsearch evaluate RUN_DIR does that.")
    try:
        name = found["name"].replace("_", " ")
        pairs = [
            (f"AUC of {name}", interval_text(found["auc"], found["auc_ci"])),
            ("AUC of the model above that", interval_text(found["margin"], found["margin_ci"])),
        ]
        if found["pair_ranking"] is not None:
            text = interval_text(found["pair_ranking"], found["pair_ranking_ci"])
            pairs.append((f"fake above its own real ({found['pairs']} pairs)", text))
            other = interval_text(found["untrained_pair_ranking"], None)
            pairs.append((f"the same by {name}", other))
    except (KeyError, TypeError, ValueError, AttributeError):
        return Missing(what, _DAMAGED)
    return Facts(tuple(pairs))


def openings_part(openings: Sequence[Opening]) -> Part:
    """Return every opening of the test split: repeated looks turn it into validation."""
    if not openings:
        return Missing("Openings of the test split", "none is on record.")
    times = "once" if len(openings) == 1 else f"{len(openings)} times"
    items = [f"The test split was opened {times}."]
    if len(openings) > _LISTED:
        items.append(f"The last {_LISTED}:")
    items += [_opening(opening) for opening in openings[-_LISTED:]]
    return Items(tuple(items))


def _opening(opening: Opening) -> str:
    options = ", ".join(f"{name} {value}" for name, value in opening.options.items())
    return f"{opening.opened or 'at a time that is not known'} by {opening.by}" + (
        f" ({options})" if options else ""
    )
