"""The command line `dfsearch`: verbs, console, live table and tables.

Imports every package; no package imports it.
"""

from __future__ import annotations
