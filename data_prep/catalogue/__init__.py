"""Facts about known data sets, and comparison of a folder with them.

Imports `layouts`, `datasets` and the rooms below.
"""

from __future__ import annotations
