"""Selection of leaderboard rows: conditions, order and number."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from artifacts.leaderboard.columns import ALL
from artifacts.leaderboard.rows import FIELDS, Row
from data_prep.errors import UserError
from data_prep.text import suggest

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "~": operator.contains,
}
_CONDITION = re.compile(rf"\s*(\w+)\s*({'|'.join(_OPERATORS)})\s*(.*?)\s*", re.DOTALL)
_OF_NUMBERS = ("<=", ">=", "<", ">")

# Fields where more is better are sorted from the highest down.
_MORE_IS_BETTER = frozenset(
    {
        *("objective", "val_auc", "val_pseudo_auc", "val_pair_ranking", "detector_auc"),
        *("on_front", "tied_with_best"),
    }
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """A condition on rows: ``state=complete``, ``val_auc>0.8``, ``what~bilstm``.

    Attributes:
        field: Name of the field.
        operator: One of ``= != < <= > >= ~``; the last is for text that contains the value.
        value: Value as it was written.
    """

    field: str
    operator: str
    value: str

    @staticmethod
    def parse(text: str) -> Condition:
        """Return the condition of a text.

        Raises:
            UserError: The text is no condition, or names no field.
        """
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise UserError(
                f"--filter {text!r} is no condition; write NAME=VALUE, or use one of "
                "!= < <= > >= or ~ (contains)"
            )
        condition = Condition(*found.groups())
        check_field(condition.field)
        if condition.operator in _OF_NUMBERS:
            condition._number()
        return condition

    def is_met(self, row: Row) -> bool:
        """Return whether a row meets it; a row without a value never does."""
        value = row.field(self.field)
        if value is None or value == "":
            return False
        compare = _OPERATORS[self.operator]
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, int | float) and self.operator != "~":
            return compare(value, self._number())
        if isinstance(value, tuple):
            value = " + ".join(map(str, value))
        if self.operator in _OF_NUMBERS:
            raise UserError(f"--filter {self.field}{self.operator}{self.value}: not a number")
        return compare(str(value), self.value)

    def _number(self) -> float:
        try:
            return float(self.value)
        except ValueError:
            raise UserError(
                f"--filter {self.field}{self.operator}{self.value}: {self.value!r} is not a number"
            ) from None


def check_fields(names: Sequence[str]) -> tuple[str, ...]:
    """Return the fields of these names; all fields for ``all``.

    Raises:
        UserError: A field does not exist.
    """
    if list(names) == [ALL]:
        return FIELDS
    for name in names:
        check_field(name)
    return tuple(names)


def check_field(name: str) -> None:
    """Check that rows have a field.

    Raises:
        UserError: The field does not exist.
    """
    if name not in FIELDS:
        raise UserError(f"no field {name}{suggest(name, FIELDS)}; rows have {', '.join(FIELDS)}")


def select_rows(
    rows: Sequence[Row],
    conditions: Sequence[Condition] = (),
    sort: str = "",
    top: int | None = None,
    *,
    backwards: bool = False,
) -> list[Row]:
    """Return the first rows that meet every condition, sorted.

    Args:
        rows: Rows best first; that order is kept by default and among equals.
        conditions: Conditions that a row must meet.
        sort: A field: the best first if it has a better side, else the lowest; rows without a
            value come last.
        top: Largest number of rows.
        backwards: Whether to reverse the order.

    Raises:
        UserError: The field does not exist or cannot be compared.
    """
    found = [row for row in rows if all(one.is_met(row) for one in conditions)]
    if sort:
        check_field(sort)
        known = [row for row in found if row.field(sort) not in (None, "")]
        unknown = [row for row in found if row.field(sort) in (None, "")]
        downwards = (sort in _MORE_IS_BETTER) != backwards
        try:
            known.sort(key=lambda row: row.field(sort), reverse=downwards)
        except TypeError:
            raise UserError(f"--sort {sort}: values of this column have no order") from None
        found = known + unknown
    elif backwards:
        found.reverse()
    return found[:top]
