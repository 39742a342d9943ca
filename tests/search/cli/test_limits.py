"""A command whose model takes too much memory or time ends with one line and exit code 2."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from artifacts.models.inference import computing
from search.cli.app import limited_inference


def _outcome(work: Callable[[], None]) -> tuple[int, str]:
    """Do something in a copy of this process; its exit code and its standard error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 2)
        os.close(reading)
        try:
            # The output of a test goes elsewhere than that of a command.
            import sys

            sys.stderr = os.fdopen(2, "w", closefd=False)
            work()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        shown = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def _take_memory() -> None:
    with limited_inference(memory_share=0.02):
        held = [b"x" * 50_000_000 for _ in range(100)]
        time.sleep(60)
        del held


def _take_time() -> None:
    with limited_inference(batch_seconds=0.3), computing():
        time.sleep(60)


def _finish() -> None:
    with limited_inference(), computing():
        time.sleep(0.5)


def test_a_model_that_takes_too_much_memory_ends_the_command() -> None:
    code, shown = _outcome(_take_memory)
    assert code == 2
    assert re.fullmatch(r"error: the model needs more than [\d.]+ GB of memory; [^\n]+\n", shown)


def test_a_batch_that_takes_too_long_ends_the_command() -> None:
    code, shown = _outcome(_take_time)
    assert code == 2
    expected = "error: the model takes more than 0.3 s for one batch of clips; it is not used\n"
    assert shown == expected


def test_a_usual_batch_passes() -> None:
    assert _outcome(_finish) == (0, "")
