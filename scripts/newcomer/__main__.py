"""Follow README.md as somebody who has nothing: ``make newcomer``.

A fresh clone of the committed state is put into an empty folder whose name has spaces and letters
that are not ASCII, with a home of its own, no cache of pip or Keras and, where root runs this,
as a user without rights. Then every command that README.md shows is run in its order, and what
README.md says of it is checked. The commands are read from README.md: one that ``steps.py`` does
not know is an error, so that the two cannot drift apart.

Needs Python, git, make and a registry of Python packages, and nothing installed.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import readme
from place import FailedError, Place, stranger
from steps import Step, steps

_REPOSITORY = Path(__file__).resolve().parents[2]
_LAST_LINES = 40
_INTERRUPTED = 130


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="newcomer", description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=str(_REPOSITORY), help="repository to clone")
    parser.add_argument("--python", help="interpreter; default the first that will do")
    parser.add_argument("--same-user", action="store_true", help="do not become another user")
    parser.add_argument("--folder", type=Path, help="where; kept, and gone on with")
    parser.add_argument("--first", type=int, default=1, help="begin at this step")
    parser.add_argument("--list", action="store_true", help="print what would be run")
    return parser.parse_args()


def main() -> int:
    """Run every step; 0 if README.md is right, 1 at the first that is not so."""
    asked = arguments()
    if asked.list:
        for number, step in enumerate(_plan(_REPOSITORY / "README.md"), start=1):
            print(f"{number:2}  {_named(step)}\n    " + step.script.replace("\n", "\n    "))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    root = asked.folder or Path(tempfile.mkdtemp(prefix="newcomer-"))
    place = Place(root.resolve(), stranger(same=asked.same_user))
    try:
        done = _follow(place, asked)
    except KeyboardInterrupt:
        print("  stopped")
        return _INTERRUPTED
    finally:
        if not asked.folder:
            shutil.rmtree(root, ignore_errors=True)
    return 0 if done else 1


def _follow(place: Place, asked: argparse.Namespace) -> bool:
    """Clone and run; whether all was as README.md says."""
    began = time.monotonic()
    try:
        if not place.checkout.exists():
            commit = place.clone(asked.source)
            print(f"{asked.source} at {commit}, cloned to {place.checkout}")
            _say_what_is_not_committed(asked.source)
        python = place.python(asked.python)
        print(f"as {place.user or 'this user, since only root may become another'}, {python}")
        plan = _plan(place.checkout / "README.md")
    except (FailedError, OSError, ValueError) as error:
        print(error)
        return False
    for number, step in enumerate(plan, start=1):
        if number < asked.first:
            continue
        print(f"[{number:2}/{len(plan)}] {_named(step)}", end="", flush=True)
        started = time.monotonic()
        log = place.logs / f"{number:02}.log"
        try:
            printed = place.run(step.script, log, 60 * step.minutes, PYTHON=python)
            for check in step.checks:
                check(place.checkout, printed)
        except (FailedError, OSError, ValueError, LookupError, TypeError) as error:
            print(f"  FAILED after {time.monotonic() - started:.0f} s: {error}")
            if log.is_file():
                lines = log.read_text(encoding="utf-8").splitlines()
                print(f"the end of {log}:", *lines[-_LAST_LINES:], sep="\n    ")
            return False
        print(f"  {time.monotonic() - started:.0f} s")
    minutes = (time.monotonic() - began) / 60
    print(f"{len(plan)} commands of README.md in {minutes:.1f} minutes: all as it says")
    return True


def _plan(path: Path) -> list[Step]:
    """The steps of a README.md."""
    return steps(readme.commands(path.read_text(encoding="utf-8")))


def _named(step: Step) -> str:
    first, *more = step.shown.splitlines()
    return f"{first} ..." if more else first


def _say_what_is_not_committed(source: str) -> None:
    """A clone holds what was committed; what was not is not tried."""
    if not Path(source).is_dir():
        return
    command = ["git", "-C", source, "status", "--porcelain", "--untracked-files=no"]
    changed = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    if changed:
        print(f"{len(changed)} changed files are not committed, so not tried")


if __name__ == "__main__":
    sys.exit(main())
