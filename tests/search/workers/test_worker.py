"""What a worker passes on must not bring TensorFlow along."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.stages import ARCHITECTURE
from data_prep.errors import UserError
from search.config.run_config import resolve
from search.workers import worker


def test_an_error_leaves_its_cause_behind(store_path: Path, tmp_path: Path) -> None:
    """Unpickling a cause from ``spaces`` would import TensorFlow where nothing needs it."""
    space = {"backbones": ["resnet50"], "weights": str(tmp_path / "none.h5")}
    config = resolve({"store": store_path, "run_dir": tmp_path / "run", "space": space})
    (tmp_path / "run").mkdir()
    with pytest.raises(UserError, match="weights of resnet50: no file") as caught:
        worker.enqueue(config, ARCHITECTURE)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_device_that_is_not_there_is_not_replaced_by_another(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = resolve({"store": store_path, "run_dir": tmp_path / "run", "device": "gpu:99"})
    with pytest.raises(UserError, match="device gpu:99: TensorFlow sees no such GPU"):
        worker.enqueue(config, ARCHITECTURE)
