"""Stock Keras layers with fixed weights, pooling and preprocessing.

Imports no other package of `spaces`.
"""

from __future__ import annotations
