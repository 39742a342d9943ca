"""One training: epochs, validation and checkpoints.

Imports `features`, `studies` and the packages below them.
"""

from __future__ import annotations
