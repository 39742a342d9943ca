"""Everything that the project uses of AutoKeras beyond its public API.

AutoKeras exports blocks and tasks. The graph under them, the base class of heads and what a head
needs are not exported; they are imported here and nowhere else, so that an upgrade that moves one
is found and repaired in one place: ``tests/spaces/test_autokeras_internals.py``.
"""

from __future__ import annotations

from autokeras.adapters import ClassificationAdapter as ClassificationAdapter
from autokeras.analysers import ClassificationAnalyser as ClassificationAnalyser
from autokeras.engine.head import Head as Head
from autokeras.graph import Graph as Graph
from autokeras.hyper_preprocessors import DefaultHyperPreprocessor as DefaultHyperPreprocessor
from autokeras.preprocessors import AddOneDimension as AddOneDimension
