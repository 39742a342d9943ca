"""The errors a user can cause, and so the ones a user must be able to understand."""

from __future__ import annotations

import re

# Options of this command line with the argument of the Python interface, where the names differ.
_RENAMED = {
    "filter": "where",
    "format": "formats",
    "no-heat": "heat_maps=False",
    "precision": "precisions",
}
# A command for a shell stays; so does the value of an option, a number or a word in capitals.
_OPTION = re.compile(
    r"(?P<command>\b(?:pip|dask|dfsearch) \w[^;]*)|--(?P<name>[a-z][a-z-]*)(?: (?=[A-Z]{3}|\d))?"
)


class DfsearchError(Exception):
    """The common base of every error that this project raises by itself.

    Messages are written for the command line: they name options, such as ``--shard-clips 10``.
    ``str()`` names the arguments of the Python interface instead: ``shard_clips=10``.

    Attributes:
        command_line: The message with the options of the command line.
    """

    def __str__(self) -> str:
        return _OPTION.sub(_name_argument, self.command_line)

    @property
    def command_line(self) -> str:
        """The message with the options of the command line."""
        return super().__str__()


def _name_argument(option: re.Match[str]) -> str:
    if option["command"]:
        return option["command"]
    name = _RENAMED.get(option["name"], option["name"]).replace("-", "_")
    return f"{name}=" if option[0].endswith(" ") else name


class UserError(DfsearchError):
    """Bad input or bad usage.

    The message is one line: the object, the expected and the actual value, and the remedy. The
    command line prints it without a traceback and exits with code 2.
    """


class VideoError(DfsearchError):
    """Error of one video: preparation quarantines it and continues with the next.

    Args:
        step: failed step: ``index``, ``decode``, ``faces`` or ``write``.
        reason: one line for the quarantine table.
    """

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(step, reason)
        self.step = step
        self.reason = reason

    @property
    def command_line(self) -> str:
        """The step and the reason."""
        return f"{self.step}: {self.reason}"
