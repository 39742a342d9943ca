"""Test of every command of README.md on a clean system: ``make newcomer``.

The committed state is cloned into an empty folder whose name has spaces and characters that are not
ASCII. The clone has its own home and no cache of pip or Keras. If root runs this, another user
without rights takes over. Then every command of README.md runs in order, and its files and output
are checked. The commands are read from README.md. A command that ``steps.py`` does not know is an
error, so the two cannot drift apart.

Needs Python, git, make and a registry of Python packages. Nothing else has to be installed.

With ``--quick``, only the steps without set-up or training run, in the environment of this
interpreter: ``make newcomer QUICK=1``.
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
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(prog="newcomer", description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=str(_REPOSITORY), help="repository to clone")
    parser.add_argument("--python", help="interpreter; default: the first suitable one")
    parser.add_argument("--same-user", action="store_true", help="do not switch to another user")
    parser.add_argument("--folder", type=Path, help="folder, kept for a later call")
    parser.add_argument("--first", type=int, default=1, help="start at this step")
    parser.add_argument("--list", action="store_true", help="print all commands")
    parser.add_argument("--quick", action="store_true", help="no set-up and no training")
    return parser.parse_args()


def main() -> int:
    """Run every step; return 0 if all pass, 1 at the first failure."""
    options = arguments()
    if options.list:
        for number, step in enumerate(_plan(_REPOSITORY / "README.md"), start=1):
            print(f"{number:2}  {_named(step)}\n    " + step.script.replace("\n", "\n    "))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    root = options.folder or Path(tempfile.mkdtemp(prefix="newcomer-"))
    tools = Path(sys.executable).parent if options.quick else None
    user = stranger(same=options.same_user or options.quick)
    place = Place(root.resolve(), user, tools)
    try:
        done = _follow(place, options)
    except KeyboardInterrupt:
        print("  stopped")
        return _INTERRUPTED
    finally:
        if not options.folder:
            shutil.rmtree(root, ignore_errors=True)
    return 0 if done else 1


def _follow(place: Place, options: argparse.Namespace) -> bool:
    """Clone and run; return whether every step passed."""
    began, passed = time.monotonic(), 0
    try:
        if not place.checkout.exists():
            commit = place.clone(options.source)
            print(f"{options.source} at {commit}, cloned to {place.checkout}")
            _report_uncommitted(options.source)
        python = place.python(options.python)
        print(f"user: {place.user or 'this one, since only root can switch'}; {python}")
        plan = _plan(place.checkout / "README.md")
    except (FailedError, OSError, ValueError) as error:
        print(error)
        return False
    for number, step in enumerate(plan, start=1):
        if number < options.first or (options.quick and not step.quick):
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
                print(f"end of {log}:", *lines[-_LAST_LINES:], sep="\n    ")
            return False
        print(f"  {time.monotonic() - started:.0f} s")
        passed += 1
    minutes = (time.monotonic() - began) / 60
    print(f"{passed} of {len(plan)} commands of README.md passed in {minutes:.1f} minutes")
    return True


def _plan(path: Path) -> list[Step]:
    """Return the steps of a README.md."""
    return steps(readme.commands(path.read_text(encoding="utf-8")))


def _named(step: Step) -> str:
    first, *more = step.shown.splitlines()
    return f"{first} ..." if more else first


def _report_uncommitted(source: str) -> None:
    """Print how many changes the clone lacks because they are not committed."""
    if not Path(source).is_dir():
        return
    command = ["git", "-C", source, "status", "--porcelain", "--untracked-files=no"]
    changed = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    if changed:
        print(f"{len(changed)} changed files are not committed and so not tested")


if __name__ == "__main__":
    sys.exit(main())
