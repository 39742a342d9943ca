"""Layouts of data sets: one module each, in a package by kind.

A layout module offers ``LAYOUT``, a :class:`~data_prep.layouts.layout.Layout`; the registry is
:data:`data_prep.datasets.LAYOUTS`. Other packages add theirs by
:mod:`~data_prep.layouts.plugin_layouts`. The modules at the root are shared by all layouts.

Imports the modules at the root and `video`.
"""

from __future__ import annotations
