"""From a torch module to a small ONNX graph that onnxruntime runs fast on a CPU.

Weights are quantized to int8 per output channel with activations quantized at run time: per-tensor
scales cost 0.07 of cosine on MiniLM, per-channel ones 0.007.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skillret.encoders.weights import MODEL

__all__ = ["merge", "trace", "write_graph"]

_OPSET = 17
# A protobuf file ends at 2 GiB; above this the optimizer keeps weights in a file of their own.
_LARGE = 1_500_000_000


def trace(module: Any, graph: Path, inputs: Sequence[str], outputs: Mapping[str, int]) -> None:
    """Write a module's float32 graph.

    Args:
        module: Takes int64 tensors `(batch, length)`, and returns as many as there are `outputs`.
        graph: The file.
        inputs: Names, in the module's order, of `input_ids`, `attention_mask`, `token_type_ids`.
        outputs: Names, with how many of their first dimensions vary: batch, then length.
    """
    import torch

    ids = torch.ones(2, 16, dtype=torch.long)
    # Not all ones: the tracer would take a mask without padding for a constant.
    mask = ids.clone()
    mask[1, 9:] = 0
    types = ids - 1
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    varying = {**dict.fromkeys(inputs, 2), **outputs}
    axes = {name: dict(enumerate(("batch", "length")[:n])) for name, n in varying.items()}
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated; the new one needs onnxscript, for no gain here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(given[name] for name in inputs),
            str(graph),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )


def write_graph(
    make: Callable[[Path], object],
    output: Path,
    *,
    quantize: bool,
    name: str = MODEL,
    beside: str = "",
) -> None:
    """Write a graph and its `.data`, optimized.

    Args:
        make: Writes a float32 graph into a file, as `trace` does.
        output: The folder; its files of these names are replaced.
        quantize: int8 weights; float32 otherwise.
        name: Of the graph's file.
        beside: Name of another graph in the folder: tensors that are in its `.data` already are
            taken from there. Empty for none.
    """
    import onnx
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="skillret-export-") as scratch:
        # A folder of its own: above 2 GiB the exporter writes one file for each tensor.
        graph = Path(scratch) / "traced" / "float32.onnx"
        graph.parent.mkdir()
        make(graph)
        if quantize:
            # The graph as traced: fused operators would be left in float32.
            int8 = Path(scratch) / "int8.onnx"
            with _quiet():
                quantize_dynamic(graph, int8, weight_type=QuantType.QInt8, per_channel=True)
            graph = int8
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # EXTENDED and not ALL: the latter bakes in the layout of this machine's processor.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        optimized = Path(scratch) / "optimized.onnx"
        options.optimized_model_filepath = str(optimized)
        size = sum(f.stat().st_size for f in graph.parent.iterdir() if f.is_file())
        if size > _LARGE:
            options.add_session_config_entry(
                "session.optimized_model_external_initializers_file_name", "optimized.data"
            )
        ort.InferenceSession(
            str(graph),
            options,
            providers=["CPUExecutionProvider"],
            # On a CPU this operator takes four times as long as the two that it stands for.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        # Weights in a file of their own are mapped, not parsed: a cold start twice as fast.
        data = output / f"{name}.data"
        data.unlink(missing_ok=True)  # onnx appends to an existing file
        onnx.save(
            onnx.load(optimized), output / name, save_as_external_data=True, location=data.name
        )
        if beside:
            _share(output / name, output / beside)
        data.chmod(0o644)


def _share(graph: Path, other: Path) -> None:
    """Let a graph take what stands in another one's `.data` from there; its own holds the rest."""
    import onnx

    held = {tensor: place for _, tensor, place in _external(other)}
    own, rest = graph.with_name(f"{graph.name}.data"), bytearray()
    model = onnx.load(graph, load_external_data=False)
    places = {}
    for name, tensor, _ in _external(graph):
        places[name] = (other, held[tensor]) if tensor in held else (graph, len(rest))
        if tensor not in held:
            rest += tensor
    for initializer in model.graph.initializer:
        if initializer.name in places:
            where, offset = places[initializer.name]
            for entry in initializer.external_data:
                if entry.key in ("location", "offset"):
                    entry.value = f"{where.name}.data" if entry.key == "location" else str(offset)
    own.write_bytes(rest)
    graph.write_bytes(model.SerializeToString(deterministic=True))


def merge(graph: Path, other: Path, outputs: Mapping[str, str]) -> None:
    """Let a graph do what another one beside it does as well, and what both do only once.

    Args:
        graph: It is replaced; its own `.data` stays as it is.
        other: Its outputs come first. Both have inputs of the same names.
        outputs: What the graph's own outputs are called afterwards, by their names so far.
    """
    import onnx

    model = onnx.load(other, load_external_data=False)
    ours = onnx.load(graph, load_external_data=False).graph
    tensors: dict[bytes, Any] = {}
    nodes: dict[bytes, Any] = {}
    for part, file, prefix in ((model.graph, other, ""), (ours, graph, f"{graph.stem}/")):
        names = _add(part, _contents(file), prefix, tensors, nodes)
        for value in part.output:
            made = names[value.name]
            value.name = outputs[value.name] if part is ours else value.name
            if made != value.name:
                same = onnx.helper.make_node("Identity", [made], [value.name], value.name)
                nodes[same.SerializeToString(deterministic=True)] = same
    results = [*model.graph.output, *ours.output]
    merged = onnx.helper.make_graph(
        list(nodes.values()), model.graph.name, model.graph.input, results, list(tensors.values())
    )
    model.graph.CopyFrom(merged)
    graph.write_bytes(model.SerializeToString(deterministic=True))


def _contents(graph: Path) -> list[bytes]:
    """What each tensor of a graph holds, with its type and shape."""
    import onnx

    contents = []
    for tensor in onnx.load(graph).graph.initializer:
        tensor.name = ""
        contents.append(tensor.SerializeToString(deterministic=True))
    return contents


def _add(
    graph: Any,
    contents: Sequence[bytes],
    prefix: str,
    tensors: dict[bytes, Any],
    nodes: dict[bytes, Any],
) -> dict[str, str]:
    """Add what a graph holds and does to what is there, each once; what its values are called.

    Args:
        graph: Its names are changed.
        contents: Of its tensors, in their order.
        prefix: Of the names of what is new.
        tensors: By what they hold.
        nodes: By what they do to which values, each after those that it needs.
    """
    names = {"": "", **{value.name: value.name for value in graph.input}}
    for tensor, content in zip(graph.initializer, contents, strict=True):
        known = tensors.setdefault(content, tensor)
        own = tensor.name
        if known is tensor:
            tensor.name = prefix + own
        names[own] = known.name
    for node in graph.node:
        made = list(node.output)
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = ["?" if name else "" for name in made]
        node.name = node.doc_string = ""
        known = nodes.setdefault(node.SerializeToString(deterministic=True), node)
        if known is node:
            node.output[:] = [prefix + name if name else "" for name in made]
            node.name = node.output[0]
        names.update(zip(made, known.output, strict=True))
    return names


def _external(graph: Path) -> Iterator[tuple[str, bytes, int]]:
    """Name, bytes and offset of each tensor of a graph that stands in its `.data`."""
    import onnx

    data = graph.with_name(f"{graph.name}.data").read_bytes()
    for tensor in onnx.load(graph, load_external_data=False).graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries:
            start, length = int(entries["offset"]), int(entries["length"])
            yield tensor.name, data[start : start + length], start


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the quantizer's advice to run a preprocessing that fuses what must stay apart."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
