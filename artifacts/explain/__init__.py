"""Where and by which stream a detector finds what speaks for a fake."""

from __future__ import annotations
