"""Building, limiting and training the detector of one trial.

Imports `gan` and the packages below it.
"""

from __future__ import annotations
