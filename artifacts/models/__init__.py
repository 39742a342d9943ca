"""The detector as a file: written, opened with care, and turned into other formats."""

from __future__ import annotations
