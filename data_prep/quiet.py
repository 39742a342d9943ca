"""Suppression of libraries' messages on standard error, which are not for users."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard the output of C libraries on standard error; exceptions are raised all the same.

    The C++ side of TensorFlow writes before any log level applies, and no environment variable
    stops it. A process without standard error, such as a daemon, has nothing to discard.
    """
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
