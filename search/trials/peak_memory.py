"""The most memory this process has held in RAM since a moment, by the kernel's own mark.

Workers run one trial after another, and what ``getrusage`` tells is the most of all of them; Linux
lets a process set the mark back.
"""

from __future__ import annotations

import re
from pathlib import Path

_SELF = Path("/proc/self")
_RESET_MARK = "5"


def reset_peak() -> bool:
    """Set the mark back to what the process holds now; whether this system lets us."""
    try:
        (_SELF / "clear_refs").write_text(_RESET_MARK)
    except OSError:
        return False
    return True


def peak_megabytes() -> float | None:
    """The mark (``VmHWM``), in 10^6 bytes; None where the system keeps none."""
    try:
        status = (_SELF / "status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return round(int(found[1]) * 1024 / 1e6, 1) if found else None
