"""Encoders: the packaged default, exported ONNX folders, and sentence-transformers models."""

from __future__ import annotations

import os

from skillret.encoders.encoder import (
    BulkEncoder,
    Documents,
    Encoder,
    LateEncoder,
    TokenEncoder,
    Tokens,
    check_texts,
    check_vectors,
    read_chunks,
    read_documents,
)
from skillret.encoders.profile import DOCUMENT_TEMPLATE, Profile
from skillret.encoders.registry import DEFAULT_MODEL, load_encoder

__all__ = [
    "DEFAULT_MODEL",
    "DOCUMENT_TEMPLATE",
    "BulkEncoder",
    "Documents",
    "Encoder",
    "LateEncoder",
    "Profile",
    "TokenEncoder",
    "Tokens",
    "check_texts",
    "check_vectors",
    "load_encoder",
    "read_chunks",
    "read_documents",
]

# From version 1.29 on onnxruntime keeps a device id and reports to its maker, unless this is set
# before it is loaded. Whoever wants that sets it to 0.
if not os.environ.get("ORT_DISABLE_TELEMETRY"):  # empty is what some shells make of an unset one
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
