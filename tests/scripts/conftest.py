"""Path to the scripts, which are not a package."""

from __future__ import annotations

import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path[:0] = [str(SCRIPTS / "newcomer"), str(SCRIPTS)]
