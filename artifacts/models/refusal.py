"""Error of a model file that is not opened."""

from __future__ import annotations

from data_prep.errors import DfsearchError


class RefusalError(DfsearchError):
    """The reason, in words that follow the name of the file: ``holds a Lambda``."""
