from __future__ import annotations

from typing import Any

import pytest

from bench.suite import sections
from bench.suite.sections import build_section

PREPARATION = {
    "rows": [
        {
            "what": "prepare / decode, ffpp (16 videos)",
            "value": None,
            "unit": "",
            "wall": 0.81,
            "cpu": 0.892,
            "wanted": ">= 0.70",
            "note": "",
        },
        {
            "what": "  without paired crops",
            "value": None,
            "wall": 0.6,
            "cpu": 0.7,
            "wanted": ">= 0.70",
            "note": "",
        },
        {"what": "  prepare, 1,000 videos", "value": 0.3, "wall": None, "cpu": None},
        {
            "what": "walk / seek, ffpp",
            "value": None,
            "wall": 4.1,
            "cpu": 4.7,
            "wanted": "",
            "note": "seeking finds 94% of the frames asked for",
        },
    ]
}


def make_search(engine: str, ratio: float | None, **values: Any) -> dict[str, Any]:
    plain = {"trials": 4, "auc": 0.75, "peak": 2e9, "notes": []}
    return {"engine": engine, "ratio": ratio, **plain, **values}


def make_case(**others: Any) -> dict[str, Any]:
    sizes = {"backbone": "resnet50", "clips": 100, "frames": 8, "side": 112, "epochs": 10}
    ours = make_search("dfsearch", 1.0, trials=40, peak=1e9)
    found = [ours, make_search("keras_tuner", 14.2), make_search("autokeras", None, **others)]
    return {"case": sizes, "minutes": 2.5, "searches": found}


SEARCH = {
    "manner": "SYNTHETIC clips; random draws",
    "frozen": make_case(trials=0, auc=None, notes=["3 of 3 trials failed: out of memory"]),
    "overhead": {
        "case": make_case()["case"] | {"backbone": "small_cnn"},
        "overhead": 0.25,
        "rounds": 2,
    },
}
PREDICTION = {
    "rows": [
        {
            "video": "synthetic, 20 s",
            "frames": 16,
            "duration": 20.0,
            "decoding": 1.0,
            "judging": 4.0,
            "faces": 0.3,
            "model": 0.4,
        }
    ]
}
STORAGE = {
    "manner": "128 clips",
    "rows": [
        {"what": "memory to memory", "speed": 1.0, "bytes": None},
        {"what": "compressed with gzip 4", "speed": 0.021, "bytes": 0.74},
    ],
}


def figure(value: float, interval: list[float] | None = None) -> dict[str, Any]:
    return {"value": value, "interval": interval}


ACCURACY = [
    {
        "clips": "all people in turn, clips",
        "size": "16 real, 44 fake",
        "figures": {
            "baseline file size": {"auc": figure(0.6)},
            "baseline sharpness": {"auc": figure(0.77, [0.68, 0.98])},
            "spatial": {"auc": figure(0.73, [0.62, 0.92]), "pairs": figure(0.8)},
        },
    }
]


def test_preparation_is_shown_by_wall_and_processor_time() -> None:
    found = build_section("preparation", PREPARATION)
    assert found.rows == [
        ["prepare / decode", "ffpp (16 videos)", "0.81", "0.89", ">= 0.70", ""],
        [
            *("prepare / decode, without paired crops", "ffpp (16 videos)"),
            *("0.60", "0.70", ">= 0.70", ""),
        ],
        ["walk / seek", "ffpp", "4.10", "4.70", "", "seeking finds 94% of the frames asked for"],
    ]
    assert [(bar.label, bar.value) for bar in found.plot.bars] == [
        ("ffpp", 0.892),
        ("ffpp", 0.7),
        ("ffpp", 4.7),
    ]
    assert len({bar.series for bar in found.plot.bars}) == 3


def test_search_is_shown_against_each_engine_with_its_failures() -> None:
    found = build_section("search", SEARCH)
    assert found.rows[0] == [
        "resnet50 frozen, KerasTuner", "14", "40 / 4", "0.75 / 0.75", "2.00"
    ]  # fmt: skip
    assert found.rows[1][:3] == ["resnet50 frozen, AutoKeras", "-", "40 / 0"]
    assert "resnet50 frozen, autokeras: 3 of 3 trials failed: out of memory." in found.notes
    assert found.rows[2][:3] == ["small_cnn, nothing frozen, a bare `fit`", "0.80", "2 each"]
    assert [bar.series for bar in found.plot.bars] == ["against KerasTuner", "against a bare fit"]
    assert any("SYNTHETIC" in note for note in found.notes)


def test_prediction_is_shown_relative_to_playback_and_decoding() -> None:
    found = build_section("prediction", PREDICTION)
    assert found.rows == [["synthetic, 20 s, clips of 16", "5.00", "0.25", "30%", "40%"]]


def test_storage_is_shown_relative_to_memory() -> None:
    found = build_section("storage", STORAGE)
    assert found.rows == [["memory to memory", "1", ""], ["compressed with gzip 4", "0.021", "74%"]]
    assert found.plot.log


def test_accuracy_is_shown_with_intervals_and_the_best_baseline() -> None:
    found = build_section("accuracy", ACCURACY, ("spatial",))
    part = "all people in turn, clips"
    assert found.rows == [
        ["`spatial`", part, "0.73 [0.62, 0.92]", "0.80"],
        ["`baseline sharpness`", part, "0.77 [0.68, 0.98]", "-"],
    ]
    assert found.plot.bars[0].interval == (0.62, 0.92)
    assert found.missing == ""


def test_detectors_that_were_not_trained_in_time_are_named() -> None:
    found = build_section("accuracy", ACCURACY, ("spatial", "no-pseudo-fakes"))
    assert found.missing.startswith("no-pseudo-fakes: not trained within the time limit")


@pytest.mark.parametrize(
    ("name", "output"),
    [("storage", {}), ("storage", []), ("search", {"manner": ""}), ("accuracy", {"clips": 1})],
)
def test_output_of_another_format_is_an_error(name: str, output: Any) -> None:
    with pytest.raises(sections.UnreadableError, match="cannot be read"):
        build_section(name, output)


def test_output_without_figures_is_an_error() -> None:
    with pytest.raises(sections.UnreadableError, match="its output has no figures"):
        build_section("preparation", {"rows": []})
