"""Export of a sentence-transformers model to the ONNX folder that `OnnxEncoder` runs.

Pooling and normalization go into the graph, so that the runtime needs nothing but onnxruntime
and tokenizers. Weights are quantized to int8 per output channel with activations quantized at
run time: per-tensor scales cost 0.07 of cosine on MiniLM, per-channel ones 0.007.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillret.encoders.families import find_profile
from skillret.encoders.profile import Profile
from skillret.encoders.token_projection import PROJECTION_FILE
from skillret.encoders.weights import hash_weights
from skillret.errors import EncoderError, InputError
from skillret.extras import require
from skillret.files import parse_json

__all__ = ["export_onnx", "model_profile"]

_OPSET = 17
# A protobuf file ends at 2 GiB; above this the optimizer keeps weights in a file of their own.
_LARGE = 1_500_000_000
_MODULES = ("Transformer", "Pooling", "Normalize")
_POOLINGS = {
    "mean": ("pooling_mode_mean_tokens", "mean"),
    "cls": ("pooling_mode_cls_token", "cls"),
    "lasttoken": ("pooling_mode_lasttoken", "lasttoken"),
}


def model_profile(model_dir: Path) -> Profile:
    """The profile of a model folder: its own, its family's, or what its configuration says.

    Its lengths are never beyond what the model takes.

    Raises:
        InputError: If it is no sentence-transformers folder.
    """
    if not (model_dir / "modules.json").is_file():
        raise InputError(
            f"{model_dir} is no sentence-transformers folder: it holds no modules.json"
        )
    limit = _max_tokens(model_dir)
    if (model_dir / "profile.json").is_file():
        found: Profile | None = Profile.load(model_dir / "profile.json")
    else:
        family = find_profile(str(model_dir.resolve()))
        found = family and replace(family, name=model_dir.resolve().name)
    if found is None:
        prompts = _json(model_dir / "config_sentence_transformers.json").get("prompts") or {}
        return Profile(
            model_dir.resolve().name,
            query_prompt=prompts.get("query") or "",
            document_prompt=prompts.get("document") or "",
            max_query_tokens=limit,
            max_document_tokens=limit,
            source="the model's own sentence-transformers configuration",
        )
    return replace(
        found,
        max_query_tokens=min(found.max_query_tokens, limit),
        max_document_tokens=min(found.max_document_tokens, limit),
    )


def export_onnx(
    model_dir: Path,
    output: Path,
    profile: Profile,
    *,
    quantize: bool = True,
    trust_remote_code: bool = False,
) -> Path:
    """Write `model.onnx[.data]`, `tokenizer.json` and `profile.json` for a model folder.

    Args:
        model_dir: A sentence-transformers folder with a `tokenizer.json` and safetensors weights.
        output: The folder to write; its files of these names are replaced.
        profile: Prompts, template and limits; `dim`, `weights` and `pooling` are filled in here.
        quantize: int8 weights; float32 otherwise.
        trust_remote_code: Run Python code that the model brings along.

    Returns:
        `output`.

    Raises:
        EncoderError: If a module or the pooling of the model is not supported.
        InputError: If `model_dir` is no model folder.
        MissingExtraError: If a library that is needed is not installed.
    """
    if not (model_dir / "tokenizer.json").is_file():
        raise InputError(f"{model_dir} is no model folder: it holds no tokenizer.json")
    require("train", "exporting", ("torch", "transformers", "onnx"))
    import onnx
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="skillret-export-") as scratch:
        # A folder of its own: above 2 GiB the exporter writes one file for each tensor.
        graph = Path(scratch) / "traced" / "float32.onnx"
        graph.parent.mkdir()
        dim, pooling = _trace(model_dir, graph, trust_remote_code)
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
        data = output / "model.onnx.data"
        data.unlink(missing_ok=True)  # onnx appends to an existing file
        onnx.save(
            onnx.load(optimized),
            output / "model.onnx",
            save_as_external_data=True,
            location=data.name,
        )
        data.chmod(0o644)
    for name in ("tokenizer.json", *([PROJECTION_FILE] if profile.token_dim else [])):
        shutil.copyfile(model_dir / name, output / name)
    full = replace(profile, dim=dim, pooling=pooling, weights=hash_weights(output))
    text = json.dumps(full.to_json(), indent=2, allow_nan=False) + "\n"
    (output / "profile.json").write_text(text, encoding="utf-8")
    return output


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


def _trace(model_dir: Path, graph: Path, trust_remote_code: bool) -> tuple[int, str]:
    """Write the float32 graph of encoder, pooling and normalization; its dimension and pooling."""
    import warnings

    import torch
    from transformers import AutoModel

    pooling = _pooling(model_dir)
    # Eager attention: the fused kernels have no ONNX operator.
    encoder: Any = AutoModel.from_pretrained(
        model_dir,
        attn_implementation="eager",
        use_safetensors=True,
        dtype=torch.float32,
        trust_remote_code=trust_remote_code,
    )
    causal = not bool(getattr(encoder.config, "is_encoder_decoder", False)) and hasattr(
        encoder.config, "use_cache"
    )

    class Embedder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            more = {"use_cache": False} if causal else {}
            hidden = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask, **more
            ).last_hidden_state
            if pooling == "mean":
                keep = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * keep).sum(1) / keep.sum(1).clamp(min=1e-9)
            elif pooling == "cls":
                pooled = hidden[:, 0]
            else:
                # The runtime pads on the right, whatever the tokenizer was trained with: a causal
                # model does not see what comes after the last token.
                last = (attention_mask.sum(1) - 1).clamp(min=0)
                index = last.view(-1, 1, 1).expand(-1, 1, hidden.size(-1))
                pooled = hidden.gather(1, index).squeeze(1)
            return torch.nn.functional.normalize(pooled, dim=-1), hidden

    # Not all ones: the tracer would take a mask without padding for a constant.
    ids = torch.ones(2, 16, dtype=torch.long)
    mask = ids.clone()
    mask[1, 9:] = 0
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated; the new one needs onnxscript, for no gain here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Embedder().eval(),
            (ids, mask),
            str(graph),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding", "tokens"],
            dynamic_axes={
                "input_ids": {0: "batch", 1: "length"},
                "attention_mask": {0: "batch", 1: "length"},
                "embedding": {0: "batch"},
                "tokens": {0: "batch", 1: "length"},
            },
            opset_version=_OPSET,
            dynamo=False,
        )
    return int(encoder.config.hidden_size), pooling


def _pooling(model_dir: Path) -> str:
    """`mean`, `cls` or `lasttoken`, as the folder's pooling module says."""
    modules = _json(model_dir / "modules.json")
    listed = modules if isinstance(modules, list) else []
    for module in listed:
        name = str(module.get("type", "")).rsplit(".", 1)[-1]
        if name not in _MODULES:
            raise EncoderError(
                f"cannot export {model_dir}: its module {name} is not supported (only"
                f" {', '.join(_MODULES)} are)"
            )
    folder = next(
        (m.get("path", "") for m in listed if str(m.get("type", "")).endswith("Pooling")), None
    )
    config = _json(model_dir / (folder or "1_Pooling") / "config.json")
    named = [n for n, (old, new) in _POOLINGS.items() if config.get("pooling_mode") == new]
    flagged = [n for n, (old, _) in _POOLINGS.items() if config.get(old)]
    found = named or flagged
    if len(found) != 1:
        raise EncoderError(
            f"cannot export {model_dir}: its pooling is none of {', '.join(_POOLINGS)}"
        )
    return found[0]


def _max_tokens(model_dir: Path) -> int:
    """Where older and newer versions of sentence-transformers keep a model's length."""
    older = _json(model_dir / "sentence_bert_config.json").get("max_seq_length")
    newer = _json(model_dir / "tokenizer_config.json").get("model_max_length")
    found = older or newer
    # A tokenizer without a limit says so with a number beyond any text.
    return int(found) if isinstance(found, (int, float)) and 0 < found < 1e7 else 512


def _json(file: Path) -> Any:
    try:
        return parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
