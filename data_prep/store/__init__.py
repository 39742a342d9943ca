"""The HDF5 store: format, writer, reader and verification.

Imports `video` and the modules at the root.
"""

from __future__ import annotations
