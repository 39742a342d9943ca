"""The command line `dfsearch`: verbs, console, live table and tables.

Imports every package and the public interface `dfsearch`, which the verbs call; no package
imports it.
"""

from __future__ import annotations
