"""Which rows of a leaderboard are shown, and in which order."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from artifacts.leaderboard.board import FIELDS
from artifacts.leaderboard.columns import ALL
from artifacts.records import TrialRecord
from data_prep.errors import UserError

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

# Fields of which more is better: they are sorted from the highest down.
_MORE_IS_BETTER = frozenset(
    {
        *("objective", "val_auc", "val_pseudo_auc", "val_pair_ranking", "detector_auc"),
        *("on_front", "tied_with_best"),
    }
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a row must meet: ``state=complete``, ``val_auc>0.8``, ``what~bilstm``.

    Attributes:
        field: of the row.
        operator: one of ``= != < <= > >= ~``, the last for text that holds another.
        value: as it was written.
    """

    field: str
    operator: str
    value: str

    @staticmethod
    def parse(text: str) -> Condition:
        """Read a condition.

        Raises:
            UserError: it is none, or of no field.
        """
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise UserError(
                f"--filter {text!r} is no condition; write NAME=VALUE, or with one of "
                "!= < <= > >= and ~ for text that holds another"
            )
        condition = Condition(*found.groups())
        check_field(condition.field)
        if condition.operator in _OF_NUMBERS:
            condition._number()
        return condition

    def is_met(self, record: TrialRecord) -> bool:
        """Whether a row meets it; one without a value never does."""
        value = getattr(record, self.field)
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
    """The fields of these names; every one for ``all``.

    Raises:
        UserError: rows have none of a name.
    """
    if list(names) == [ALL]:
        return FIELDS
    for name in names:
        check_field(name)
    return tuple(names)


def check_field(name: str) -> None:
    """Check that rows have a field.

    Raises:
        UserError: they have not.
    """
    if name not in FIELDS:
        raise UserError(f"no field {name}; rows have {', '.join(FIELDS)}")


def selected(
    records: Sequence[TrialRecord],
    conditions: Sequence[Condition] = (),
    sort: str = "",
    top: int | None = None,
    *,
    backwards: bool = False,
) -> list[TrialRecord]:
    """The records that meet every condition, sorted, the first of them.

    Args:
        records: in the order of merit, which is kept where nothing else is asked and among equals.
        conditions: that a record must meet.
        sort: a field; the best first where it has a better side, else the lowest; records without
            a value come last.
        top: so many at most.
        backwards: the other way round.

    Raises:
        UserError: there is no such field, or it cannot be compared.
    """
    found = [record for record in records if all(one.is_met(record) for one in conditions)]
    if sort:
        check_field(sort)
        known = [record for record in found if getattr(record, sort) not in (None, "")]
        unknown = [record for record in found if getattr(record, sort) in (None, "")]
        downwards = (sort in _MORE_IS_BETTER) != backwards
        try:
            known.sort(key=lambda record: getattr(record, sort), reverse=downwards)
        except TypeError:
            raise UserError(f"--sort {sort}: its values have no order") from None
        found = known + unknown
    elif backwards:
        found.reverse()
    return found[:top]
