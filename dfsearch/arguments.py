"""Arguments of the public interface: types, and checks that need no file to be opened."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias, TypeVar

from data_prep.errors import UserError
from data_prep.text import one_line

T = TypeVar("T")

StrPath: TypeAlias = "str | os.PathLike[str]"

Progress: TypeAlias = "Callable[[str, int, int], None]"
"""Called with the name of the work, the number done and the total."""

MOST_SEED = 2**32 - 1
_SHOWN = 60


def no_progress(work: str, done: int, total: int) -> None:
    """Show no progress."""


def to_names(argument: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """Return one or several names as a tuple.

    Raises:
        UserError: The value is neither text nor a list.
    """
    return (value,) if isinstance(value, str) else _to_tuple(argument, value)


def list_paths(argument: str, value: StrPath | Iterable[StrPath]) -> tuple[StrPath, ...]:
    """Return one or several paths as a tuple, unchecked.

    Raises:
        UserError: The value is neither a path nor a list.
    """
    return (value,) if isinstance(value, str | os.PathLike) else _to_tuple(argument, value)


def _to_tuple(argument: str, values: Iterable[T]) -> tuple[T, ...]:
    if not isinstance(values, Iterable):
        raise UserError(f"{argument} must be one value or a list of them; received {values!r}")
    return tuple(values)


def to_path(value: StrPath) -> Path:
    """Return a path that the system accepts, whether or not something is there.

    Raises:
        UserError: The value is no path, is empty, holds a null character, is too
            long, or may not be read.
    """
    if value == "":
        raise UserError("a path must not be empty; write . for the current folder")
    try:
        path = Path(value)
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except TypeError:
        raise UserError(f"a path must be text or a Path; received {value!r}") from None
    except ValueError:
        raise UserError(f"{_shown(value)}: a path holds no null character") from None
    except OSError as error:
        raise UserError(f"{_shown(value)}: {error.strerror}") from None
    return path


def _shown(value: StrPath) -> str:
    text = one_line(str(value).replace("\0", "\\0"))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Check that an argument is a whole number in a range.

    Raises:
        UserError: It is not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or int(value) < least
        or (most is not None and int(value) > most)
    ):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UserError(f"{name} must be a whole number {limits}; received {value!r}")


def check_number(name: str, value: object) -> None:
    """Check that an argument is a number.

    Raises:
        UserError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise UserError(f"{name} must be a number; received {value!r}")
