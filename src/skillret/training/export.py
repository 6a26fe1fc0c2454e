"""Export of a sentence-transformers model to the ONNX folder that `OnnxEncoder` runs.

Pooling and normalization go into the graph, so that the runtime needs nothing but onnxruntime
and tokenizers. Weights are quantized to int8 per output channel with activations quantized at
run time: per-tensor scales cost 0.07 of cosine on MiniLM, per-channel ones 0.007.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillret.encoders.base import Profile
from skillret.errors import EncoderError, InputError

__all__ = ["export_onnx"]

_OPSET = 17


def export_onnx(model_dir: Path, output: Path, profile: Profile, *, quantize: bool = True) -> Path:
    """Write `model.onnx[.data]`, `tokenizer.json` and `profile.json` for a model folder.

    Args:
        model_dir: A sentence-transformers folder with a `tokenizer.json` and safetensors weights.
        output: The folder to write; its files of these names are replaced.
        profile: Prompts, template and limits; `dim`, `weights` and `pooling` are filled in here.
        quantize: int8 weights; float32 otherwise.

    Returns:
        `output`.

    Raises:
        EncoderError: If the model's pooling is not supported.
        InputError: If `model_dir` is no model folder.
    """
    if not (model_dir / "tokenizer.json").is_file():
        raise InputError(f"{model_dir} is no model folder: it holds no tokenizer.json")
    import onnx
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="skillret-export-") as scratch:
        graph = Path(scratch) / "float32.onnx"
        dim, pooling = _trace(model_dir, graph)
        if quantize:
            # The graph as traced: fused operators would be left in float32.
            int8 = Path(scratch) / "int8.onnx"
            quantize_dynamic(graph, int8, weight_type=QuantType.QInt8, per_channel=True)
            graph = int8
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # EXTENDED and not ALL: the latter bakes in the layout of this machine's processor.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        optimized = Path(scratch) / "optimized.onnx"
        options.optimized_model_filepath = str(optimized)
        ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        # Weights in a file of their own are mapped, not parsed: a cold start twice as fast.
        data = output / "model.onnx.data"
        data.unlink(missing_ok=True)  # onnx appends to an existing file
        onnx.save(
            onnx.load(optimized),
            output / "model.onnx",
            save_as_external_data=True,
            location=data.name,
        )
        data.chmod(0o644)
    shutil.copyfile(model_dir / "tokenizer.json", output / "tokenizer.json")
    weights = hashlib.sha256(
        (output / "model.onnx").read_bytes() + (output / "model.onnx.data").read_bytes()
    ).hexdigest()
    full = replace(profile, dim=dim, pooling=pooling, weights=weights)
    text = json.dumps(full.to_json(), indent=2) + "\n"
    (output / "profile.json").write_text(text, encoding="utf-8")
    return output


def _trace(model_dir: Path, graph: Path) -> tuple[int, str]:
    """Write the float32 graph of encoder, pooling and normalization; its dimension and pooling."""
    import warnings

    import torch
    from transformers import AutoModel

    pooling = _pooling(model_dir)
    # Eager attention: the fused kernels have no ONNX operator.
    encoder: Any = AutoModel.from_pretrained(
        model_dir, attn_implementation="eager", use_safetensors=True, dtype=torch.float32
    )

    class Embedder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask
            ).last_hidden_state
            if pooling == "mean":
                keep = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * keep).sum(1) / keep.sum(1).clamp(min=1e-9)
            else:
                pooled = hidden[:, 0]
            return torch.nn.functional.normalize(pooled, dim=-1)

    ids = torch.ones(2, 16, dtype=torch.long)
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated; the new one needs onnxscript, for no gain here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Embedder().eval(),
            (ids, ids),
            str(graph),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={
                "input_ids": {0: "batch", 1: "length"},
                "attention_mask": {0: "batch", 1: "length"},
                "embedding": {0: "batch"},
            },
            opset_version=_OPSET,
            dynamo=False,
        )
    return int(encoder.config.hidden_size), pooling


def _pooling(model_dir: Path) -> str:
    """`mean` or `cls`, as the folder's pooling module says."""
    config = json.loads((model_dir / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    if config.get("pooling_mode_mean_tokens") or config.get("pooling_mode") == "mean":
        return "mean"
    if config.get("pooling_mode_cls_token") or config.get("pooling_mode") == "cls":
        return "cls"
    raise EncoderError(f"cannot export {model_dir}: only mean and cls pooling are supported so far")
