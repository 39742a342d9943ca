"""Studies: run trials, record them, choose. Holds the command line.

Imports `artifacts`, `data_prep` and `spaces`.
"""

from __future__ import annotations
