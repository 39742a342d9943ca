"""The mark of most memory rises with what is held, and is set back for the next trial."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from search.trials import peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is that of Linux")
def test_the_mark_stays_when_memory_is_given_back_and_is_set_back() -> None:
    if not peak_memory.reset_peak():
        pytest.skip("this system does not let a process set its mark back")
    before = peak_memory.peak_megabytes()
    held = np.ones(25_000_000)
    del held
    highest = peak_memory.peak_megabytes()
    assert before is not None
    assert highest is not None
    assert highest - before == pytest.approx(200, abs=60)
    peak_memory.reset_peak()
    after = peak_memory.peak_megabytes()
    assert after is not None
    assert after < highest - 100


def test_a_system_that_keeps_no_mark_tells_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peak_memory, "_SELF", tmp_path / "none")
    assert not peak_memory.reset_peak()
    assert peak_memory.peak_megabytes() is None
    monkeypatch.setattr(peak_memory, "_SELF", tmp_path)
    (tmp_path / "status").write_text("Name:\tpython\n")
    assert peak_memory.peak_megabytes() is None
