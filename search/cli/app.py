"""What every command of the command line shares."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from data_prep.errors import UserError

USAGE, INTERRUPTED = 2, 130

# As one needs them.
_ORDER = (
    *("synthesize", "prepare", "audit", "verify", "pseudo-fakes"),
    *("run", "work", "leaderboard", "report", "dashboard"),
    *("evaluate", "predict", "export", "demo"),
)


class _InOrder(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        """The commands as ``--help`` shows them."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


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
Jobs = Annotated[int, typer.Option(help="Worker processes; -1 is one a core.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run.")]


@contextlib.contextmanager
def reported(again: str = "") -> Iterator[None]:
    """Turn what a user can cause into one clear line and an exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except UserError as error:
        say(f"error: {error}")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        say(f"stopped{'; ' + again if again else ''}")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(1) from None
    except OSError as error:
        say(f"error: {error.filename or 'system'}: {error.strerror or error}")
        raise typer.Exit(USAGE) from None


def say(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print JSON on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def listed(text: str) -> tuple[str, ...]:
    """The names of a comma-separated option; none of an empty one."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
