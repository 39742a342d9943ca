"""Samples: clips as a model sees them in training, and the order of their batches.

Imports the rooms below alone.
"""

from __future__ import annotations
