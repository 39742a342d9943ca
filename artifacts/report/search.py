"""The search in a report: Optuna's own plots of the trials, and score against cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import optuna
import plotly.colors
import plotly.graph_objects as go
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import FILE_MB, HYPERPARAMETERS, LATENCY_MS, PARAMS
from artifacts.report.parts import Figure, Heading, Missing, Paragraph, Part
from artifacts.stages import DETECTOR_STAGES, STAGE_OF, Direction, Stage
from data_prep.text import enumerate_first

Trials: TypeAlias = "Mapping[str, Sequence[FrozenTrial]]"

optuna.logging.set_verbosity(optuna.logging.WARNING)

_FEWEST = 2
_MOST_AXES, _MOST_BARS = 7, 10
# Each line is a trace of its own; more of them take hundreds of megabytes and cover each other.
_MOST_LINES = 200
# From worse to better, each visible on white and on black.
_WORSE, _BETTER = "rgb(201, 106, 27)", "rgb(42, 134, 200)"
_SHORTER = {
    "detector/": "",
    "fake_probability/": "head/",
    "micro_expression": "micro",
    "noise_residual": "noise",
}
_COSTS = {LATENCY_MS: "milliseconds a clip", FILE_MB: "file, MB", PARAMS: "parameters"}


def search_parts(trials: Trials | str) -> list[Part]:
    """Return history, importances and parallel coordinates of every stage, and the cost of score.

    Args:
        trials: trials of each stage, or the reason why they are missing.
    """
    if isinstance(trials, str):
        return [Missing("Search history", trials)]
    if not any(trials.values()):
        return [Missing("Search history", "no trial has begun yet.")]
    parts: list[Part] = []
    for name, ours in trials.items():
        stage = STAGE_OF[name]
        parts += [Heading(stage.title), Paragraph(_states(ours))]
        parts += _stage_parts(stage, ours)
    return [*parts, Heading("Score and cost"), _front(trials)]


def _stage_parts(stage: Stage, trials: Sequence[FrozenTrial]) -> list[Part]:
    study = history_parts(stage, trials)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        return [Missing("History", "no trial of this stage is complete yet.")]
    aim = stage.value_title
    values = [trial.values[0] for trial in complete]
    best = max(values) if stage.direction == "maximize" else min(values)

    def draw() -> go.Figure:
        target = None if len(study.directions) == 1 else _first
        figure = optuna.visualization.plot_optimization_history(
            study, target=target, target_name=aim
        )
        figure.update_xaxes(dtick=max(1, len(trials) // 10), title="trial")
        return figure

    history = _drawn(
        "History",
        draw,
        f"Every complete trial by its number, and the best {aim} so far.",
        f"{aim} of {len(complete)} complete trials of the {stage} stage; the best is {best:.3f}.",
    )
    return [history, _importances(study, stage), _coordinates(study, stage)]


def _importances(study: optuna.Study, stage: Stage) -> Part:
    complete = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if complete < _FEWEST:
        return Missing("Hyperparameter importance", "it takes two complete trials at least.")
    ranks: dict[str, float] = {}

    def draw() -> go.Figure:
        ranks.update(optuna.importance.get_param_importances(study, target=_first))
        if not ranks:
            raise ValueError("no hyperparameter differs between all of the complete trials")
        figure = optuna.visualization.plot_param_importances(
            study, target=_first, target_name=stage.value_title
        )
        (bars,) = figure.data
        # The most important come last.
        shown = {name: bars[name][-_MOST_BARS:] for name in ("x", "y", "text")}
        figure = go.Figure(go.Bar(**shown, orientation="h", textposition="outside"))
        figure.update_xaxes(range=[0, 1.25 * shown["x"][-1]])
        return figure

    part = _drawn(
        "Hyperparameter importance",
        draw,
        f"Share of the differences between the {complete} complete trials that goes with each "
        "hyperparameter (PED-ANOVA; Watanabe et al., 2023). With few trials it is mostly chance.",
        "",
    )
    if isinstance(part, Missing):
        return part
    text = ", ".join(f"{name} {worth:.2f}" for name, worth in list(ranks.items())[:5])
    return Figure(
        part.caption,
        f"Importance of hyperparameters for {stage.value_title}, highest first: {text}.",
        part.figure,
        90 + 30 * min(len(ranks), _MOST_BARS),
    )


def _coordinates(study: optuna.Study, stage: Stage) -> Part:
    names = _differing(study)
    if not names:
        return Missing("Parallel coordinates", "no hyperparameter differs between trials.")
    ends = (_WORSE, _BETTER) if stage.direction == "maximize" else (_BETTER, _WORSE)
    shown = _best(study, _MOST_LINES)
    whole = shown is study
    lines_of = "One line a complete trial" if whole else f"The best {_MOST_LINES} complete trials"

    def draw() -> go.Figure:
        figure = optuna.visualization.plot_parallel_coordinate(
            shown, params=names, target=_first, target_name=stage.value_title
        )
        *lines, scale = figure.data
        for line in lines:
            colour = plotly.colors.sample_colorscale(list(ends), [line.y[0]])[0]
            line.update(line={"color": colour, "width": 2}, opacity=0.9)
        scale.marker.update(colorscale=[*enumerate(ends)], reversescale=False)
        figure.update_annotations(font={"color": None, "size": 11})
        figure.update_layout(plot_bgcolor=None)
        return figure

    return _drawn(
        "Parallel coordinates",
        draw,
        f"{lines_of}, from the {stage.value_title} through the choices.",
        f"Choices of {len(names)} hyperparameters by the complete trials of the {stage} stage: "
        f"{', '.join(names)}. The leaderboard has them in words.",
        height=440,
        size="wide",
    )


def _front(trials: Trials) -> Part:
    """Return the plot of score against cost: latency, else file size, else parameters."""
    found = [
        (stage, trial)
        for stage in DETECTOR_STAGES
        for trial in trials.get(stage.name, ())
        if trial.state == TrialState.COMPLETE and trial.values
    ]
    costs = (cost for cost in _COSTS if any(cost in trial.user_attrs for _, trial in found))
    cost = next(costs, None)
    if cost is None:
        return Missing("Pareto front", "no detector trial is complete yet.")
    study = optuna.create_study(directions=["maximize", "minimize"])
    names: list[str] = []
    for stage, trial in found:
        if cost in trial.user_attrs:
            value = float(trial.user_attrs[cost])
            study.add_trial(optuna.create_trial(values=[trial.values[0], value]))
            names.append(f"{stage} {trial.number}")
    front = enumerate_first(names[trial.number] for trial in study.best_trials)

    def draw() -> go.Figure:
        figure = optuna.visualization.plot_pareto_front(
            study, target_names=["validation score", _COSTS[cost]]
        )
        others, front = figure.data
        others.update(name="others", marker={"color": "#888888", "size": 7})
        front.update(name="on the front", marker={"color": _BETTER, "size": 11})
        figure.update_traces(
            hovertemplate="%{x:.3f}, %{y:,.4g}<extra></extra>",
            marker={"showscale": False},
            showlegend=True,
        )
        return figure

    return _drawn(
        "Pareto front",
        draw,
        "Complete detector trials. On the front, where nothing is both better and cheaper: "
        f"{front}.",
        f"Validation score against {_COSTS[cost]} of {len(names)} detector trials; on the Pareto "
        f"front are {front}.",
    )


def _drawn(
    what: str,
    draw: Callable[[], go.Figure],
    caption: str,
    alternative: str,
    *,
    height: int = 380,
    size: Literal["", "wide"] = "",
) -> Figure | Missing:
    """Draw a plot of Optuna's in the colours of the page, or return the reason of a failure."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = draw()
    except (ValueError, RuntimeError) as error:
        return Missing(what, f"{str(error).strip().splitlines()[0]}.".replace("..", "."))
    figure.update_layout(title=None, width=None, height=None)
    return Figure(caption, alternative, figure, height, size)


def history_parts(stage: Stage, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """Return a study in memory of the same trials, with short names of hyperparameters.

    Suggested indices become the numbers that they stand for. Values that only this project reads
    are left out.
    """
    ranges = _ranges(trials)
    values = [trial.values for trial in trials if trial.values]
    directions: list[Direction] = [stage.direction]
    directions += ["minimize"] * (len(values[0]) - 1 if values else 0)
    study = optuna.create_study(directions=directions)
    for trial in trials:
        params = _chosen(trial)
        study.add_trial(
            optuna.create_trial(
                state=trial.state if trial.state.is_finished() else TrialState.FAIL,
                values=trial.values if trial.state == TrialState.COMPLETE else None,
                params={_short(name): value for name, value in params.items()},
                distributions={_short(name): ranges[name] for name in params},
            )
        )
    return study


def _chosen(trial: FrozenTrial) -> dict[str, Any]:
    """Return the suggested values; an index becomes the number that it stands for."""
    meant = trial.user_attrs.get(HYPERPARAMETERS, {})
    return {name: meant.get(name, value) for name, value in trial.params.items()}


def _ranges(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return a range of every hyperparameter with all its values, if possible the original one."""
    values: dict[str, list[Any]] = {}
    asked: dict[str, BaseDistribution] = {}
    for trial in trials:
        asked |= trial.distributions
        for name, value in _chosen(trial).items():
            values.setdefault(name, []).append(value)
    return {name: _range(asked[name], found) for name, found in values.items()}


def _range(asked: BaseDistribution, values: Sequence[Any]) -> BaseDistribution:
    if isinstance(asked, CategoricalDistribution) or not all(map(_is_number, values)):
        return CategoricalDistribution(sorted(set(values), key=str))
    low, high = min(values), max(values)
    log = bool(getattr(asked, "log", False)) and low > 0
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(name: str) -> str:
    """Shorten a name for an axis; Optuna cuts off names of more than twenty letters."""
    for long, short in _SHORTER.items():
        name = name.replace(long, short)
    return name.replace("_", " ")


def _differing(study: optuna.Study) -> list[str]:
    """Return the hyperparameters with several values, those of most complete trials first."""
    found: dict[str, list[Any]] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        for name, value in trial.params.items():
            found.setdefault(name, []).append(value)
    several = [name for name, values in found.items() if len(set(values)) > 1]
    return sorted(several, key=lambda name: (-len(found[name]), name))[:_MOST_AXES]


def _best(study: optuna.Study, most: int) -> optuna.Study:
    """Return a study of the best complete trials alone, the study itself if it has no more."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) <= most:
        return study
    highest = study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
    ranked = sorted(complete, key=_first, reverse=highest)
    best = optuna.create_study(directions=study.directions)
    best.add_trials(ranked[:most])
    return best


def _first(trial: FrozenTrial) -> float:
    """Return the value that ranks a stage."""
    return float(trial.values[0])


def _states(trials: Sequence[FrozenTrial]) -> str:
    """Return text such as ``6 trials: 5 complete, 1 pruned.``"""
    counts: dict[str, int] = {}
    for trial in trials:
        name = trial.state.name.lower().replace("fail", "failed")
        counts[name] = counts.get(name, 0) + 1
    text = ", ".join(f"{many} {state}" for state, many in counts.items())
    return f"{len(trials)} trial{'s' if len(trials) != 1 else ''}: {text}."
