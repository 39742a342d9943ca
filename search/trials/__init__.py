"""One attempt of a trial: its folder, queue, heartbeat and time limit.

Imports `features`, `studies` and the packages below them.
"""

from __future__ import annotations
