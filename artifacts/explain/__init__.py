"""Heat maps and stream contributions: which regions and streams raised a fake score.

Imports `evaluation`, `models` and the packages below them.
"""

from __future__ import annotations
