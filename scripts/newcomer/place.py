"""A folder with a clone, an empty home and, if possible, another user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "neu gier ä 日本"
STRANGER = 65534
"""User id without rights, on Linux and the BSDs."""
OLDEST = (3, 11)

# Settings of the machine, not of a user: access to package registries, numpy on this processor.
_KEPT = ("http_proxy", "https_proxy", "no_proxy", "ssl_cert_", "pip_", "requests_ca", "openblas_")
_INTERPRETERS = ("python3", "python3.13", "python3.12", "python3.11")


class FailedError(Exception):
    """A difference from README.md, with the reason."""


@dataclass(frozen=True)
class Place:
    """Home and clone in a folder whose name has spaces and characters that are not ASCII.

    Attributes:
        root: Ordinary folder, which also holds the logs.
        user: User that runs every command; None for the current user.
        tools: Folder of programs to use; None for those that ``make setup`` installs.
    """

    root: Path
    user: str | None
    tools: Path | None = None

    @property
    def strange(self) -> Path:
        """Folder of the new user."""
        return self.root / NAME

    @property
    def checkout(self) -> Path:
        """Folder of the clone."""
        return self.strange / "deepfake-model-search"

    @property
    def home(self) -> Path:
        """Home folder, with all caches."""
        return self.strange / "home"

    @property
    def logs(self) -> Path:
        """Folder with one log file per step."""
        return self.root / "logs"

    def clone(self, source: str) -> str:
        """Clone the committed state of ``source`` and return the commit.

        The current user clones, since the source may be private, and hands over all files.

        Raises:
            FailedError: Git failed.
        """
        for folder in (self.strange, self.home, self.strange / "tmp", self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        command = ["git", "clone", "--quiet", "--no-local", source, str(self.checkout)]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            raise FailedError(f"git clone {source}: {made.stderr.strip() or made.returncode}")
        head = ["git", "-C", str(self.checkout), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        if self.user:
            for path in (self.strange, *self.strange.rglob("*")):
                shutil.chown(path, self.user, _group(self.user))
        return commit

    def environment(self) -> dict[str, str]:
        """Return a fresh environment: no language, caches in the new home, ``tools`` first."""
        kept = {name: value for name, value in os.environ.items() if name.lower().startswith(_KEPT)}
        home = str(self.home)
        tools = self.tools or self.checkout / ".venv/bin"
        if self.tools:
            # The clone, not the checkout that the environment points to.
            kept["PYTHONPATH"] = str(self.checkout)
        return kept | {
            "HOME": home,
            "PATH": os.pathsep.join((str(tools), os.environ.get("PATH", os.defpath))),
            "TMPDIR": str(self.strange / "tmp"),
            "XDG_CACHE_HOME": f"{home}/.cache",
            "PIP_CACHE_DIR": f"{home}/.cache/pip",
            "PIP_NO_CACHE_DIR": "1",
            "KERAS_HOME": f"{home}/.keras",
            "MPLCONFIGDIR": f"{home}/.matplotlib",
        }

    def start(self, script: str, **extra: str) -> subprocess.Popen[str]:
        """Start a shell script in the checkout, with output and errors in one stream."""
        return subprocess.Popen(
            ["/bin/sh", "-euc", script],
            cwd=self.checkout if self.checkout.is_dir() else self.root,
            env=self.environment() | extra,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            user=self.user,
            group=_group(self.user) if self.user else None,
            extra_groups=[] if self.user else None,
        )

    def run(self, script: str, log: Path, seconds: float, **extra: str) -> str:
        """Run a script, write its output to ``log``, and return the output.

        Raises:
            FailedError: It took longer than ``seconds``, or its exit code is not 0.
        """
        process = self.start(script, **extra)
        late = False
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            late = True
            printed = _ended(process)
        except BaseException:
            _ended(process)
            raise
        log.write_text(f"{script}\n\n{printed}", encoding="utf-8")
        if late:
            raise FailedError(f"not done after {seconds:.0f} s")
        if process.returncode:
            raise FailedError(f"exit code {process.returncode}")
        return printed

    def python(self, wanted: str | None) -> str:
        """Return an interpreter that is recent enough, has venv and can be started.

        Args:
            wanted: The only one to try; None for the first suitable one.

        Raises:
            FailedError: No interpreter is suitable.
        """
        check = f"import ensurepip, sys, venv; sys.exit(sys.version_info < {OLDEST})"
        for name in (wanted,) if wanted else _INTERPRETERS:
            process = self.start(f"exec {name} -c '{check}'")
            process.communicate()
            if process.returncode == 0:
                return name
        who = self.user or "this user"
        needed = f"Python {'.'.join(map(str, OLDEST))} or newer with venv"
        raise FailedError(
            f"{who} cannot start {wanted or 'any of ' + ', '.join(_INTERPRETERS)} as {needed}; "
            "install one for all users, name one with --python, or pass --same-user"
        )


def stranger(*, same: bool) -> str | None:
    """Return the user to switch to, or None to keep the current user."""
    if same or os.geteuid():
        return None
    return pwd.getpwuid(STRANGER).pw_name


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _ended(process: subprocess.Popen[str]) -> str:
    """Kill a script and its children; return its output."""
    os.killpg(process.pid, signal.SIGKILL)
    printed, _ = process.communicate()
    return printed
