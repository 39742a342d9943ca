"""Error of a model file that is not opened."""

from __future__ import annotations

from data_prep.errors import DfsearchError
from data_prep.text import one_line


class RefusalError(DfsearchError):
    """The reason, in words that follow the name of the file: ``holds a Lambda``."""


def first_line(error: Exception) -> str:
    """Return the line of a library's error that has its reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # TensorFlow begins with a traceback and ends with the reason.
    traced = lines[0].startswith("in user code")
    return one_line(lines[-1] if traced else lines[0])[:300]
