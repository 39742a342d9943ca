"""Every private part of AutoKeras that the project uses.

AutoKeras exports blocks and tasks. The graph under them, the base class of heads and the tools of a
head are not exported. They are imported here only: if an upgrade moves one, it is repaired in one
place. The test is ``tests/spaces/test_autokeras_internals.py``.
"""

from __future__ import annotations

from autokeras.adapters import ClassificationAdapter as ClassificationAdapter
from autokeras.analysers import ClassificationAnalyser as ClassificationAnalyser
from autokeras.engine.head import Head as Head
from autokeras.graph import Graph as Graph
from autokeras.hyper_preprocessors import DefaultHyperPreprocessor as DefaultHyperPreprocessor
from autokeras.preprocessors import AddOneDimension as AddOneDimension
