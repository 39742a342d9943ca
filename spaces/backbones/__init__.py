"""Networks that turn a frame into features, pretrained or from scratch.

Imports `layers`.
"""

from __future__ import annotations
