"""Training of a GAN on faces, its measures, and its use in later stages.

Imports `training`, `trials` and the packages below them.
"""

from __future__ import annotations
