"""The process of the command line: variables of Python, standard streams, signals."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, TextIO

# Variables that turn warnings into errors, remove docstrings and checks, or keep the interpreter
# open after the command.
_FOREIGN = ("PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONDEVMODE")
_STREAMS = (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w"))
STDOUT = "standard output"
_FAILED, _CLOSED = 2, 1


@contextlib.contextmanager
def own_process() -> Iterator[None]:
    """Run the command line inside the block, whatever this process was started with.

    A failure to write standard output ends in one line and an exit code. Standard error shows only
    progress and messages, so a failure to write it does not end the work.

    Raises:
        SystemExit: Standard output cannot be written.
    """
    _restart_without_foreign_variables()
    _open_streams()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has all that it wanted, as with head.
        _discard_stdout()
        raise SystemExit(_CLOSED) from None
    except OSError as error:
        if error.filename != STDOUT:
            raise
        _discard_stdout()
        print(f"error: {STDOUT}: {error.strerror}", file=sys.stderr)
        raise SystemExit(_FAILED) from None


def stop_on_signals() -> None:
    """Raise KeyboardInterrupt on SIGTERM, and on SIGHUP, which a closed terminal sends.

    A shell may send SIGHUP again, which must not interrupt the clean-up. Under ``nohup`` it stays
    ignored.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) == signal.SIG_IGN:
        return

    def stop(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(hang_up, stop)


def _restart_without_foreign_variables() -> None:
    """Replace this process by one without the variables; its workers inherit the rest."""
    if os.name != "posix" or not any(os.environ.get(name) for name in _FOREIGN):
        return
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


class _Output(io.FileIO):
    """Standard output, whose errors name it."""

    def write(self, data: Any) -> Any:
        """Write bytes."""
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STDOUT
            raise


class _Messages(io.FileIO):
    """Standard error, which discards what it cannot write."""

    def write(self, data: Any) -> Any:
        """Write bytes."""
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _open_streams() -> None:
    """Open closed streams on nothing; show characters that a stream cannot encode as escapes.

    Otherwise the next file that is opened, such as a store, would take the place of a closed
    stream, and libraries would write their messages into it.
    """
    for name, number, mode in _STREAMS:
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            if nothing != number:
                os.close(nothing)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123
            # The second name keeps it open.
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    sys.stdout = _stream(sys.stdout, _Output)
    sys.stderr = _stream(sys.stderr, _Messages)


def _stream(before: TextIO, kind: type[io.FileIO]) -> TextIO:
    raw = kind(before.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding,
        errors="backslashreplace",
        line_buffering=before.isatty() or kind is _Messages,
    )


def _discard_stdout() -> None:
    """Send the rest of standard output nowhere, since Python writes it at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
