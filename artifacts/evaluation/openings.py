"""How often the test split of a run was opened.

A figure on the test split says what a detector does on people nobody chose it by. Whoever opens the
split again and again, and changes something in between, chooses by it. So every opening is
recorded, before the first clip is read.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from pathlib import Path
from typing import Any

from artifacts.certificate import Certificate
from artifacts.run_directory import RunDirectory

BY_RUN, BY_EVALUATE = "run", "evaluate"
UNREADABLE = "unreadable line"


@dataclasses.dataclass(frozen=True)
class Opening:
    """One time that clips of the test split were scored.

    Attributes:
        opened: when, ISO 8601; empty where it is not known.
        by: ``run`` at the end of the run, or ``evaluate``.
        options: what was asked for beside the plain figures.
        model: SHA-256 of the ``best_model.h5`` that was tested; empty where it is not known.
    """

    opened: str
    by: str
    options: dict[str, Any]
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def now() -> str:
    """This moment in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def record(run: RunDirectory, by: str, options: dict[str, Any], model: str) -> bool:
    """Add a line for an opening that is about to happen.

    A line is added in one piece, so that of two commands at once neither is lost.

    Returns:
        Whether it could be written; a folder may be read-only.
    """
    known = openings(run)
    lines = [] if run.openings.exists() else known
    entries = [*lines, Opening(now(), by, options, model)]
    text = "".join(json.dumps(entry.to_json()) + "\n" for entry in entries)
    try:
        _append(run.openings, text)
    except OSError:
        return False
    return True


def openings(run: RunDirectory) -> list[Opening]:
    """Every recorded opening, oldest first; of earlier versions the one in the certificate.

    A line that cannot be read counts as an opening, too.
    """
    try:
        lines = run.openings.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _certified(run)
    return [_read(line) for line in lines if line.strip()]


def _read(line: str) -> Opening:
    try:
        entry = json.loads(line)
        return Opening(
            str(entry["opened"]), str(entry["by"]), dict(entry["options"]), str(entry["model"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return Opening("", UNREADABLE, {})


def _certified(run: RunDirectory) -> list[Opening]:
    if not run.certificate.is_file():
        return []
    certificate = Certificate.read(run)
    if certificate.test_opened is None:
        return []
    return [Opening(certificate.test_opened, BY_RUN, {}, certificate.files.h5.sha256)]


def _append(path: Path, text: str) -> None:
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        # What a kill left of a line stays a line of its own.
        text = "\n" + text
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
