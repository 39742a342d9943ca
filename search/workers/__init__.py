"""Worker processes on this machine and others, and the dispatch of trials to them.

Imports `stages` and the packages below it.
"""

from __future__ import annotations
