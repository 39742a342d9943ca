"""Peak memory of this process since a moment, as recorded by the kernel.

Workers run one trial after another, and ``getrusage`` reports the peak of all of them. Linux lets a
process reset its peak.
"""

from __future__ import annotations

import re
from pathlib import Path

_SELF = Path("/proc/self")
_RESET_MARK = "5"


def reset_peak() -> bool:
    """Reset the peak to the current memory; return whether the system allows it."""
    try:
        (_SELF / "clear_refs").write_text(_RESET_MARK)
    except OSError:
        return False
    return True


def peak_megabytes() -> float | None:
    """Return the peak (``VmHWM``) in 10^6 bytes; None if the system records none."""
    try:
        status = (_SELF / "status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return round(int(found[1]) * 1024 / 1e6, 1) if found else None
