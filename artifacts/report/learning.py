"""Report section of learning curves: the score of the kept trials after every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import plotly.graph_objects as go

from artifacts.histories import HISTORY, Curve, read_curves
from artifacts.report.parts import Figure, Missing, Part
from artifacts.report.search import Trials
from artifacts.run_directory import RunDirectory
from artifacts.stages import GAN, STAGE_OF

_MOST_CURVES = 12

_Histories: TypeAlias = "Mapping[tuple[str, int], Mapping[str, Curve]]"


def learning_parts(run: RunDirectory, trials: Trials | str) -> list[Part]:
    """Return the scores of the kept trials after every epoch, or of all while none is kept.

    Args:
        run: run with the folder ``trials/``.
        trials: trials of each stage, or the reason why they are missing.
    """
    if isinstance(trials, str):
        return [Missing("Learning curves", trials)]
    histories = {
        (stage, trial.number): read_curves(run.trial(stage, trial.number) / HISTORY)
        for stage in trials
        for trial in trials[stage]
    }
    histories = {key: history for key, history in histories.items() if history}
    detectors = {key: kept for key, kept in histories.items() if STAGE_OF[key[0]].builds_detectors}
    kept = {key: one for key, one in detectors.items() if _is_kept(run, *key)}
    shown = dict(list((kept or detectors).items())[:_MOST_CURVES])
    if not shown:
        return [Missing("Learning curves", "no trial has a history of its epochs yet.")]
    which = "kept trials" if kept else "trials"
    left_out = len(kept or detectors) - len(shown)
    more = f" {left_out} more are not shown." if left_out else ""
    parts: list[Part] = [
        Figure(
            f"Validation AUC of the {which} after every epoch.{more}",
            f"Validation AUC by epoch of {len(shown)} {which}: {_ends(shown, 'val_auc')}.",
            _by_epoch(shown, {"val_auc": "solid"}, "validation AUC"),
        ),
        Figure(
            "Loss on the training clips (solid) and log-loss on validation (dotted). Where the "
            "dotted line rises while the solid one falls, a trial learns its clips by heart.",
            f"Training loss and validation log-loss by epoch of {len(shown)} {which}: validation "
            f"ends at {_ends(shown, 'val_log_loss')}.",
            _by_epoch(shown, {"loss": "solid", "val_log_loss": "dot"}, "loss"),
        ),
    ]
    gans = {key: kept for key, kept in histories.items() if key[0] == GAN.name}
    if gans:
        parts.append(
            Figure(
                "Kernel distance between drawn and real faces at every report; lower is better.",
                f"Kernel distance of {len(gans)} GAN trials: {_ends(gans, 'kid')}.",
                _by_epoch(gans, {"kid": "solid"}, "KID"),
            )
        )
    return parts


def _is_kept(run: RunDirectory, stage: str, number: int) -> bool:
    return (run.trial(stage, number) / "model.keras").is_file()


def _by_epoch(histories: _Histories, columns: Mapping[str, str], name: str) -> go.Figure:
    figure = go.Figure()
    for colour, ((stage, number), history) in enumerate(histories.items()):
        for column, dash in columns.items():
            if column in history:
                figure.add_scatter(
                    x=[at for at, _ in history[column]],
                    y=[value for _, value in history[column]],
                    name=f"{stage} {number}",
                    mode="lines+markers",
                    line={"dash": dash, "color": _COLOURS[colour % len(_COLOURS)]},
                    marker={"size": 5},
                    legendgroup=f"{stage} {number}",
                    showlegend=dash == "solid",
                )
    figure.update_xaxes(title="epoch" if "kid" not in columns else "report", rangemode="tozero")
    figure.update_yaxes(title=name)
    return figure


_COLOURS = ("#2a86c8", "#c96a1b", "#1b9a78", "#b5609a", "#8a7a18", "#6d7fd6", "#808080")


def _ends(histories: _Histories, column: str) -> str:
    """Describe the last value of each history."""
    return ", ".join(
        f"{stage} {number} {history[column][-1][1]:.3f}"
        for (stage, number), history in histories.items()
        if column in history
    )
