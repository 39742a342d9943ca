"""A store of SYNTHETIC people, drawn and prepared once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import Execution, PreparationProgress, prepare
from data_prep.synthetic.synthesize import finished_seed, synthesize
from search.cli.console import bars


def drawn_store(path: Path, preparation: Preparation, **people: Any) -> Path:
    """Draw people and prepare their clips, unless that is done; the videos stay beside the store.

    Args:
        path: of the store.
        preparation: of the clips.
        people: who is drawn and how, as :func:`data_prep.synthetic.synthesize.synthesize` takes it.

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
