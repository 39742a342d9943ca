"""A store of SYNTHETIC people, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution, PreparationProgress
from data_prep.preparation.prepare import prepare
from data_prep.synthetic.synthesize import finished_seed, synthesize
from search.cli.console import bars


def make_synthetic_store(path: Path, preparation: Preparation, **people: Any) -> Path:
    """Return a store of synthetic people, made if missing; the videos stay beside the store.

    Args:
        path: Store.
        preparation: Settings of the clips.
        people: Arguments of :func:`data_prep.synthetic.synthesize.synthesize`.

    Returns:
        The path.
    """
    if path.exists():
        return path
    videos = path.with_suffix("")
    with bars("drawing", "preparing", "writing") as [drawing, preparing, writing]:
        if finished_seed(videos) is None:
            synthesize(videos, jobs=-1, progress=drawing, **people)
        prepare(
            videos,
            path,
            preparation=preparation,
            execution=Execution(jobs=-1),
            progress=PreparationProgress(preparing=preparing, writing=writing),
        )
    return path
