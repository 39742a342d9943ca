"""The guided notebook as it is kept, and executed once for all tests, on fewer people."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from filelock import FileLock
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "walkthrough.ipynb"
FEWER = "PEOPLE, EPOCHS = 24, 3"

# Told before all else is run: which files Python opens for writing, makes or renames.
WATCH = """
import os as _os
import sys as _sys

_touched = set()


def _watch(event, arguments):
    path = None
    if event == "open" and arguments[2] & (_os.O_WRONLY | _os.O_RDWR | _os.O_CREAT):
        path = arguments[0]
    elif event == "os.mkdir":
        path = arguments[0]
    elif event == "os.rename":
        path = arguments[1]
    if isinstance(path, str | _os.PathLike):
        _touched.add(_os.path.abspath(path))


_sys.addaudithook(_watch)
"""
# Asked before the store is closed: what the figures are of.
ASK = """
import json as _json

print(
    _json.dumps(
        {
            "labels": labels.tolist(),
            "scores": scores.tolist(),
            "groups": store.groups[test].tolist(),
            "people of others": sorted(groups["train"] | groups["val"]),
            "sources": sources.tolist(),
            "threshold": threshold,
            "seed": SEED,
            "quantity": store.shortcuts[beside.name][test].tolist(),
            "matched": evaluate_matched(
                detector, store, test, scores, threshold=threshold, directions=directions
            ).auc,
            "heat": [float(heat.min()), float(heat.max()), *heat.shape],
            "stream weights": [float(sum(of)) for of in zip(*counted.values())],
            "moments": moments.sum(axis=1).tolist(),
            "touched": sorted(_touched),
        }
    )
)
"""


@pytest.fixture(scope="session")
def kept() -> NotebookNode:
    """The notebook as it is in the repository."""
    return nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "walkthrough"


@pytest.fixture(scope="session")
def executed(kept: NotebookNode, place: Path) -> NotebookNode:
    """The notebook with its outputs, run once, whichever process asks first."""
    place.mkdir(exist_ok=True)
    path = place / "executed.ipynb"
    with FileLock(place / "lock"):
        if not path.exists():
            nbformat.write(_run(kept, place), path)
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def _run(kept: NotebookNode, place: Path) -> NotebookNode:
    notebook = nbformat.from_dict(kept)
    _cell(notebook, "parameters").source += f"\n{FEWER}"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(WATCH, id="watch"))
    closing = notebook.cells.index(_cell(notebook, "closing"))
    notebook.cells.insert(closing, nbformat.v4.new_code_cell(ASK, id="ask"))
    for name in ("home", "temporary", "empty"):
        (place / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(place / "home"))
        patch.setenv("TMPDIR", str(place / "temporary"))
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
            patch.setenv(name, str(place / "home" / name))
        where = {"metadata": {"path": str(place / "empty")}}
        client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where)
        return client.execute()


def _cell(notebook: NotebookNode, name: str) -> NotebookNode:
    (cell,) = (cell for cell in notebook.cells if cell.id == name)
    return cell


@pytest.fixture(scope="session")
def answers(executed: NotebookNode) -> dict[str, Any]:
    """What the kernel had in the end."""
    (told,) = _cell(executed, "ask").outputs
    return json.loads(told.text)
