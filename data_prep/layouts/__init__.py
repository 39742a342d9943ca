"""The layouts data sets come in, one module each.

A layout module offers ``LAYOUT``, a :class:`~data_prep.layouts.layout.Layout`; the registry is
:data:`data_prep.datasets.LAYOUTS`.
"""

from __future__ import annotations
