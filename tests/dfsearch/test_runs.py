"""Searches and runs from Python."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dfsearch

RUN = "runs/ffpp"


def test_a_finished_run_is_returned_as_it_is(
    here: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    certificate = (here / RUN / "best_model.json").read_bytes()
    with caplog.at_level(logging.INFO, "dfsearch"):
        run = dfsearch.search(here / "ffpp.h5", here / RUN)
    assert run.is_finished
    assert (here / RUN / "best_model.json").read_bytes() == certificate
    assert caplog.messages == [f"{here / RUN} is finished; nothing to do"]
    assert capfd.readouterr() == ("", "")


def test_a_configuration_is_a_file_or_a_value(here: Path) -> None:
    run = dfsearch.search(f"{RUN}/config.toml")
    assert run.path == here / RUN or run.path == Path(RUN)
    config = run.config
    assert isinstance(config, dfsearch.RunConfig)
    assert config.architecture.trials == 1
    assert dfsearch.search(config).path == config.run_dir
    with pytest.raises(dfsearch.DfsearchError, match="a RunConfig holds every setting"):
        dfsearch.search(config, seed=3)


def test_the_leaderboard_is_a_data_frame_where_pandas_is_installed(here: Path) -> None:
    pandas = pytest.importorskip("pandas")
    run = dfsearch.Run(RUN)
    frame = run.leaderboard(columns=["stage", "trial", "val_auc"])
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["stage", "trial", "val_auc"]
    rows = run.leaderboard(as_rows=True)
    assert len(frame) == len(rows)
    assert frame.attrs["notes"]
    assert list(run.leaderboard(where=["state=running"]).columns) == list(rows[0])


def test_the_leaderboard_is_rows_where_pandas_is_missing(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    rows = dfsearch.Run(RUN).leaderboard(sort="val_auc", top=2)
    assert isinstance(rows, list)
    assert rows[0]["val_auc"] >= rows[1]["val_auc"]


def test_the_recorded_test_is_not_scored_again(here: Path) -> None:
    before = (here / RUN / "test_openings.jsonl").read_text()
    found = dfsearch.Run(RUN).evaluate()
    assert isinstance(found, dfsearch.Assessment)
    assert found.metrics.to_json()["auc"] == dfsearch.Run(RUN).certificate.test.auc
    assert (here / RUN / "test_openings.jsonl").read_text() == before


def test_progress_and_notes_come_by_callback_and_log(
    here: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, int, int]] = []
    dfsearch.Run(RUN).evaluate(split="val", progress=lambda *step: seen.append(step))
    assert seen[-1] == ("clips", 4, 4)
    assert caplog.messages == ["the model was made with the val split of this store"]
    assert capfd.readouterr() == ("", "")


def _mistakes() -> dict[str, Callable[[], Any]]:
    return {
        "no run at there/x; start one": lambda: dfsearch.Run("there/x"),
        "no run at there; start one": lambda: dfsearch.Detector.load(Path("there")),
        "no store at nowhere.h5": lambda: dfsearch.audit("nowhere.h5"),
        "label must be real or fake; received 'both'": lambda: dfsearch.prepare(
            "videos", "new.h5", label="both"
        ),
        "size must be a whole number": lambda: dfsearch.prepare("videos", "new.h5", size=8),
        "name a run directory": lambda: dfsearch.search("ffpp.h5"),
        "sed": lambda: dfsearch.search("ffpp.h5", "runs/new", sed=1),
        "split must be": lambda: dfsearch.Run(RUN).evaluate(split="all of it"),
        "no field luck": lambda: dfsearch.Run(RUN).leaderboard(columns=["luck"]),
        "no field val_ac; did you mean val_auc": lambda: dfsearch.Run(RUN).leaderboard(
            sort="val_ac"
        ),
        "no field r; did you mean run?; rows have": lambda: dfsearch.Run(RUN).leaderboard(
            columns="r"
        ),
        "where 'x' is no condition": lambda: dfsearch.Run(RUN).leaderboard(where="x"),
        "top must be a whole number of at least 1; received -1": lambda: dfsearch.compare(
            RUN, top=-1
        ),
        "top must be a whole number of at least 1; received 0": lambda: dfsearch.Run(
            RUN
        ).leaderboard(top=0),
        "formats must be all or of": lambda: dfsearch.Run(RUN).export("coreml"),
        "a run is named twice": lambda: dfsearch.compare(RUN, RUN),
        "name at least one run": dfsearch.compare,
        "unknown cue sparkles": lambda: dfsearch.synthesize("new", cues="sparkles"),
        "seed must be a whole number from 0 to": lambda: dfsearch.audit("ffpp.h5", seed=-1),
        "jobs must be a whole number": lambda: dfsearch.synthesize("new", jobs="x"),  # type: ignore[arg-type]
        "clips must be a whole number from 1 to 200": lambda: dfsearch.pseudo_fakes(
            "ffpp.h5", "new.png", clips=0
        ),
        "port must be a whole number": lambda: dfsearch.Run(RUN).dashboard(port=-1),
        "ffpp.h5 exists; pass overwrite to replace it": lambda: dfsearch.prepare(
            "videos", "ffpp.h5"
        ),
        "landmarks468; received 'sound'": lambda: dfsearch.prepare(
            "videos", "new.h5", modalities="sound"
        ),
        "modalities must be one value or a list of them; received None": lambda: dfsearch.prepare(
            "videos",
            "new.h5",
            modalities=None,  # type: ignore[arg-type]
        ),
        "source must be one value or a list of them": lambda: dfsearch.prepare(None, "new.h5"),  # type: ignore[arg-type]
        "cues must be one value or a list of them": lambda: dfsearch.synthesize("new", cues=3),  # type: ignore[arg-type]
        "clip_timeout must be a number; received 'a'": lambda: dfsearch.prepare(
            "videos",
            "new.h5",
            clip_timeout="a",  # type: ignore[arg-type]
        ),
        "a merge needs at least two stores": lambda: dfsearch.merge("ffpp.h5", "new.h5"),
        "precisions int4: no chosen format can": lambda: dfsearch.Run(RUN).export(
            precisions="int4"
        ),
        "error_rate must be a number; received 'a'": lambda: dfsearch.Run(RUN).detector(
            error_rate="a"
        ),
        "script.py is in no run; name a run": lambda: dfsearch.Detector.load("script.py"),
        "a path must not be empty": lambda: dfsearch.Run(""),
        "columns must be one value or a list of them": lambda: dfsearch.compare(RUN, columns=3),  # type: ignore[arg-type]
        "paths must be one value or a list of them": lambda: list(
            dfsearch.Run(RUN).predict(None)  # type: ignore[arg-type]
        ),
        "split must be train, val or test; received 'vall'": lambda: dfsearch.Store("ffpp.h5").rows(
            "vall"
        ),
        "ffpp.h5 has no flow; it has frames": lambda: dfsearch.Store("ffpp.h5").read([0], "flow"),
        "picture=PNG": lambda: dfsearch.pseudo_fakes("ffpp.h5", "no/new.png", clips=1),
        "store is missing; run_dir is missing": dfsearch.RunConfig,
        "videos, a folder without": lambda: dfsearch.audit("videos"),
        "script.py is not an HDF5 file, so it is no store": lambda: dfsearch.audit("script.py"),
        "(a run is a folder with config.toml and run.json); there are runs at runs/": lambda: (
            dfsearch.Run("runs")
        ),
        "no run at runs/fpp; there are runs at runs/": lambda: dfsearch.Run("runs/fpp"),
        "there are runs at runs/ffpp": lambda: dfsearch.Run(f"{RUN}/trials"),
    }


@pytest.mark.parametrize("message", _mistakes())
def test_a_mistake_is_an_error_of_one_line(
    here: Path, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.rglob("*"))
    with pytest.raises(dfsearch.DfsearchError) as raised:
        _mistakes()[message]()
    (line,) = str(raised.value).splitlines()
    assert message in line
    assert sorted(here.rglob("*")) == before
    assert capfd.readouterr() == ("", "")
