"""A picture of a model: its layers with their shapes."""

from __future__ import annotations

from pathlib import Path

import keras
import pygraphviz

from artifacts.run_directory import replace_file
from data_prep.quiet import silent_stderr
from spaces.keras_internals import call_nodes, operation_of

_COLOURS = {
    "InputLayer": "#d9d9d9",
    "Functional": "#fdd0a2",
    "Conv3D": "#c6dbef",
    "Dense": "#c7e9c0",
    "Bidirectional": "#dadaeb",
}
_FIXED = "#f2f2f2"


def draw_model(model: keras.Model, path: Path) -> None:
    """Draw a functional model top to bottom as a PNG; a backbone is one box.

    Grey boxes hold nothing to train. Graphviz comes inside the pygraphviz package.
    """
    graph = pygraphviz.AGraph(directed=True, rankdir="TB", dpi="110", ranksep="0.25")
    graph.node_attr.update(shape="box", style="filled,rounded", fontname="sans", fontsize="10")
    for layer in model.layers:
        kind = type(layer).__name__
        shape = " x ".join(str(side) for side in layer.output.shape[1:])
        weights = f"{layer.count_params():,} weights" if layer.weights else ""
        graph.add_node(
            layer.name,
            label="\n".join(filter(None, [layer.name, f"{kind}  ({shape})", weights])),
            fillcolor=_COLOURS.get(kind, "white")
            if layer.trainable_weights or kind == "InputLayer"
            else _FIXED,
        )
    for layer in model.layers:
        for node in call_nodes(layer):
            for tensor in node.input_tensors:
                source = operation_of(tensor).name
                if graph.has_node(source) and source != layer.name:
                    graph.add_edge(source, layer.name)
    with replace_file(path) as temporary, silent_stderr():
        # Given a path, it opens that with fileinput, which Python 3.11.2 cannot do to write.
        temporary.write_bytes(graph.draw(format="png", prog="dot"))
