"""The stages of a run: their order, their names in files, and the value each one optimises."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["minimize", "maximize"]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a run; as text, its name.

    Attributes:
        name: Name in studies, folders and files.
        title: Heading on pages.
        builds_detectors: Whether its trials are detectors, which share one ranking.
        direction: Direction in which the value of a trial improves.
        value_name: Name of that value in printed lines.
        value_title: Name of that value in plots.
    """

    name: str
    title: str
    builds_detectors: bool = True
    direction: Direction = "maximize"
    value_name: str = "score"
    value_title: str = "validation score"

    def __str__(self) -> str:
        return self.name

    def is_better(self, value: float, other: float) -> bool:
        """Return whether the first of two values of this stage is the better one."""
        return value > other if self.direction == "maximize" else value < other


ARCHITECTURE = Stage("architecture", "Architecture")
GAN = Stage("gan", "GAN", False, "minimize", "KID", "kernel distance (KID)")
TRAINING = Stage("training", "Training")
FINISH = Stage("finish", "Finish")
"""The last stage. It has no study and no trials, and exports the best detector."""

SEARCH_STAGES = (ARCHITECTURE, GAN, TRAINING)
"""Stages with a study, in their usual order."""

DETECTOR_STAGES = tuple(stage for stage in SEARCH_STAGES if stage.builds_detectors)

STAGE_OF: Mapping[str, Stage] = {stage.name: stage for stage in SEARCH_STAGES}
"""Stages with a study by name."""
