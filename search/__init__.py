"""Studies: run trials, remember them, decide. Holds the command line."""

from __future__ import annotations
