"""Tables that commands print.

Imports the rooms below and `search.cli.console`.
"""

from __future__ import annotations
