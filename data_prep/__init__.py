"""Labelled videos in, one HDF5 store of face clips out.

Imports no other room, and never TensorFlow.
"""

from __future__ import annotations
