"""The errors a user can cause, and so the ones a user must be able to understand."""

from __future__ import annotations


class DfsearchError(Exception):
    """The common base of every error that this project raises by itself."""


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

    def __str__(self) -> str:
        return f"{self.step}: {self.reason}"
