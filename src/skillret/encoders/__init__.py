"""Encoders: the packaged default, exported ONNX folders, and sentence-transformers models."""

from __future__ import annotations

import os
import re
from pathlib import Path

from skillret.encoders.base import (
    DOCUMENT_TEMPLATE,
    Encoder,
    Profile,
    TokenEncoder,
    Tokens,
    check_vectors,
)
from skillret.errors import EncoderError
from skillret.files import expand

__all__ = [
    "DEFAULT_MODEL",
    "DOCUMENT_TEMPLATE",
    "Encoder",
    "Profile",
    "TokenEncoder",
    "Tokens",
    "check_vectors",
    "load_encoder",
]

# From version 1.29 on onnxruntime keeps a device id and reports to its maker, unless this is set
# before it is loaded. Whoever wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

DEFAULT_MODEL = "default"
_MODEL_FILES = ("modules.json", "config.json", "config_sentence_transformers.json")
_HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?(@[\w./-]+)?")
_DEFAULT_FOLDER = Path(__file__).parent / "default"


def load_encoder(
    model: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    trust_remote_code: bool = False,
) -> Encoder:
    """Load an encoder.

    An ONNX model loads its weights when it first encodes, so this costs next to nothing for one.

    Args:
        model: `default` for the packaged one; a folder with `model.onnx` and `profile.json`;
            or any sentence-transformers model by folder or hub id (`skillret[train]`).
        device: torch device, for sentence-transformers models only.
        trust_remote_code: Run Python code that a sentence-transformers model brings along.

    Raises:
        EncoderError: If the model cannot be loaded.
    """
    if model.startswith("~"):
        model = str(expand(model))
    folder = _onnx_folder(model)
    if folder is not None:
        from skillret.encoders.onnx import OnnxEncoder

        return OnnxEncoder(folder)
    if model and Path(model).is_dir():
        if not any((Path(model) / name).is_file() for name in _MODEL_FILES):
            raise EncoderError(
                f"the folder {model} holds no model: neither model.onnx with profile.json nor a"
                " sentence-transformers model"
            )
    elif model.startswith((".", "/")):
        raise EncoderError(f"no model folder {model}")
    elif not _HUB_ID.fullmatch(model):
        raise EncoderError(
            f"no model {model!r}: it is neither a folder nor a hub id like owner/name"
        )

    from skillret.encoders.sentence_transformers import SentenceTransformerEncoder

    return SentenceTransformerEncoder(model, device=device, trust_remote_code=trust_remote_code)


def _onnx_folder(model: str) -> Path | None:
    if model == DEFAULT_MODEL:
        return _DEFAULT_FOLDER
    folder = Path(model)
    return folder if (folder / "model.onnx").is_file() else None
