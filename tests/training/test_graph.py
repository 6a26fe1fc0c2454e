"""Graphs that are merged."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from skillret.training.graph import merge


def write(file, names, last, result):
    """A graph of two products, the first by 2, whose tensors and values are called as given."""
    two, more, first = names
    tensors = [
        numpy_helper.from_array(np.full(2, 2, np.float32), two),
        numpy_helper.from_array(np.full(2, last, np.float32), more),
    ]
    nodes = [
        helper.make_node("Mul", ["x", two], [first], name=f"{first} of {two}"),
        helper.make_node("Mul", [first, more], [result]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", result)]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file.write_bytes(model.SerializeToString())


def run(file):
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    made = session.run(None, {"x": np.ones(2, np.float32)})
    return {
        output.name: array.tolist()
        for output, array in zip(session.get_outputs(), made, strict=True)
    }


def test_merged_graphs_do_what_both_do_and_what_they_share_once(tmp_path):
    one, other = tmp_path / "one.onnx", tmp_path / "other.onnx"
    write(other, ("a", "b", "c"), 3, "result")
    write(one, ("b", "a", "d"), 5, "own")  # the same names for something else
    merge(one, other, {"own": "more"})
    assert run(one) == {"result": [6, 6], "more": [10, 10]}
    graph = onnx.load(one).graph
    assert (len(graph.initializer), [n.op_type for n in graph.node].count("Mul")) == (3, 3)


def test_results_that_are_the_same_are_both_there(tmp_path):
    one, other = tmp_path / "one.onnx", tmp_path / "other.onnx"
    write(other, ("a", "b", "c"), 3, "result")
    write(one, ("a", "b", "c"), 3, "own")
    merge(one, other, {"own": "own"})
    assert run(one) == {"result": [6, 6], "own": [6, 6]}
    assert [n.op_type for n in onnx.load(one).graph.node] == ["Mul", "Mul", "Identity"]
