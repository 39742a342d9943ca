"""What a model was put to is shown as it was measured, and what is damaged says so."""

from __future__ import annotations

from typing import Any

import pytest

from artifacts.evaluation.openings import Opening
from artifacts.report.checks import matched_part, openings_part, robustness_part, untrained_part
from artifacts.report.parts import Facts, Figure, Items, Missing, Table
from artifacts.report.streams import stream_parts


def _condition(name: str, auc: float, drop: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "description": f"{name} in words",
        "auc": auc,
        "auc_drop": drop,
    }
    row |= {"recall": 0.5, "false_alarm_rate": None}
    return (
        row
        | {f"{figure}_ci": None for figure in ("auc", "auc_drop", "recall")}
        | {
            "false_alarm_rate_ci": None,
            "auc_ci": [0.4, 0.9],
        }
    )


def test_the_grid_has_a_row_a_condition() -> None:
    grid = [_condition("clean", 0.8, None), _condition("blur", 0.6, 0.2)]
    part = robustness_part({"conditions": grid, "videos": 24, "split": "test"})
    assert isinstance(part, Table)
    assert [[cell.text for cell in row.cells] for row in part.rows] == [
        ["clean in words", "0.800 [0.400, 0.900]", "", "0.500", ""],
        ["blur in words", "0.600 [0.400, 0.900]", "0.200", "0.500", ""],
    ]
    assert "24 videos of the test split" in part.caption


@pytest.mark.parametrize(
    ("alone", "sentence"),
    [
        (0.52, ", which alone then has an AUC of 0.520. "),
        (0.0, " has an AUC of 0.000. "),
        (None, ". "),
    ],
)
def test_matched_pairs_stand_beside_the_clips_as_they_are(
    alone: float | None, sentence: str
) -> None:
    found: dict[str, Any] = {"pairs": 12, "quantity": "sharpness", "quantity_auc": alone}
    for figure, value in (("auc", 0.7), ("pair_ranking", 0.6)):
        found |= {figure: value, f"{figure}_ci": [0.5, 0.8], f"{figure}_as_they_are": 0.9}
        found |= {f"{figure}_gain": value - 0.9, f"{figure}_gain_ci": None}
    part = matched_part(found)
    assert isinstance(part, Table)
    assert [cell.text for cell in part.rows[0].cells] == [
        *("AUC", "0.700 [0.500, 0.800]", "0.900", "-0.200")
    ]
    caption = part.caption.partition("made equal in sharpness")[2]
    assert f"{sentence}The rest of the score" in caption
    assert ("AUC" in caption) == (alone is not None)


def test_the_best_without_training_stands_beside_the_model() -> None:
    found = {
        "name": "crop_size",
        "auc": 0.7,
        "auc_ci": [0.6, 0.8],
        "margin": -0.1,
        "margin_ci": None,
    }
    part = untrained_part(found | {"pairs": 0, "pair_ranking": None})
    assert isinstance(part, Facts)
    assert part.pairs[0] == ("AUC of crop size", "0.700 [0.600, 0.800]")
    assert part.pairs[1] == ("AUC of the model above that", "-0.100")


@pytest.mark.parametrize("show", [robustness_part, matched_part, untrained_part])
@pytest.mark.parametrize("found", [None, {}, {"conditions": 3}, {"name": None, "pairs": "many"}])
def test_what_is_missing_or_damaged_says_so(show: Any, found: Any) -> None:
    part = show(found)
    assert isinstance(part, Missing)
    assert ("dfsearch evaluate" in part.why) and part.why.endswith(".")


def test_openings_are_counted_and_listed() -> None:
    part = openings_part([Opening("2026-01-01", "run", {}), Opening("", "evaluate", {"mirror": 1})])
    assert isinstance(part, Items)
    assert part.texts == (
        "The test split was opened 2 times.",
        "2026-01-01 by run",
        "at a time that is not known by evaluate (mirror 1)",
    )
    assert isinstance(openings_part([]), Missing)
    many = openings_part([Opening(f"time {number}", "run", {}) for number in range(10_000)])
    assert isinstance(many, Items)
    assert (len(many.texts), many.texts[-1]) == (12, "time 9999 by run")


def _stream(name: str, loss: float) -> dict[str, Any]:
    row = {"stream": name, "loss": loss, "loss_interval": [loss - 0.1, loss + 0.2]}
    return row | {"auc_without": 0.9 - loss, "weight_real": 0.5, "weight_fake": 0.5}


def test_what_streams_are_worth_is_drawn_with_its_intervals() -> None:
    streams = [_stream("noise_residual", 0.3), _stream("spatial", -0.02)]
    found = {"streams": streams, "clips": 24, "auc": 0.9, "fusion": "gated"}
    _, figure, table = stream_parts(found)
    assert isinstance(figure, Figure)
    (bars,) = figure.figure.data
    assert (list(bars.y), list(bars.x)) == (["noise residual", "spatial"], [0.3, -0.02])
    assert list(bars.error_x.array) == pytest.approx([0.2, 0.2])
    assert list(bars.error_x.arrayminus) == pytest.approx([0.1, 0.1])
    assert isinstance(table, Table)
    assert table.rows[0].cells[1].text == "0.300 [0.200, 0.500]"


@pytest.mark.parametrize("found", [{}, {"streams": [{}, {}], "clips": 1}, {"streams": 5}])
def test_damaged_streams_say_so(found: dict[str, Any]) -> None:
    (part,) = stream_parts(found)
    assert isinstance(part, Missing)
    assert "streams.json is damaged" in part.why


def test_a_single_stream_has_nothing_to_be_compared_with() -> None:
    (part,) = stream_parts({"streams": [_stream("spatial", 0.1)]})
    assert isinstance(part, Missing)
    assert part.why == "the detector has spatial alone: there is nothing to compare."
