"""A run's detector in every format: written, certified, recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from artifacts.models.card import write_model_card
from artifacts.models.export_check import Clips, Exported, export_all
from artifacts.models.formats import FORMATS, Format
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError

FOLDER, RECORD = "exports", "exports.json"


@dataclasses.dataclass(frozen=True)
class Exports:
    """Exported files and their measurements.

    Attributes:
        folder: folder with the files and their record.
        clips: description of the compared clips.
        rows: one row a file, in the order of the formats.
    """

    folder: Path
    clips: str
    rows: tuple[Exported, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the exports as plain values."""
        return {
            "folder": str(self.folder),
            "clips": self.clips,
            "rows": [dataclasses.asdict(row) for row in self.rows],
        }


def check_precisions(formats: Sequence[Format], precisions: Sequence[str]) -> None:
    """Refuse a precision that none of the formats offers.

    Raises:
        UserError: which, and where it is offered.
    """
    for precision in precisions:
        if not any(precision in entry.precisions for entry in formats):
            having = [name for name, entry in FORMATS.items() if precision in entry.precisions]
            hint = f"only {' and '.join(having)} can" if having else "it is float16 or int8"
            raise UserError(f"--precision {precision}: no chosen format can; {hint}")


def export_run(
    run: RunDirectory,
    model: keras.Model,
    formats: Sequence[Format],
    precisions: Sequence[str],
    clips: Clips,
    folder: Path | None = None,
    on_row: Callable[[Exported], None] = lambda row: None,
) -> Exports:
    """Export the detector of a run, certify every file, and write ``exports.json`` beside them.

    The run gets its model card, or the folder where nothing can be written to the run.

    Args:
        run: a finished run.
        model: its detector, from :func:`artifacts.models.saved.load_detector`.
        formats, precisions: variants; float32 is always written.
        clips: clips for the comparison.
        folder: folder of the files; ``exports`` in the run by default.
        on_row: Called with every finished row.

    Raises:
        UserError: No chosen format offers a precision, or the folder cannot be made.
    """
    check_precisions(formats, precisions)
    target = folder or run.root / FOLDER
    if folder is None:
        run.check_links(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {target} cannot be made: {error.strerror}; name another: --out FOLDER"
        ) from None
    rows = export_all(model, formats, precisions, clips, target, on_row)
    result = Exports(target, clips.source, tuple(rows))
    write_json(target / RECORD, result.to_json())
    try:
        write_model_card(run)
    except OSError:  # a run that is kept from changes
        write_model_card(run, target)
    return result
