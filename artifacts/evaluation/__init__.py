"""Figures of scores on labelled clips, with intervals over people; how a run is put to the test."""

from __future__ import annotations
