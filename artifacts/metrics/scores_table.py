"""Reading and writing of ``scores.csv``, the score of every clip."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts.metrics.per_video import ScoredClips
from data_prep.errors import UserError
from data_prep.store.store import Store
from data_prep.text import guard_cell, read_cell, read_text

_COLUMNS = ("key", "split", "label", "method", "group", "coverage", "fake_probability")
_LATER = ("quality", "codec")


def scores_csv(
    store: Store, scored: Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]
) -> str:
    """Return the table as CSV, one line a clip; probabilities keep full precision.

    Args:
        store: Store of the clips.
        scored: Rows of the store and their fake probabilities, by the name of the split.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *_LATER])
    codecs = store.media.get("codec", np.full(len(store), ""))
    for split, (rows, probabilities) in scored.items():
        for row, probability in zip(rows, probabilities, strict=True):
            writer.writerow(
                [
                    guard_cell(str(store.keys[row])),
                    split,
                    int(store.labels[row]),
                    guard_cell(str(store.methods[row])),
                    guard_cell(str(store.groups[row])),
                    f"{store.coverage[row]:.4f}",
                    repr(float(probability)),
                    guard_cell(str(store.qualities[row])),
                    guard_cell(str(codecs[row])),
                ]
            )
    return text.getvalue()


def read_scores(path: Path, split: str) -> tuple[npt.NDArray[np.str_], ScoredClips]:
    """Return the keys and scores of the clips of a split.

    Raises:
        UserError: The file is missing or damaged, or has no clip of the split.
    """
    try:
        table = csv.DictReader(io.StringIO(read_text(path), newline=""))
        lines = [line for line in table if line["split"] == split]
        labels = [int(line["label"]) for line in lines]
        probabilities = np.array([float(line["fake_probability"]) for line in lines])
        coverage = np.array([float(line["coverage"]) for line in lines])
        text = {
            name: np.array([read_cell(str(line[name])) for line in lines], np.str_)
            for name in ("key", "group", "method", *_LATER)
            if lines and lines[0].get(name) is not None
        }
        keys, groups, methods = (text[name] for name in ("key", "group", "method"))
        inside = (probabilities >= 0) & (probabilities <= 1)
        if not (inside.all() and set(labels) <= {0, 1}):
            raise ValueError("a score or a label is out of range")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; has the run finished?") from None
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path} has no scores of the {split} split: {what}") from None
    kinds = {name: text[name] for name in _LATER if name in text}
    return keys, ScoredClips(
        np.array(labels, np.uint8), probabilities, groups, methods, coverage, kinds
    )


def read_lines(path: Path, split: str) -> str:
    """Return the table of one split as CSV.

    Raises:
        UserError: The file is missing or damaged.
    """
    text = io.StringIO()
    try:
        lines = list(csv.reader(io.StringIO(read_text(path), newline="")))
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(lines[0])
        at = lines[0].index("split")
        writer.writerows(line for line in lines[1:] if line[at] == split)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; has the run finished?") from None
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    return text.getvalue()
