"""Folders that are no published data set: real/ and fake/, a table of labels, one label for all.

Imports the modules at the root of `layouts`.
"""

from __future__ import annotations

NAMES = ("folders", "labels.csv", "one label", "stills")
"""Names of these layouts."""
