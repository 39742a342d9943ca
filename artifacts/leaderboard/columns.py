"""The columns of the leaderboard: every field of a row by its name, with its heading and words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

from artifacts.records import UNTRAINED, TrialRecord
from data_prep.errors import UserError

ALL = "all"

# Columns that leave room for another one.
_ROOM = 6


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of the table for people.

    Attributes:
        name: of the field, as in JSON and CSV.
        head: above the column.
        cell: the words of a record; empty where there is nothing to say.
        justify: which side they stand on.
        least: where they may take several lines, how narrow these may be; 0 where they may not.
    """

    name: str
    head: str
    cell: Callable[[TrialRecord], str]
    justify: Literal["left", "right"] = "right"
    least: int = 0


def columns(wanted: Sequence[str], records: Sequence[TrialRecord] = ()) -> list[Column]:
    """The columns of these names, in this order.

    Args:
        wanted: names; ``all`` alone is every column in which one of the records has something.
        records: that are shown.

    Raises:
        UserError: there is none of a name.
    """
    if list(wanted) == [ALL]:
        return [one for one in COLUMNS.values() if any(map(one.cell, records))]
    for name in wanted:
        if name not in COLUMNS:
            raise UserError(f"no column {name}; there are {', '.join(COLUMNS)} and all")
    return [COLUMNS[name] for name in wanted]


def usual(records: Sequence[TrialRecord]) -> list[Column]:
    """The columns that answer most questions and fit a terminal of 100 characters.

    Where ranks do not follow the AUC alone, one has the score that they follow; where a search had
    two objectives, the second and the front; where runs are compared, the run. These take the
    place of the seconds.
    """
    detectors = [record for record in records if record.rank is not None]
    cost = next((record.cost for record in detectors if record.cost), "")
    names = ["rank", "trial", "state", "val_auc"]
    if any(record.run for record in records):
        # Their ranks follow the AUC.
        names.insert(1, "run")
    elif any(record.objective not in (None, record.val_auc) for record in records):
        names.insert(3, "objective")
    if cost:
        names += [cost, "on_front"]
    names.append("params")
    if cost != "latency_ms" and any(record.latency_ms is not None for record in records):
        names.append("latency_ms")
    if len(names) <= _ROOM:
        names.append("seconds")
    return columns([*names, "what"])


def number(value: float | None, digits: int) -> str:
    """With so many decimals; nothing for ``None``."""
    return "" if value is None else f"{value:.{digits}f}"


def counted(value: int | None) -> str:
    """A count in at most four characters and a letter: 950, 12.3k, 3.4M."""
    if value is None:
        return ""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            digits = 1 if value < 100 * size else 0
            return f"{value / size:.{digits}f}{letter}"
    return str(value)


def told_auc(record: TrialRecord) -> str:
    """The AUC with its interval: ``0.912 [0.80, 0.98]``; of a GAN its KID."""
    if record.val_auc is None:
        return "" if record.kid is None else f"KID {record.kid:.3f}"
    edges = record.val_auc_ci
    return number(record.val_auc, 3) + (f" [{edges[0]:.2f}, {edges[1]:.2f}]" if edges else "")


def _rank(record: TrialRecord) -> str:
    tied = "=" if record.tied_with_best and record.rank != 1 else ""
    return " ".join(filter(None, ["" if record.rank is None else str(record.rank), tied]))


def _trial(record: TrialRecord) -> str:
    return "no training" if record.stage == UNTRAINED else f"{record.stage} {record.trial}"


def _state(record: TrialRecord) -> str:
    return "" if record.stage == UNTRAINED else record.state


def _epochs(record: TrialRecord) -> str:
    """How many, of how many where it had fewer than asked."""
    done, asked = record.epochs, record.epochs_asked
    if done is None or asked is None or done >= asked:
        return "" if done is None else str(done)
    return f"{done} of {asked}"


def _methods(record: TrialRecord) -> str:
    """The AUC of each method that was left out, the lowest first."""
    methods = sorted((record.method_auc or {}).items(), key=lambda found: found[1])
    return ", ".join(f"{method} {auc:.3f}" for method, auc in methods)


def _what(record: TrialRecord) -> str:
    """What it tried, what it scored on methods it was not trained on, and its reason."""
    left_out = _methods(record)
    said = [record.what, f"left out: {left_out}" if left_out else "", record.reason]
    return "; ".join(filter(None, said))


def _field(name: str, digits: int) -> Callable[[TrialRecord], str]:
    return lambda record: number(getattr(record, name), digits)


def _text(name: str) -> Callable[[TrialRecord], str]:
    return lambda record: str(getattr(record, name))


def _whole(name: str) -> Callable[[TrialRecord], str]:
    return lambda record: "" if getattr(record, name) is None else str(getattr(record, name))


_COLUMNS = (
    Column("run", "run", _text("run"), "left", least=8),
    Column("rank", "rank", _rank),
    Column("trial", "trial", _trial, "left"),
    Column("state", "state", _state, "left"),
    Column("objective", "score", _field("objective", 3)),
    Column("val_auc", "val AUC", told_auc, "left"),
    Column("val_eer", "EER", _field("val_eer", 3)),
    Column("val_log_loss", "log-loss", _field("val_log_loss", 3)),
    Column("val_pseudo_auc", "pseudo AUC", _field("val_pseudo_auc", 3)),
    Column("val_pair_ranking", "pairs", _field("val_pair_ranking", 3)),
    Column("method_auc", "left out", _methods, "left", least=20),
    Column("kid", "KID", _field("kid", 3)),
    Column("detector_auc", "discriminator AUC", _field("detector_auc", 3)),
    Column("params", "params", lambda record: counted(record.params)),
    Column("file_mb", "MB", _field("file_mb", 2)),
    Column("latency_ms", "ms", _field("latency_ms", 1)),
    Column("peak_mb", "peak MB", _field("peak_mb", 0)),
    Column("on_front", "front", lambda record: "*" if record.on_front else "", "left"),
    Column("seconds", "s", _field("seconds", 0)),
    Column("epochs", "epochs", _epochs),
    Column("best_epoch", "best epoch", _whole("best_epoch")),
    Column("lineage", "made from", _text("lineage"), "left"),
    Column("streams", "streams", lambda record: " + ".join(record.streams), "left"),
    Column("backbone", "backbone", _text("backbone"), "left"),
    Column("reason", "reason", _text("reason"), "left", least=24),
    Column("what", "what", _what, "left", least=20),
)

COLUMNS = {column.name: column for column in _COLUMNS}
"""Every column by its name."""
