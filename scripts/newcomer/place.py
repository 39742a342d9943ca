"""A place where nothing is installed or cached, a user of its own, and what runs there."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "neu gier ä 日本"
STRANGER = "nobody"
OLDEST = (3, 11)

# How the registries of packages are reached from here, and how numpy computes right on this
# processor: of the machine, not of a user.
_KEPT = ("http_proxy", "https_proxy", "no_proxy", "ssl_cert_", "pip_", "requests_ca", "openblas_")
_INTERPRETERS = ("python3", "python3.13", "python3.12", "python3.11")


class FailedError(Exception):
    """Something is not as README.md says; the message tells what."""


@dataclass(frozen=True)
class Place:
    """A home and a clone in a folder whose name has spaces and letters that are not ASCII.

    Attributes:
        root: an ordinary folder; the logs lie here.
        user: who everything runs as; None for whoever started this.
    """

    root: Path
    user: str | None

    @property
    def strange(self) -> Path:
        """All that the newcomer sees."""
        return self.root / NAME

    @property
    def checkout(self) -> Path:
        """The clone."""
        return self.strange / "deepfake-model-search"

    @property
    def home(self) -> Path:
        """The home folder, with every cache in it."""
        return self.strange / "home"

    @property
    def logs(self) -> Path:
        """A file a step."""
        return self.root / "logs"

    def clone(self, source: str) -> str:
        """Clone the committed state of ``source``; returns the commit.

        The clone is made by who may read the source and given to the newcomer, objects and all.

        Raises:
            FailedError: git's last words.
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
        """Of a fresh login: no language set, every cache in the new home, tools of ``.venv``."""
        kept = {name: value for name, value in os.environ.items() if name.lower().startswith(_KEPT)}
        home = str(self.home)
        return kept | {
            "HOME": home,
            "PATH": os.pathsep.join(
                (str(self.checkout / ".venv/bin"), os.environ.get("PATH", os.defpath))
            ),
            "TMPDIR": str(self.strange / "tmp"),
            "XDG_CACHE_HOME": f"{home}/.cache",
            "PIP_CACHE_DIR": f"{home}/.cache/pip",
            "PIP_NO_CACHE_DIR": "1",
            "KERAS_HOME": f"{home}/.keras",
            "MPLCONFIGDIR": f"{home}/.matplotlib",
        }

    def start(self, script: str, **extra: str) -> subprocess.Popen[str]:
        """A shell script in the checkout as the newcomer; output and errors come in one stream."""
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
        """Run a script to its end; returns what it printed, which is also written to ``log``.

        Raises:
            FailedError: it took longer than ``seconds``, or its exit code is not 0.
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
        """An interpreter that the newcomer can start, new enough and with venv.

        Args:
            wanted: the only one to try; None for whichever is found first.

        Raises:
            FailedError: there is none.
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
            "install one for everybody, name one by --python, or pass --same-user"
        )


def stranger(*, same: bool) -> str | None:
    """The user to become: one without rights where root may choose; None to stay who one is."""
    if same or os.geteuid():
        return None
    return STRANGER


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _ended(process: subprocess.Popen[str]) -> str:
    """End a script with all it started; what it had printed."""
    os.killpg(process.pid, signal.SIGKILL)
    printed, _ = process.communicate()
    return printed
