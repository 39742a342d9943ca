"""The layouts data sets come in, one module each.

A layout module offers ``LAYOUT``, a :class:`~data_prep.layouts.layout.Layout`; the registry is
:data:`data_prep.datasets.LAYOUTS`. Other packages add theirs by
:mod:`~data_prep.layouts.plugin_layouts`.

Imports the modules at the root and `video`.
"""

from __future__ import annotations
