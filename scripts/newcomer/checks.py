"""Checks after a command: files, printed words and values that README.md promises."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import readme
from place import FailedError

Check = Callable[[Path, str], None]
"""Called with the checkout and the output of the command; raises FailedError."""

RUN = Path("runs/demo")


def left(*names: str) -> Check:
    """Check that files and folders exist and are not empty."""

    def check(checkout: Path, printed: str) -> None:
        for name in names:
            path = checkout / name
            if not (any(path.iterdir()) if path.is_dir() else _size(path)):
                raise FailedError(f"{name} is missing or empty")

    return check


def shows(*patterns: str) -> Check:
    """Check that the output matches every pattern, ignoring case and line ends."""

    def check(checkout: Path, printed: str) -> None:
        text = " ".join(printed.split())
        for pattern in patterns:
            if not re.search(pattern, text, re.IGNORECASE):
                raise FailedError(f"the output does not match {pattern!r}")

    return check


def nothing_downloaded(checkout: Path, printed: str) -> None:
    """Check that Keras has downloaded no weights."""
    models = checkout.parent / "home" / ".keras" / "models"
    if models.exists():
        raise FailedError(f"{models} was downloaded")


def a_run_leaves(checkout: Path, printed: str) -> None:
    """Check every file and folder of the table in README.md."""
    names = readme.files_of_a_run(_readme(checkout))
    if not names:
        raise FailedError("README.md has no table of the files a run leaves")
    left(*(str(RUN / name) for name in names))(checkout, printed)


def certified(checkout: Path, printed: str) -> None:
    """Check that the certificate has the content that README.md lists."""
    found = json.loads((checkout / RUN / "best_model.json").read_text(encoding="utf-8"))
    text = json.dumps(found)
    for word in ("threshold", "sha256", "versions", "auc_ci"):
        if word not in text:
            raise FailedError(f"best_model.json has no {word}")


def every_trial(checkout: Path, printed: str) -> None:
    """Check that ``board.json`` has all trials, intervals, and rows of baselines."""
    rows = json.loads((checkout / "board.json").read_text(encoding="utf-8"))
    with (checkout / RUN / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        filed = list(csv.DictReader(file))
    if len(rows) != len(filed) or len(rows) < 4:
        raise FailedError(f"{len(rows)} rows, leaderboard.csv has {len(filed)}")
    if not any(row["stage"] == "untrained" for row in rows):
        raise FailedError("no row of a baseline")
    if not any(row["rank"] == 1 and row["val_auc_ci"] for row in rows):
        raise FailedError("the best trial has no interval")


def a_line_of_json_each(count: int) -> Check:
    """Check the number of JSON lines, each an object with a verdict."""

    def check(checkout: Path, printed: str) -> None:
        lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        if len(lines) != count or not all("verdict" in line for line in lines):
            raise FailedError(f"{len(lines)} lines with a verdict, {count} expected")

    return check


def offline_page(checkout: Path, printed: str) -> None:
    """Check that the report loads nothing and marks SYNTHETIC data."""
    page = (checkout / RUN / "report.html").read_text(encoding="utf-8")
    outside = re.search(r"<(?:script|link|img)\b[^>]*\b(?:src|href)=[\"']?https?:", page)
    if outside or "SYNTHETIC" not in page:
        raise FailedError("report.html loads a resource or does not mark the data as SYNTHETIC")


def exported(checkout: Path, printed: str) -> None:
    """Check that every format of README.md was exported without error."""
    for name in ("Keras", "HDF5", "ONNX", "LiteRT", "SavedModel", "OpenVINO"):
        if name not in _readme(checkout):
            raise FailedError(f"README.md does not name {name}; update scripts/newcomer/checks.py")
    rows = json.loads((checkout / RUN / "exports/exports.json").read_text(encoding="utf-8"))["rows"]
    formats = {row["format"] for row in rows if not row["error"]}
    if formats != {"keras", "h5", "onnx", "litert", "saved_model", "openvino"}:
        raise FailedError(f"exported without error: {', '.join(sorted(formats)) or 'nothing'}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _readme(checkout: Path) -> str:
    return (checkout / "README.md").read_text(encoding="utf-8")
