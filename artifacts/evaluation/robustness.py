"""Robustness to common degradations.

Videos in use are uploaded, forwarded or filmed at night, unlike those in training. Every clip is
degraded in one known way and scored again by the same model at the same threshold. The result is
compared with the clean clip.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from artifacts.metrics.bounds import apply_bounds
from artifacts.metrics.measures import Measure
from artifacts.metrics.per_video import ScoredClips
from artifacts.models.inference import BATCH, read_inputs, score_arrays
from data_prep.bootstrap import Interval, batch_intervals
from data_prep.store.store import Store
from data_prep.video import degradation as steps
from data_prep.video.flow import flow_and_strain
from data_prep.video.grey import with_grey

Frames = npt.NDArray[np.uint8]
Change = Callable[[Frames, np.random.Generator], Frames]

CLEAN = "clean"
BLUR, NOISE = 0.012, 8.0
# A quarter of the light, as pictures encode it.
DARK = 0.25 ** (1 / 2.2)
_AUC_DROP = "auc_drop"
_FIGURES = ("auc", "recall", "false_alarm_rate")


@dataclasses.dataclass(frozen=True)
class Condition:
    """One degradation.

    Attributes:
        name: Name in tables and files.
        description: Name in words.
        change: Function from RGB frames, uint8 (T, S, S, 3), to such frames.
    """

    name: str
    description: str
    change: Change


def _h264(frames: Frames, _: np.random.Generator, *, rate_factor: float) -> Frames:
    """Encode with x264 defaults; an odd side gets its last row and column repeated."""
    size = frames.shape[1]
    odd = ((0, 0), (0, size % 2), (0, size % 2), (0, 0))
    even = np.pad(frames, odd, mode="edge")
    return steps.h264(even, rate_factor, preset="medium", tune="")[:, :size, :size]


def _jpeg(frames: Frames, _: np.random.Generator) -> Frames:
    return steps.jpeg(frames, 60)


def _blur(frames: Frames, _: np.random.Generator) -> Frames:
    return steps.soften(frames, BLUR * frames.shape[1])


def _noise(frames: Frames, rng: np.random.Generator) -> Frames:
    noisy = frames + NOISE * rng.standard_normal(frames.shape, np.float32)
    return np.asarray(np.rint(noisy).clip(0, 255), np.uint8)


def _half(frames: Frames, _: np.random.Generator) -> Frames:
    size = frames.shape[1]
    small = steps.resize(frames, max(1, size // 2), cv2.INTER_AREA)
    return steps.resize(small, size, cv2.INTER_LINEAR)


def _dark(frames: Frames, _: np.random.Generator) -> Frames:
    return np.asarray(np.rint(frames * np.float32(DARK)), np.uint8)


CONDITIONS = (
    Condition("h264_crf28", "H.264, CRF 28", partial(_h264, rate_factor=28)),
    Condition("h264_crf35", "H.264, CRF 35", partial(_h264, rate_factor=35)),
    Condition("jpeg_60", "JPEG, quality 60", _jpeg),
    Condition("blur", f"Gaussian blur, {100 * BLUR:.1f}% of the side", _blur),
    Condition("noise", f"noise, {NOISE:.0f} grey levels", _noise),
    Condition("half_resolution", "half the resolution and back", _half),
    Condition("dark", "a quarter of the light", _dark),
)


@dataclasses.dataclass(frozen=True)
class UnderCondition:
    """Figures of the clips in one condition, a video each.

    Attributes:
        name, description: Names of the condition; ``clean`` stands for the original clips.
        auc, recall, false_alarm_rate: The latter two at the frozen threshold; None without the
            labels they need.
        auc_ci, recall_ci, false_alarm_rate_ci: 95% CI over identity groups.
        auc_drop: AUC of the clean clips minus this AUC.
        auc_drop_ci: 95% CI of the difference, computed within each draw of people.
        bounds: As in :class:`artifacts.metrics.metrics.Evaluation`.
    """

    name: str
    description: str
    auc: float | None
    auc_ci: Interval
    auc_drop: float | None
    auc_drop_ci: Interval
    recall: float | None
    recall_ci: Interval
    false_alarm_rate: float | None
    false_alarm_rate_ci: Interval
    bounds: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def degrade(frames: Frames, condition: Condition, key: str) -> Frames:
    """Return degraded frames.

    Args:
        frames: uint8 (T, S, S, 4), red, green, blue and grey; not changed.
        condition: Degradation.
        key: Key of the clip; it seeds the noise.

    Returns:
        uint8 (T, S, S, 4), grey recomputed from colour.
    """
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    return with_grey(condition.change(steps.extract_colours(frames), rng))


def score_conditions(
    model: keras.Model,
    store: Store,
    rows: npt.NDArray[np.int64],
    conditions: tuple[Condition, ...] = CONDITIONS,
    *,
    mirror: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the fake probabilities of the rows under each condition, (n,), by its name.

    Optical flow is computed again from the degraded frames; sound is not changed.

    Args:
        model: Detector.
        store: Store of the clips.
        rows: Rows of the clips.
        conditions: Degradations.
        mirror: As in :func:`artifacts.models.inference.score_clips`.
        progress: Called with the number of clips done and the total.
    """
    found: dict[str, list[npt.NDArray[np.floating]]] = {one.name: [] for one in conditions}
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        batch = read_inputs(model, store, chosen)
        frames = batch["frames"] if "frames" in batch else store.read(chosen)
        for condition in conditions:
            changed = dict(batch)
            changed["frames"] = np.stack(
                [
                    degrade(clip, condition, str(store.keys[row]))
                    for clip, row in zip(frames, chosen, strict=True)
                ]
            )
            if "flow" in batch:
                changed["flow"] = np.stack([flow_and_strain(clip) for clip in changed["frames"]])
            found[condition.name].append(score_arrays(model, changed, mirror=mirror))
        progress(min(start + BATCH, len(rows)), len(rows))
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def robustness(
    clean: ScoredClips,
    scored: Mapping[str, npt.NDArray[np.float64]],
    threshold: float,
    conditions: tuple[Condition, ...] = CONDITIONS,
    seed: int = 0,
) -> tuple[UnderCondition, ...]:
    """Return the figures of the clean videos first, then of each condition.

    Args:
        clean: Scores of the original videos.
        scored: (N,) scores of the same videos by the name of the condition.
        threshold: Threshold frozen on validation.
        conditions: Conditions in the order of the result.
        seed: Seed of the bootstrap.
    """
    measure = Measure(clean.labels, clean.probabilities, threshold)
    grid = [_row(CLEAN, "as they are", measure, None, clean, threshold, seed)]
    for condition in conditions:
        videos = dataclasses.replace(clean, probabilities=scored[condition.name])
        changed = Measure(videos.labels, videos.probabilities, threshold)
        description = condition.name, condition.description
        grid.append(_row(*description, changed, measure, videos, threshold, seed))
    return tuple(grid)


def _row(
    name: str,
    description: str,
    measure: Measure,
    clean: Measure | None,
    videos: ScoredClips,
    threshold: float,
    seed: int,
) -> UnderCondition:
    def figures(weights: npt.NDArray[np.integer]) -> dict[str, npt.NDArray[np.float64]]:
        found = measure(weights)
        values = {figure: found[figure] for figure in _FIGURES if figure in found}
        if clean is not None and "auc" in found:
            values[_AUC_DROP] = clean(weights)["auc"] - found["auc"]
        return values

    once = np.ones((1, len(videos.labels)), np.int64)
    values = {figure: float(found[0]) for figure, found in figures(once).items()}
    drawn = batch_intervals(figures, videos.labels, videos.groups, seed)
    called = videos.probabilities >= threshold
    intervals, bounds = apply_bounds(values, drawn, videos.labels, videos.groups, called)
    cells: dict[str, Any] = {}
    for figure in (*_FIGURES, _AUC_DROP):
        cells[figure] = values.get(figure)
        cells[f"{figure}_ci"] = intervals.get(figure)
    return UnderCondition(name=name, description=description, bounds=bounds, **cells)
