"""Leaderboards of runs as a pandas DataFrame or as rows."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from artifacts.leaderboard import comparison
from artifacts.leaderboard.board import to_dicts
from artifacts.leaderboard.load import load
from artifacts.leaderboard.rows import FIELDS
from artifacts.leaderboard.selection import Condition, check_fields, select_rows
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from dfsearch.arguments import check_whole, to_names
from search.studies.study import read_trials

if TYPE_CHECKING:
    import pandas as pd

    from artifacts.leaderboard.load import Leaderboard


def read_leaderboard(runs: Sequence[RunDirectory]) -> Leaderboard:
    """Read the leaderboard of one run, or of several on the same store.

    Raises:
        UserError: The runs are of different stores, one is named twice, or there is none.
    """
    if not runs:
        raise UserError("name at least one run")
    paths = [run.root.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise UserError("a run is named twice; name each once")
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(run.root) for run in runs]
    named = dict(zip(names, runs, strict=True))
    if len(named) > 1:
        comparison.check_same_store(named)
    boards = {name: load(run, read_trials(run)) for name, run in named.items()}
    return comparison.compare(boards) if len(boards) > 1 else next(iter(boards.values()))


def select_table(
    found: Leaderboard,
    columns: str | Sequence[str],
    where: str | Sequence[str],
    sort: str,
    top: int | None,
    as_rows: bool,
) -> pd.DataFrame | list[dict[str, Any]]:
    """Return rows of a leaderboard, as a DataFrame if pandas is installed.

    Args:
        found: The leaderboard.
        columns: Names of the columns, or one name; all if empty.
        where: Conditions that a row must meet, or one condition.
        sort: Column to sort by; by rank if empty.
        top: Greatest number of rows.
        as_rows: Whether to return dictionaries in any case.

    Raises:
        UserError: A column, a condition or the number is wrong.
    """
    if top is not None:
        check_whole("top", top, 1)
    names = to_names("columns", columns)
    fields = check_fields(names) if names else FIELDS
    texts = to_names("where", where)
    conditions = [Condition.parse(text) for text in texts]
    rows = to_dicts(select_rows(found.rows, conditions, sort, top), fields)
    if as_rows or importlib.util.find_spec("pandas") is None:
        return rows
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(fields))
    frame.attrs["notes"] = list(found.notes)
    return frame
