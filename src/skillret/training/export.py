"""Export of a sentence-transformers model to the ONNX folder that `OnnxEncoder` runs.

Pooling and normalization go into the graph, so that the runtime needs nothing but onnxruntime
and tokenizers.
"""

from __future__ import annotations

import json
import shutil
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
from skillret.training.graph import trace, write_graph

__all__ = ["export_onnx", "model_profile"]

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
    pooling, encoder = _pooling(model_dir), _load(model_dir, trust_remote_code)
    write_graph(lambda graph: _trace(encoder, pooling, graph), output, quantize=quantize)
    for name in ("tokenizer.json", *([PROJECTION_FILE] if profile.token_dim else [])):
        shutil.copyfile(model_dir / name, output / name)
    dim = int(encoder.config.hidden_size)
    full = replace(profile, dim=dim, pooling=pooling, weights=hash_weights(output))
    text = json.dumps(full.to_json(), indent=2, allow_nan=False) + "\n"
    (output / "profile.json").write_text(text, encoding="utf-8")
    return output


def _load(model_dir: Path, trust_remote_code: bool) -> Any:
    """The transformer in float32, with eager attention: the fused kernels have no operator."""
    import torch
    from transformers import AutoModel

    return AutoModel.from_pretrained(
        model_dir,
        attn_implementation="eager",
        use_safetensors=True,
        dtype=torch.float32,
        trust_remote_code=trust_remote_code,
    )


def _trace(encoder: Any, pooling: str, graph: Path) -> None:
    """Write the float32 graph of encoder, pooling and normalization."""
    import torch

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

    inputs, outputs = ("input_ids", "attention_mask"), {"embedding": 1, "tokens": 2}
    trace(Embedder(), graph, inputs, outputs)


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
