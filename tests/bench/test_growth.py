"""Growth of time and memory: the exponent by hand, and one command measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.growth import Cost, Growth, make_store, measure
from data_prep.store.store import Store


def test_the_exponent_is_the_slope_between_the_last_two_sizes() -> None:
    costs = (Cost(10, 1.0, 1.0), Cost(100, 1.0, 1.0), Cost(1000, 100.0, 1.0))
    assert Growth("audit", "clips", costs).exponent == pytest.approx(2)
    assert Growth("audit", "clips", costs[:1]).exponent is None


def test_a_command_is_measured_on_a_store_of_noise(tmp_path: Path) -> None:
    path = make_store(tmp_path, 60)
    with Store(path) as store:
        assert (len(store), store.is_synthetic) == (60, True)
        assert {len(store.rows(split)) > 0 for split in ("train", "val", "test")} == {True}
    cost = measure(["verify", path], 60)
    assert cost.size == 60
    assert cost.seconds > 0
    assert cost.megabytes > 10
    with pytest.raises(RuntimeError, match="no store at"):
        measure(["verify", tmp_path / "none.h5"], 1)
