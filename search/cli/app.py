"""The parts that all verbs of the command line share."""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
import typer.core

from data_prep.errors import DfsearchError
from data_prep.text import visible
from search.cli.process import STDOUT, stop_on_signals

USAGE, INTERRUPTED = 2, 130

# Share of the memory that is available when a command begins, and time for one batch of clips; a
# usual model takes seconds.
_MEMORY_SHARE, _BATCH_SECONDS = 0.9, 900.0
_POLL_SECONDS = 0.2

RESUME = "to resume, repeat the command"

# From data to results.
_ORDER = (
    *("datasets", "synthesize", "prepare", "merge", "audit", "verify", "pseudo-fakes"),
    *("run", "work", "leaderboard", "report", "dashboard"),
    *("evaluate", "predict", "export", "demo"),
)


class _InOrder(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of ``--help``."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command whose help has a line for each paragraph and each example.

        Typer keeps the line breaks of docstrings, which are those of the source code.
        """
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
            command.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)
            # Two line breaks are one on the terminal.
            command.epilog = (command.epilog or "").replace("; ", "\n\n")
        return command

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Return the context of a command line; errors escape control characters in its words."""
        with _visible_usage_errors():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; errors escape control characters in its words."""
        with _visible_usage_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def _visible_usage_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Some versions of Typer have their own copy of click, so the class has no public name.
        usage: Any = error
        if hasattr(usage, "format_message"):
            usage.message = visible(usage.message)
        raise


app = typer.Typer(
    name="dfsearch",
    cls=_InOrder,
    help="From labelled videos to a searched, honestly tested deepfake detector.",
    epilog="First steps: dfsearch demo. With FaceForensics++ on disk: dfsearch prepare FF++ "
    "ffpp.h5, then dfsearch run ffpp.h5 runs/ffpp, then dfsearch predict runs/ffpp VIDEO.mp4.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Jobs = Annotated[int, typer.Option(help="Worker processes; -1 for one on each core.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run.")]
Untrusted = Annotated[
    bool, typer.Option("--untrusted", help="Accept a model file that is not the certified one.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        import dfsearch

        print(dfsearch.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Hold the options of ``dfsearch`` itself."""


@contextlib.contextmanager
def report_errors(hint: str = "") -> Iterator[None]:
    """Turn errors that a user can cause into one line and an exit code; print the log.

    Args:
        hint: Advice after an interruption.
    """
    stop_on_signals()
    try:
        with print_log():
            yield
    except DfsearchError as error:
        say(f"error: {error.command_line}")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        say(f"stopped{'; ' + hint if hint else ''}")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        if error.filename == STDOUT:
            raise
        say(f"error: {error.filename or 'system'}: {error.strerror or error}")
        raise typer.Exit(USAGE) from None


@contextlib.contextmanager
def limited_inference(
    *, memory_share: float = _MEMORY_SHARE, batch_seconds: float = _BATCH_SECONDS
) -> Iterator[None]:
    """End this process with one line and exit code 2 if its model takes too much.

    TensorFlow crashes, or the system ends it, if its memory is limited from outside. So a thread
    watches the command and ends it before that.

    Args:
        memory_share: Share of the available memory that the command may take.
        batch_seconds: Time that the model may take for one batch of clips.
    """
    most = psutil.Process().memory_info().rss + memory_share * psutil.virtual_memory().available
    stopped = threading.Event()
    watcher = threading.Thread(target=_watch, args=(stopped, most, batch_seconds), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stopped.set()
        watcher.join()


def _watch(stopped: threading.Event, most: float, batch_seconds: float) -> None:
    process = psutil.Process()
    while not stopped.wait(_POLL_SECONDS):
        if process.memory_info().rss > most:
            _end(process, f"the model needs more than {most / 1e9:.1f} GB of memory")
        # Imported by the command, if at all: the import takes seconds.
        inference = sys.modules.get("artifacts.models.inference")
        if inference is not None and inference.seconds_of_batch() > batch_seconds:
            _end(process, f"the model takes more than {batch_seconds:g} s for one batch of clips")


def _end(process: psutil.Process, reason: str) -> None:
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    say(f"error: {reason}; it is not used")
    sys.stderr.flush()
    os._exit(USAGE)


class _Printer(logging.Handler):
    """Handler that prints lines on standard error, warnings as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        mark = "note: " if record.levelno >= logging.WARNING else ""
        say(f"{mark}{record.getMessage()}")


@contextlib.contextmanager
def print_log() -> Iterator[None]:
    """Print the log of the library on standard error; inside another one, print it once."""
    logger = logging.getLogger("dfsearch")
    if any(isinstance(handler, _Printer) for handler in logger.handlers):
        yield
        return
    printer, level = _Printer(), logger.level
    logger.addHandler(printer)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(printer)
        logger.setLevel(level)


def say(text: str) -> None:
    """Print a line on standard error."""
    print(visible(text), file=sys.stderr)


def write_lines(*lines: str) -> None:
    """Print lines on standard output, at once."""
    print("\n".join(map(visible, lines)), flush=True)


def print_json(value: Any) -> None:
    """Print JSON on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def split_list(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated option."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
