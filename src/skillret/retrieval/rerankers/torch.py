"""Rerankers run by torch and transformers: cross-encoders of BERT's kind, and Qwen3-Reranker."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skillret.arrays import Float32
from skillret.encoders.per_process import PerProcess
from skillret.errors import EncoderError, SkillretError
from skillret.extras import require
from skillret.files import expand
from skillret.retrieval.rerankers.pairs import PairTokens, pad
from skillret.retrieval.rerankers.profile import (
    PROFILE,
    RerankerProfile,
    kind_of_architecture,
)

__all__ = ["TorchReranker", "profile_of_model"]

_UNKNOWN = 1e7  # a tokenizer without a limit says so with a number beyond any text
_ENCODER_TOKENS, _DECODER_TOKENS = 512, 8192  # of a pair, where a model says no less


class TorchReranker:
    """A cross-encoder from a folder or the hub; safetensors only, and no code of the model's.

    An encoder's score is its one logit, a decoder's the log-odds of "yes" over "no" as the next
    token. A folder that `skillret train` made has a `reranker.json`, which says how it wants its
    texts; any other model gets SkillRet's instruction and template. Threads take turns.

    Args:
        model: Folder, or hub id (optionally `id@revision`).
        device: torch device; a GPU if there is one if None.
        batch_size: Pairs of one forward pass.

    Raises:
        EncoderError: If it cannot be loaded, or is no reranker.
        MissingExtraError: If torch or transformers is not installed.
    """

    def __init__(self, model: str, *, device: str | None = None, batch_size: int = 20) -> None:
        require("train", f"the reranker {model!r}", ("torch", "transformers"))
        import torch
        from transformers import (
            AutoConfig,
            AutoModelForCausalLM,
            AutoModelForSequenceClassification,
            AutoTokenizer,
        )

        folder = expand(model)
        local = folder.is_dir()
        name, _, revision = (str(folder), "", "") if local else model.partition("@")
        options: dict[str, Any] = {"revision": revision or None, "trust_remote_code": False}
        if not local:
            from skillret.encoders.sentence_transformers import hub_is_away

            options["local_files_only"] = hub_is_away(name, revision)
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            config = AutoConfig.from_pretrained(name, **options)
            tokenizer = AutoTokenizer.from_pretrained(name, **options)
            self.profile = profile_of_model(folder if local else None, model, config, tokenizer)
            kind = AutoModelForSequenceClassification
            if self.profile.kind == "decoder":
                kind = AutoModelForCausalLM
            self._model: Any = kind.from_pretrained(
                name,
                use_safetensors=True,  # a pickle can run code
                dtype=torch.float32 if self._device == "cpu" else torch.bfloat16,
                **options,
            )
        except SkillretError:
            raise
        except Exception as e:  # hub, file and format errors come in many classes
            reason = next(iter(str(e).strip().splitlines()), type(e).__name__)
            raise EncoderError(
                f"cannot load the reranker {model!r}: {reason} (a hub id needs the network once;"
                " offline give a folder that holds the model)"
            ) from None
        self._model.to(self._device).eval()
        self._pairs = PairTokens(tokenizer.backend_tokenizer, self.profile)
        takes = inspect.signature(self._model.forward).parameters
        self._types = "token_type_ids" in takes and not self._pairs.left
        self._batch_size = batch_size
        self._turn = PerProcess(threading.Lock)

    @property
    def name(self) -> str:
        """What results call it."""
        return self.profile.name

    @property
    def template(self) -> str:
        """How documents are to be made."""
        return self.profile.template

    def scores(self, query: str, documents: Sequence[str]) -> Float32:
        """A number for each document, float32 `(n,)`; see `skillret.retrieval.rerank.Reranker`."""
        pairs = self._pairs.encode([(query, d) for d in documents])
        out = np.zeros(len(pairs), dtype=np.float32)
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i].ids))
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            batch = pad([pairs[i] for i in rows], left=self._pairs.left, types=self._types)
            with self._turn():
                out[rows] = self._forward(batch)
        return out

    def _forward(self, batch: dict[str, Any]) -> Float32:
        import torch

        inputs = {name: torch.from_numpy(a).to(self._device) for name, a in batch.items()}
        with torch.inference_mode():
            if self._pairs.answers is None:
                logits = self._model(**inputs).logits[:, 0]
            else:
                yes, no = self._pairs.answers
                last = self._model(**inputs, use_cache=False, logits_to_keep=1).logits[:, -1]
                logits = last[:, yes] - last[:, no]
        return np.asarray(logits.float().cpu().numpy(), dtype=np.float32)


def profile_of_model(
    folder: Path | None, name: str, config: Any, tokenizer: Any
) -> RerankerProfile:
    """The profile of a model: its own, or what its configuration says.

    Args:
        folder: Where it lies, if not on the hub.
        name: As it was asked for.
        config: Its configuration by transformers.
        tokenizer: Its tokenizer by transformers.

    Raises:
        EncoderError: If it is no reranker.
    """
    if folder is not None and (folder / PROFILE).is_file():
        return RerankerProfile.load(folder)
    if folder is not None and "Pooling" in _text(folder / "modules.json"):
        raise EncoderError(f"{name!r} is no reranker: it is an embedding model, for --model")
    architecture = next(iter(config.architectures or ()), "unknown")
    kind = kind_of_architecture(architecture)
    if kind is None or (kind == "encoder" and config.num_labels != 1):
        what = f"{architecture} of {config.num_labels} labels" if kind else architecture
        raise EncoderError(
            f"{name!r} is no reranker: it is a {what}, and a reranker is a"
            " ...ForSequenceClassification of one label or a ...ForCausalLM; skillret train --kind"
            " reranker makes one"
        )
    most = _ENCODER_TOKENS if kind == "encoder" else _DECODER_TOKENS
    limits = (most, tokenizer.model_max_length, getattr(config, "max_position_embeddings", None))
    return RerankerProfile(
        folder.name if folder is not None else name,
        kind=kind,
        max_tokens=min(int(n) for n in limits if isinstance(n, int | float) and 0 < n < _UNKNOWN),
        source="the model's own configuration",
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
