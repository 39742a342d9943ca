"""Settings of a run and the stages they lead to.

Imports the rooms below alone.
"""

from __future__ import annotations
