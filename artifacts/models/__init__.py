"""The detector as a file: saved, checked before it is opened, exported to other formats.

Imports `metrics`, the certificate and the records.
"""

from __future__ import annotations
