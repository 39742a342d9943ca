"""Remarks on the samples of a run before it starts."""

from __future__ import annotations

import math

import numpy as np

from data_prep.store.format import FAKE, REAL
from data_prep.store.store import Store
from data_prep.text import enumerate_first
from search.config.feasible import methods_of
from search.config.names import LEAVING_OUT, OBJECTIVES
from search.config.run_config import RunConfig
from search.samples.samples import training_samples
from search.studies import warm_start
from search.training.plugin_objectives import plugin_value
from spaces.training.names import BATCH_SIZES, PAIRWISE

_FEW_PEOPLE = 100


def remarks(config: RunConfig, store: Store) -> list[str]:
    """Return remarks on settings that this store cannot fully serve, one line each.

    Args:
        config: Run configuration.
        store: Store of the run, with both labels in training and validation.

    Raises:
        UserError: The objective or a warm start lacks data.
    """
    lines = [_describe_people(store), *_describe_budgets(config)]
    lines += warm_start.describe_warm_start(config)
    _try_objective(config, store)
    if config.objective in LEAVING_OUT:
        lines.append(f"left out of training in turn: {enumerate_first(methods_of(store))}")
    pinned = config.training.pinned
    makes_fakes = pinned.get("pseudo_fakes") != 0
    methods = np.unique(store.methods[store.rows("train", FAKE)])
    if len(methods) == 1:
        lines.append(
            f"all training fakes are {methods[0]}: other methods are learned from "
            + ("pseudo-fakes alone" if makes_fakes else "nothing; set training.pseudo_fakes")
        )
    splits = {"train": makes_fakes, "val": config.objective == "generalisation"}
    if any(splits.values()):
        rows = np.concatenate([store.rows(name, REAL) for name, on in splits.items() if on])
        lacking = int(np.isnan(store.clip_field("landmarks")[rows]).all(axis=(1, 2, 3)).sum())
        if lacking:
            lines.append(
                f"{lacking} of {len(rows)} real clips have no landmarks: their pseudo-fakes are "
                "blended in an oval at the usual position of a face"
            )
    if pinned.get("loss") == PAIRWISE and not makes_fakes:
        samples = training_samples(store)
        fakes = samples.sources[samples.labels == FAKE]
        if not np.isin(fakes, samples.sources[samples.labels == REAL]).any():
            lines.append(
                "no training fake names the clip it was made from, so the pairwise loss is "
                "cross-entropy alone; set training.pseudo_fakes"
            )
    return lines


def _describe_people(store: Store) -> str:
    """Return a line about the people of training and validation, and what few of them mean."""
    rows = {split: store.rows(split, REAL) for split in ("train", "val")}
    people = {split: len(np.unique(store.groups[ours])) for split, ours in rows.items()}
    material = len(np.unique(store.groups[store.real_only_rows("train")]))
    text = f"real people: {people['train']} in training"
    text += f", {material} more in real-only clips" if material else ""
    text += f", {people['val']} in validation"
    if people["train"] + material < _FEW_PEOPLE:
        text += (
            "; a detector of so few learns them by heart: add real faces of others, role real-only"
        )
    return text


def _describe_budgets(config: RunConfig) -> list[str]:
    """Return one line for each detector stage: trials, samples and steps."""
    first, later = config.architecture, config.training
    lines = [_budget("architecture", first.trials, first.samples, first.batch_size)]
    if later.trials:
        lines.append(_budget("training", later.trials, later.max_samples, *BATCH_SIZES))
    return lines


def _budget(stage: str, trials: int, samples: int, *batch_sizes: int) -> str:
    few, many = (math.ceil(samples / pick(batch_sizes)) for pick in (max, min))
    steps = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    return f"{stage}, {trials} trial(s): each at most {samples:,} samples, {steps} steps"


def _try_objective(config: RunConfig, store: Store) -> None:
    """Ask an objective of another package about validation, before any trial is spent on it."""
    if config.objective in OBJECTIVES:
        return
    rows = store.rows("val")
    undecided = np.full(len(rows), 0.5)
    plugin_value(config.objective, store.labels[rows], store.methods[rows], undecided)
