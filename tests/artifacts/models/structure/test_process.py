"""A function with limits refuses, ends or is ended; its caller is unharmed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from artifacts.models.refusal import RefusalError
from artifacts.models.structure import process
from artifacts.models.structure.process import SPARE_BYTES, call_limited


def _refuse() -> None:
    raise RefusalError("holds a Lambda \udcff")


def _loop() -> None:
    while True:
        pass


def _take_memory() -> None:
    held = [bytes(1 << 28) for _ in range(2 + (SPARE_BYTES >> 28))]
    raise RefusalError(f"has {len(held)} blocks, though none may have been given")


def _leave() -> None:
    os._exit(0)


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise KeyError("x")


def test_a_function_that_returns_is_accepted() -> None:
    changed: list[int] = []
    call_limited(lambda: changed.append(1), seconds=5)
    assert changed == []


def test_a_refusal_comes_through() -> None:
    with pytest.raises(RefusalError) as caught:
        call_limited(_refuse, seconds=5)
    assert caught.value.command_line == "holds a Lambda \udcff"


@pytest.mark.parametrize("call", [_loop, _take_memory, _crash, _leave, _fail])
def test_another_end_is_a_refusal_of_one_line(
    call: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RefusalError, match=r"^needs more than 1 s or 2 GB to be checked$"):
        call_limited(call, seconds=1)
    assert capfd.readouterr() == ("", "")


def test_a_function_that_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WALL_FACTOR", 1)
    started = time.monotonic()
    with pytest.raises(RefusalError, match="needs more than 1 s"):
        call_limited(signal.pause, seconds=1)
    assert time.monotonic() - started >= 1
