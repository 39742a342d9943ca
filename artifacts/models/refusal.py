"""Why a model file is not opened."""

from __future__ import annotations


class RefusalError(Exception):
    """The reason, in words that follow the name of the file: ``holds a Lambda``."""
