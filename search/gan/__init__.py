"""Training of a GAN on faces, its measures and what later stages use of it.

Imports `training`, `trials` and the packages below them.
"""

from __future__ import annotations
