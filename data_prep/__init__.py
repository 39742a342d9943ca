"""Labelled videos in, one HDF5 store of face clips out.

This package knows nothing of models and never imports TensorFlow.
"""

from __future__ import annotations
