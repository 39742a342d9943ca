"""What must be true after a command: files, words, figures that README.md promises."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import readme
from place import FailedError

Check = Callable[[Path, str], None]
"""Given the checkout and what the command printed; raises FailedError."""

RUN = Path("runs/demo")


def left(*names: str) -> Check:
    """Files are there and not empty, and so are folders."""

    def check(checkout: Path, printed: str) -> None:
        for name in names:
            path = checkout / name
            if not (any(path.iterdir()) if path.is_dir() else _size(path)):
                raise FailedError(f"{name} is missing or empty")

    return check


def said(*patterns: str) -> Check:
    """Every regular expression is found in what was printed, case and line ends apart."""

    def check(checkout: Path, printed: str) -> None:
        text = " ".join(printed.split())
        for pattern in patterns:
            if not re.search(pattern, text, re.IGNORECASE):
                raise FailedError(f"nothing like {pattern!r} was printed")

    return check


def nothing_downloaded(checkout: Path, printed: str) -> None:
    """Keras has fetched no weights: "transfer learning needs no download"."""
    models = checkout.parent / "home" / ".keras" / "models"
    if models.exists():
        raise FailedError(f"{models} was downloaded")


def a_run_leaves(checkout: Path, printed: str) -> None:
    """Every file and folder of the table in README.md."""
    names = readme.files_of_a_run(_readme(checkout))
    if not names:
        raise FailedError("README.md has no table of the files a run leaves")
    left(*(str(RUN / name) for name in names))(checkout, printed)


def commands_add(checkout: Path, printed: str) -> None:
    """Every file and folder that README.md says report, evaluate and export add."""
    names = readme.files_added(_readme(checkout))
    if not names:
        raise FailedError("README.md does not say what report, evaluate and export add to a run")
    left(*(str(RUN / name) for name in names))(checkout, printed)


def quick_as_in_the_table(checkout: Path, printed: str) -> None:
    """The numbers of trials of the preset quick are those of README.md."""
    heads = "preset", "networks of the spatial stream", "trained on"
    stages = "architecture", "GAN", "training"
    table = readme.rows(_readme(checkout), *heads, *(f"{stage} trials" for stage in stages))
    shown = {row[0].strip("`"): list(map(int, row[-3:])) for row in table}
    config = tomllib.loads((checkout / "runs/ffpp/config.toml").read_text(encoding="utf-8"))
    real = [config[stage.lower()]["trials"] for stage in stages]
    if shown.get("quick") != real:
        raise FailedError(
            f"the preset quick has {real} trials, README.md shows {shown.get('quick')}"
        )


def certified(checkout: Path, printed: str) -> None:
    """The certificate holds what README.md says of it."""
    found = json.loads((checkout / RUN / "best_model.json").read_text(encoding="utf-8"))
    text = json.dumps(found)
    for word in ("threshold", "sha256", "versions", "auc_ci"):
        if word not in text:
            raise FailedError(f"best_model.json has no {word}")


def every_trial(checkout: Path, printed: str) -> None:
    """``board.json`` has a row a trial, intervals, and rows of scores without training."""
    rows = json.loads((checkout / "board.json").read_text(encoding="utf-8"))
    with (checkout / RUN / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        filed = list(csv.DictReader(file))
    if len(rows) != len(filed) or len(rows) < 4:
        raise FailedError(f"{len(rows)} rows, leaderboard.csv has {len(filed)}")
    if not any(row["stage"] == "untrained" for row in rows):
        raise FailedError("no row of a score without training")
    if not any(row["rank"] == 1 and row["val_auc_ci"] for row in rows):
        raise FailedError("the best trial has no interval")


def a_line_of_json_each(count: int) -> Check:
    """So many lines, each an object with a verdict."""

    def check(checkout: Path, printed: str) -> None:
        lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        if len(lines) != count or not all("verdict" in line for line in lines):
            raise FailedError(f"{len(lines)} lines with a verdict, {count} expected")

    return check


def offline_page(checkout: Path, printed: str) -> None:
    """The report is one file that names no address to load from."""
    page = (checkout / RUN / "report.html").read_text(encoding="utf-8")
    outside = re.search(r"<(?:script|link|img)\b[^>]*\b(?:src|href)=[\"']?https?:", page)
    if outside or "SYNTHETIC" not in page:
        raise FailedError(
            "report.html loads something, or does not say that the data are SYNTHETIC"
        )


def exported(checkout: Path, printed: str) -> None:
    """Every format that README.md names was written, run and found to agree."""
    for name in ("Keras", "HDF5", "ONNX", "LiteRT", "SavedModel", "OpenVINO"):
        if name not in _readme(checkout):
            raise FailedError(
                f"README.md no longer names {name}; correct scripts/newcomer/checks.py"
            )
    rows = json.loads((checkout / RUN / "exports/exports.json").read_text(encoding="utf-8"))["rows"]
    formats = {row["format"] for row in rows if not row["error"]}
    if formats != {"keras", "h5", "onnx", "litert", "saved_model", "openvino"}:
        raise FailedError(f"exported without error: {', '.join(sorted(formats)) or 'nothing'}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _readme(checkout: Path) -> str:
    return (checkout / "README.md").read_text(encoding="utf-8")
