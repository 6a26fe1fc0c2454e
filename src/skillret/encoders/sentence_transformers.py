"""Any sentence-transformers model, by hub id or folder (needs `skillret[train]`)."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skillret.arrays import Float32
from skillret.encoders.encoder import check_texts, check_vectors
from skillret.encoders.families import find_profile
from skillret.encoders.per_process import PerProcess
from skillret.encoders.profile import Profile
from skillret.errors import EncoderError
from skillret.extras import require
from skillret.files import expand

__all__ = ["SentenceTransformerEncoder", "hub_is_away"]

_CHUNK = 256  # documents between two reports of progress


def hub_is_away(name: str, revision: str) -> bool:
    """Whether the hub does not answer: what it has cached then loads without a minute's waiting.

    Args:
        name: A model.
        revision: Of the model, or "".
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(name, revision=revision or None, timeout=10)
    except (HfHubHTTPError, ValueError):  # it answered, or would not be asked for such a name
        return False
    except Exception:  # of the network, in classes of the HTTP client
        return True
    return False


class SentenceTransformerEncoder:
    """An encoder run by sentence-transformers.

    A folder with a `profile.json` gets that, and a model of a known family gets that family's
    profile; any other gets the prompts and the length that sentence-transformers reads from the
    model itself, and `note` says so. Threads take turns, a chunk of texts each, so that a query
    does not wait for a whole library. `folder` is where the model lies, None for one of the hub.

    Args:
        model: Hub id (optionally `id@revision`) or folder.
        device: torch device; chosen by sentence-transformers if None.
        batch_size: Texts of one forward pass.
        trust_remote_code: Run Python code that the model brings along. Never on by default.
        profile: Overrides the profile found by name.

    Raises:
        EncoderError: If the model cannot be loaded.
        MissingExtraError: If sentence-transformers is not installed.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        device: str | None = None,
        batch_size: int = 32,
        trust_remote_code: bool = False,
        profile: Profile | None = None,
    ) -> None:
        model = os.fspath(model)
        require(
            "train",
            f"{model!r} is no folder with model.onnx; any other model",
            ("sentence_transformers", "torch"),
            instead="or leave out --model for the packaged one",
        )
        from sentence_transformers import SentenceTransformer

        self.folder = Path(model) if Path(model).is_dir() else None
        name, _, revision = (model, "", "") if self.folder else model.partition("@")
        try:
            self._model: Any = SentenceTransformer(
                name,
                device=device,
                revision=revision or None,
                trust_remote_code=trust_remote_code,
                local_files_only=self.folder is None and hub_is_away(name, revision),
                # safetensors only: a pickle can run code.
                model_kwargs={"use_safetensors": True},
            )
        except Exception as e:  # hub, file and format errors come in many classes
            reason = next(iter(str(e).strip().splitlines()), type(e).__name__)
            raise EncoderError(
                f"cannot load the model {model!r}: {reason} (a hub id needs the network once;"
                " offline give a folder that holds the model)"
            ) from None
        self._batch_size = batch_size
        self._turn = PerProcess(threading.Lock)
        self.note: str | None = None
        chosen = profile or _stored_profile(name) or find_profile(model)
        if chosen is None:
            chosen = self._own_profile(model)
            self.note = (
                f"no profile for {model!r}: using the prompts and length that the model brings"
            )
        own_limit = int(self._model.max_seq_length or chosen.max_document_tokens)
        dim = self._model.get_embedding_dimension()
        self.profile: Profile = replace(
            chosen,
            max_query_tokens=min(chosen.max_query_tokens, own_limit),
            max_document_tokens=min(chosen.max_document_tokens, own_limit),
            dim=int(dim),
            weights=_hash_weights(self._model),
            token_dim=0,  # tokens are shown by exported models alone
            token_projection="",
        )

    @property
    def model(self) -> Any:
        """The `SentenceTransformer` itself, for what goes beyond encoding."""
        return self._model

    def _own_profile(self, model: str) -> Profile:
        prompts: dict[str, str] = dict(self._model.prompts or {})
        limit = int(self._model.max_seq_length or 512)
        return Profile(
            name=model,
            query_prompt=prompts.get("query") or "",
            document_prompt=prompts.get("document") or prompts.get("passage") or "",
            max_query_tokens=limit,
            max_document_tokens=limit,
            source="the model's own sentence-transformers configuration",
        )

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode queries; see `Encoder.encode_queries`."""
        p = self.profile
        return self._encode(texts, p.query_prompt, p.max_query_tokens, None)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        """Encode documents; see `Encoder.encode_documents`."""
        p = self.profile
        return self._encode(texts, p.document_prompt, p.max_document_tokens, progress)

    def _encode(
        self,
        texts: Sequence[str],
        prompt: str,
        max_tokens: int,
        progress: Callable[[int], None] | None,
    ) -> Float32:
        texts = check_texts(texts)
        out = np.zeros((len(texts), self.profile.dim), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            with self._turn():
                # The model holds it, so it is set in every turn.
                self._model.max_seq_length = max_tokens
                vectors = self._model.encode(
                    [texts[i] for i in rows],
                    # "" rather than None: None would let the model's default prompt in.
                    prompt=prompt,
                    batch_size=self._batch_size,
                    normalize_embeddings=True,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
            out[rows] = np.asarray(vectors, dtype=np.float32)
            if progress is not None:
                progress(len(rows))
        return check_vectors(out, self.profile.name)


def _stored_profile(model: str) -> Profile | None:
    """The profile that training wrote into a model folder, if there is one."""
    file = expand(model) / "profile.json"
    return Profile.load(file) if file.is_file() else None


def _hash_weights(model: Any) -> str:
    """SHA-256 over the names and bytes of all tensors: the same for a folder and a hub id."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(data.numpy().tobytes())
    return digest.hexdigest()
