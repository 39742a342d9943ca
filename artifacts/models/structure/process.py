"""A function called in a copy of this process, with limits of memory and time."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable

import psutil

from artifacts.models.refusal import RefusalError

# Memory beyond that of this process, which already has TensorFlow.
SPARE_BYTES = 2 << 30
# A process that waits for ever uses no processor time. On a busy machine, waiting is no fault.
WALL_FACTOR = 10
_REFUSED, _DONE = b"1", b"0"


def call_limited(call: Callable[[], None], seconds: int) -> None:
    """Call a function in a copy of this process that has limits.

    A fork needs no second import of TensorFlow. The function must not compute with TensorFlow, as
    the copy lacks the threads of this process. It can build and trace models.

    Args:
        call: Function that returns, or raises :class:`RefusalError`.
        seconds: Processor time that it may take.

    Raises:
        RefusalError: As the function raised it, or it took more memory or time.
    """
    reading, writing = os.pipe()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Newer versions of Python warn of threads, see above.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        _answer(call, seconds, reading, writing)
    os.close(writing)
    try:
        answer = _read(reading, WALL_FACTOR * seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if answer[:1] == _REFUSED:
        raise RefusalError(answer[1:].decode("utf-8", "surrogateescape"))
    if answer != _DONE:
        raise RefusalError(f"needs more than {seconds} s or {SPARE_BYTES >> 30} GB to be checked")


def _answer(call: Callable[[], None], seconds: int, reading: int, writing: int) -> None:
    """Call the function in the new process, write the answer and end."""
    code = 1
    try:
        os.close(reading)
        _limit(seconds)
        answer = _DONE
        try:
            call()
        except RefusalError as refusal:
            answer = _REFUSED + str(refusal).encode("utf-8", "surrogateescape")
        with open(writing, "wb") as file:
            file.write(answer)
        code = 0
    finally:
        # No clean-up of the parent's objects, and no flush of its buffers.
        os._exit(code)


def _limit(seconds: int) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Only Linux reports and limits the memory for data; elsewhere the limit of time remains.
    held = getattr(psutil.Process().memory_info(), "data", None)
    if held is not None:
        _lower(resource.RLIMIT_DATA, held + SPARE_BYTES)
    _lower(resource.RLIMIT_CPU, int(time.process_time()) + seconds)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, hard))


def _read(reading: int, seconds: float) -> bytes:
    """Read a pipe to its end, or for some seconds."""
    parts, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
        part = os.read(reading, 1 << 16)
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
