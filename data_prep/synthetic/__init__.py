"""SYNTHETIC labelled videos for demos and tests.

Imports the packages of `data_prep` below it.
"""

from __future__ import annotations
