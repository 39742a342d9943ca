"""The main job on real videos, where ``DFSEARCH_REAL_DATA`` names a folder of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.store.store import Store

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]

SMALL = ("--frames", 8, "--size", 112, "--jobs", 2)


@pytest.mark.slow
def test_face_forensics_goes_from_videos_to_a_verdict(
    real_data: Path,
    write_config: Callable[..., Path],
    dfsearch: Dfsearch,
    in_process: Dfsearch,
    tmp_path: Path,
) -> None:
    store = tmp_path / "ffpp.h5"
    prepared = in_process("prepare", real_data / "ffpp", store, *SMALL, "--json")
    assert prepared.returncode == 0, prepared.stderr
    summary = json.loads(prepared.stdout)
    assert (summary["videos"], summary["clips"], summary["quarantined"]) == (16, 16, [])
    assert summary["coverage"] >= 0.98
    with Store(store) as opened:
        split_of = {
            key.rsplit("/", 1)[1][:3]: split
            for key, split in zip(opened.keys, opened.splits, strict=True)
        }
    assert {split_of["000"], split_of["003"]} == {"test"}
    assert split_of["004"] == "val"

    config = write_config(tmp_path, store=store, architecture=1, gan=0, training=0)
    searched = dfsearch("run", config)
    assert searched.returncode == 0, searched.stderr
    evaluation = json.loads(in_process("evaluate", tmp_path / "run", "--json").stdout)
    assert (evaluation["videos"], evaluation["synthetic"]) == (4, False)
    video = next((real_data / "ffpp").glob("manipulated_sequences/*/*/videos/*.mp4"))
    verdict = json.loads(in_process("predict", tmp_path / "run", video, "--json").stdout)
    assert verdict["path"] == str(video)
    assert verdict["verdict"] in ("real", "fake", "undecided")
    assert verdict["coverage"] >= 0.9
