"""The job that turns the videos of a source into a store.

Imports every other package of `data_prep` except `audit` and `synthetic`.
"""

from __future__ import annotations
