"""Label tables that lie beside videos: CSV files with a header, and JSON by file name."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from data_prep.errors import UserError
from data_prep.layouts.files import is_file, quote
from data_prep.store.format import FAKE, REAL
from data_prep.text import printable, read_text

# Programs write a column of whole numbers as 0.0, and one of the answers to "fake?" as words.
# Characters read at a time.
_BLOCK = 2**20
_BETWEEN_ROWS = re.compile(r"[,\s]*")
_LABELS = {
    **dict.fromkeys(("real", "0", "0.0", "false", "no"), REAL),
    **dict.fromkeys(("fake", "1", "1.0", "true", "yes"), FAKE),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        line: line number in the file, the header being 1.
        values: text by column in lower case, stripped; empty where the row is short.
        surplus: whether the row has more fields than the header has columns.
    """

    line: int
    values: dict[str, str]
    surplus: bool = False


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or holds half a surrogate pair, which no text and no file name
            can.
        RecursionError: it is nested too deep.
    """
    content = json.loads(read_text(path))
    json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogateescape")
    return content


def read_json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list one at a time: lists of a million videos have gigabytes.

    Raises:
        UserError: it is no list of objects, or is damaged.
    """
    decoder = json.JSONDecoder()
    try:
        with path.open(encoding="utf-8-sig") as file:
            text, at, whole = file.read(_BLOCK).lstrip(), 1, False
            if not text.startswith("["):
                raise ValueError("expected a list")
            while True:
                at = _end(_BETWEEN_ROWS.match(text, at))
                if text.startswith("]", at):
                    return
                try:
                    row, at = decoder.raw_decode(text, at)
                except ValueError:
                    if whole:
                        raise
                    more = file.read(max(_BLOCK, len(text) - at))
                    text, at, whole = text[at:] + more, 0, not more
                    continue
                if not isinstance(row, dict):
                    raise ValueError(f"expected objects in the list, found {row!r}"[:100])
                yield row
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{quote(path)} is damaged: {quote(str(error))}; replace it") from None


def _end(found: re.Match[str] | None) -> int:
    assert found is not None
    return found.end()


def is_labelled_json(path: Path) -> bool:
    """Return whether a JSON file labels videos by name, or is damaged."""
    try:
        entries = read_json(path)
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(entries, dict) and any(
        isinstance(entry, dict) and "label" in entry for entry in entries.values()
    )


def columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a table in lower case; none if it cannot be read as one."""
    # Opening a pipe would wait for someone to write to it.
    if not is_file(path):
        return ()
    try:
        return _clean(next(csv.reader(_lines(path)), []))
    except (OSError, ValueError, csv.Error):
        return ()


def read_table(path: Path, required: Collection[str]) -> list[Row]:
    """Read the rows of a table that are not blank.

    Raises:
        UserError: the file is no UTF-8 CSV text, or a required column is missing or appears twice.
    """
    try:
        return list(_rows(path, csv.reader(_lines(path)), required))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{quote(path)} cannot be read as a CSV table: {quote(str(error))}; save it as "
            "comma-separated UTF-8 text, or move it away"
        ) from None


def _rows(path: Path, lines: Iterator[list[str]], required: Collection[str]) -> Iterator[Row]:
    header = _clean(next(lines, []))
    missing = [name for name in required if name not in header]
    if missing:
        raise UserError(
            f"{quote(path)} has no column {' and no column '.join(missing)}: expected at least "
            f"{','.join(required)} in the first line, found {quote(','.join(header)) or 'nothing'};"
            " add the header, or move the file away if it is not a table of labels"
        )
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise UserError(
            f"{quote(path)} has the column {quote(repeated[0])} twice; keep one of them"
        )
    for number, fields in enumerate(lines, 2):
        if any(field.strip() for field in fields):
            values = dict.fromkeys(header, "")
            values |= dict(zip(header, (field.strip() for field in fields), strict=False))
            yield Row(number, values, len(fields) > len(header))


def _lines(path: Path) -> io.StringIO:
    return io.StringIO(read_text(path), newline="")


def _clean(header: list[str]) -> tuple[str, ...]:
    return tuple(name.strip().casefold() for name in header)


def further_values(row: Row, known: Collection[str]) -> dict[str, str]:
    """Return the values of a row in columns that no layout uses, by column, without empty ones."""
    return {
        printable(name): printable(value)
        for name, value in row.values.items()
        if name and value and name not in known
    }


def read_label(text: str) -> int | None:
    """Return the label of a word or a number in any case, None if it has none.

    Real are ``real``, 0, ``false`` and ``no``; fake are ``fake``, 1, ``true`` and ``yes``.
    """
    return _LABELS.get(text.casefold())
