"""Public interface: prepare stores, search detectors, judge videos.

Everything is imported when it is first used. TensorFlow is imported by what opens a model:
:class:`Detector`, and :meth:`Run.evaluate`, :meth:`Run.export` and :meth:`Run.report`. A search
itself imports it in its worker processes only.

Nothing here prints or ends the process. Progress and notes go to the logger ``dfsearch``, which
is silent until logging is set up. Every error that a user can cause is a :class:`DfsearchError`
with a message of one line.

Example:
    >>> import dfsearch
    >>> detector = dfsearch.Run("runs/ffpp").detector()
    >>> detector.judge("video.mp4").label in ("real", "fake", "undecided")
    True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_prep.errors import DfsearchError
    from dfsearch.catalogue import DataSet, check_dataset, datasets
    from dfsearch.detectors import Detector, NoVerdict, Verdict
    from dfsearch.runs import Assessment, Run, compare
    from dfsearch.searches import RunConfig, search
    from dfsearch.stores import (
        Audit,
        PreparationSummary,
        Store,
        audit,
        merge,
        prepare,
        pseudo_fakes,
        synthesize,
        verify,
    )

    __version__: str

__all__ = [
    "Assessment",
    "Audit",
    "DataSet",
    "Detector",
    "DfsearchError",
    "NoVerdict",
    "PreparationSummary",
    "Run",
    "RunConfig",
    "Store",
    "Verdict",
    "__version__",
    "audit",
    "check_dataset",
    "compare",
    "datasets",
    "merge",
    "prepare",
    "pseudo_fakes",
    "search",
    "synthesize",
    "verify",
]

_MODULES = {
    "data_prep.errors": ("DfsearchError",),
    "dfsearch.catalogue": ("DataSet", "check_dataset", "datasets"),
    "dfsearch.detectors": ("Detector", "NoVerdict", "Verdict"),
    "dfsearch.runs": ("Assessment", "Run", "compare"),
    "dfsearch.searches": ("RunConfig", "search"),
    "dfsearch.stores": (
        *("Audit", "PreparationSummary", "Store"),
        *("audit", "merge", "prepare", "pseudo_fakes", "synthesize", "verify"),
    ),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("deepfake-model-search")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
