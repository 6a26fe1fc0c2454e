"""Loading the model that is trained, with everything that can be wrong found out first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from skillret.encoders.sentence_transformers import hub_is_away
from skillret.errors import EncoderError, InputError, SkillretError
from skillret.files import expand, parse_json
from skillret.training.sections import ModelSection

__all__ = [
    "base_facts",
    "check_positions",
    "guarded_load",
    "length_facts",
    "load_base",
    "needs_remote_code",
    "summary",
]


def needs_remote_code(folder: Path) -> bool:
    """Whether a model folder brings Python code along that loading it would run."""
    config = _json(folder / "config.json")
    modules = _json(folder / "modules.json")
    own = isinstance(config, Mapping) and bool(config.get("auto_map"))
    listed = modules if isinstance(modules, list) else []
    types = [str(m.get("type", "")) for m in listed if isinstance(m, Mapping)]
    return own or any(not t.startswith("sentence_transformers.") for t in types)


def load_base(section: ModelSection, device: str | None = None) -> Any:
    """Load the base model in float32 with the recipe's prompts and length.

    Args:
        section: `model` of the recipe.
        device: torch device; chosen by sentence-transformers if None.

    Returns:
        A `SentenceTransformer`.

    Raises:
        EncoderError: If it cannot be found or loaded, or needs remote code without permission.
        InputError: If it cannot take texts of `max_tokens`.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    model = guarded_load(
        section,
        lambda name, options: SentenceTransformer(
            name,
            device=device,
            **options,
            model_kwargs={
                "use_safetensors": True,  # a pickle can run code
                "attn_implementation": section.attention,
                "dtype": torch.float32,  # autocast lowers the forward pass, not the weights
            },
        ),
    )
    check_positions(model, section)
    for name, parameter in model.named_parameters():
        # BERT's pooler stands beside ours and gets no gradient, which DDP takes for an error.
        if ".pooler." in name:
            parameter.requires_grad_(False)
    model.max_seq_length = section.max_tokens
    model.prompts = {"query": section.query_prompt, "document": section.document_prompt}
    # A default prompt would come on top of one that a caller puts before the text.
    model.default_prompt_name = None
    return model


def guarded_load(section: ModelSection, load: Callable[[str, dict[str, Any]], Any]) -> Any:
    """Load the base model, whatever it is, or say in one line why not.

    Args:
        section: `model` of the recipe.
        load: Takes the folder or hub id, and `revision`, `trust_remote_code` and
            `local_files_only`.

    Raises:
        EncoderError: If it cannot be found or loaded, or needs remote code without permission.
        InputError: As `load` raises it.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # one bar, of the training, is enough
    folder = expand(section.base)
    local = folder.is_dir()
    refusal = (
        f"the model {section.base!r} brings its own Python code, which is not run unless you say"
        " so: --trust-remote-code"
    )
    if not local and (folder.is_absolute() or section.base.startswith((".", "~"))):
        raise EncoderError(f"no model folder {section.base}")
    if local and not section.trust_remote_code and needs_remote_code(folder):
        raise EncoderError(refusal)
    options = {
        "revision": section.revision or None,
        "trust_remote_code": section.trust_remote_code,
        "local_files_only": not local and hub_is_away(section.base, section.revision),
    }
    try:
        return load(str(folder) if local else section.base, options)
    except SkillretError:
        raise
    except Exception as e:  # hub, file and format errors come in many classes
        if "trust_remote_code" in str(e):
            raise EncoderError(refusal) from None
        reason = next(iter(str(e).strip().splitlines()), type(e).__name__)
        raise EncoderError(
            f"cannot load the base model {section.base!r}: {reason} (a hub id needs the network"
            " once; offline give a folder: --set model.base=FOLDER)"
        ) from None


def check_positions(model: Any, section: ModelSection) -> None:
    """Make sure that a model takes texts of `max_tokens`.

    Raises:
        InputError: If it does not.
    """
    positions = _positions(model)
    if positions is not None and section.max_tokens > positions:
        raise InputError(
            f"recipe: model.max_tokens is {section.max_tokens}; allowed: at most {positions}, the"
            f" positions of {section.base}"
        )


def base_facts(model: Any, section: ModelSection) -> dict[str, Any]:
    """What the base model is: name, commit or hash, size, and its dimension or kind of reranker."""
    folder = expand(section.base)
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")) if folder.is_dir() else ():
        with file.open("rb") as opened:
            while block := opened.read(1 << 24):
                digest.update(block)
    config = getattr(getattr(model[0], "model", None), "config", None)
    return {
        "name": section.base,
        # An id without a revision is whatever was newest that day: the commit says what that was.
        "revision": getattr(config, "_commit_hash", None) or section.revision,
        "weights_sha256": digest.hexdigest() if folder.is_dir() else "",
        "parameters": sum(p.numel() for p in model.parameters()),
        **_of_kind(model),
    }


def _of_kind(model: Any) -> dict[str, Any]:
    profile = getattr(model, "profile", None)
    if profile is not None:
        return {"kind": profile.kind}
    return {"dimension": int(model.get_embedding_dimension())}


def length_facts(model: Any, texts: Sequence[str], prompt: str, limit: int) -> dict[str, Any]:
    """Token lengths of some texts.

    Returns:
        `texts` (how many), `median`, `p90`, `p99` and `max` of tokens with prompt and special
        tokens, and `truncated`, the share of texts that `limit` cuts.
    """
    counts = []
    for start in range(0, len(texts), 100):
        batch = [prompt + t for t in texts[start : start + 100]]
        found = model.tokenizer(batch, truncation=False, padding=False, verbose=False)
        counts += [len(ids) for ids in found["input_ids"]]
    return summary(counts, limit)


def summary(counts: Sequence[int], limit: int) -> dict[str, Any]:
    """Lengths in numbers; see `length_facts`."""
    import numpy as np

    lengths = np.array(counts or [0])
    median, p90, p99 = np.percentile(lengths, [50, 90, 99]).round().astype(int).tolist()
    return {
        "texts": len(counts),
        "median": median,
        "p90": p90,
        "p99": p99,
        "max": int(lengths.max()),
        "truncated": round(float((lengths > limit).mean()), 4),
    }


def _positions(model: Any) -> int | None:
    """How many tokens the model can take; None if it does not say."""
    config = getattr(getattr(model[0], "model", None), "config", None)
    found = getattr(config, "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def _json(file: Path) -> Any:
    try:
        return parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
