"""Record of every time that the test split of a run was opened.

A test figure is unbiased only if the detector was not selected on the test split. Repeated tests
with changes in between are such a selection. So every opening is recorded before the first clip is
read.
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
from data_prep.files import parse_json, read_bytes, read_text

BY_RUN, BY_EVALUATE = "run", "evaluate"
UNREADABLE = "unreadable line"


@dataclasses.dataclass(frozen=True)
class Opening:
    """One scoring of test clips.

    Attributes:
        opened: Time, ISO 8601; empty if unknown.
        by: ``run`` at the end of the run, or ``evaluate``.
        options: Options other than the defaults.
        model: SHA-256 of the ``best_model.h5`` that was tested; empty if unknown.
    """

    opened: str
    by: str
    options: dict[str, Any]
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def now() -> str:
    """Return the current time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def record(run: RunDirectory, by: str, options: dict[str, Any], model: str) -> bool:
    """Append a line for an opening that is about to happen.

    The line is written in one piece, so that two commands at once lose none.

    Returns:
        Whether it could be written; a folder may be read-only.

    Raises:
        UserError: The record is a link out of the run.
    """
    run.check_links(run.openings)
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
    """Return every recorded opening, oldest first.

    Runs of earlier versions have one, in the certificate. An unreadable line counts as an opening.
    """
    try:
        lines = read_text(run.openings, errors="replace").splitlines()
    except OSError:
        return _certified(run)
    return [_read(line) for line in lines if line.strip()]


def _read(line: str) -> Opening:
    try:
        entry = parse_json(line)
        return Opening(
            str(entry["opened"]), str(entry["by"]), dict(entry["options"]), str(entry["model"])
        )
    except (ValueError, KeyError, TypeError):
        return Opening("", UNREADABLE, {})


def _certified(run: RunDirectory) -> list[Opening]:
    if not run.certificate.is_file():
        return []
    certificate = Certificate.read(run)
    if certificate.test_opened is None:
        return []
    return [Opening(certificate.test_opened, BY_RUN, {}, certificate.files.h5.sha256)]


def _append(path: Path, text: str) -> None:
    if path.exists() and not read_bytes(path).endswith(b"\n"):
        # A line cut off by a kill stays a line of its own.
        text = "\n" + text
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
