"""Audits of a store: leaks between splits and shortcuts that need no training.

Imports the packages of `data_prep` below it.
"""

from __future__ import annotations
