"""An upgrade of AutoKeras that moves a private name fails here, with the name in the message."""

from __future__ import annotations

import autokeras as ak

from spaces import autokeras_internals as internals


def test_the_graph_and_the_head_are_those_of_autokeras() -> None:
    assert issubclass(internals.Graph, ak.graph.Graph)
    assert issubclass(ak.ClassificationHead, internals.Head)
    assert callable(internals.ClassificationAdapter(name="a").adapt)
    assert hasattr(internals.ClassificationAnalyser(name="b", multi_label=False), "finalize")
    step = internals.DefaultHyperPreprocessor(internals.AddOneDimension())
    assert isinstance(step.build(None, None), internals.AddOneDimension)
