"""Which encoder a name, a path or an object is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from skillret.encoders.encoder import Encoder
from skillret.encoders.profile import Profile
from skillret.errors import EncoderError
from skillret.extensions import ENCODERS, extension_names, find_extension
from skillret.files import expand

__all__ = ["DEFAULT_MODEL", "load_encoder"]

DEFAULT_MODEL = "default"
_MODEL_FILES = ("modules.json", "config.json", "config_sentence_transformers.json")
_URLS = ("http://", "https://")
_HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?(@[\w./-]+)?")
_DEFAULT_FOLDER = Path(__file__).parent / "default"


def load_encoder(
    model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
    *,
    device: str | None = None,
    trust_remote_code: bool = False,
    threads: int = 0,
) -> Encoder:
    """Load an encoder.

    An ONNX model loads its weights when it first encodes, so this costs next to nothing for one.

    Args:
        model: `default` for the packaged one; a folder with `model.onnx` and `profile.json`; a
            name that an installed package offers (`skillret.extensions`); the URL of a server of
            embeddings (`RemoteEncoder`); or any sentence-transformers model by folder or hub id
            (`skillret[train]`). A path is always a folder. An encoder is returned as it is.
        device: torch device, for sentence-transformers models and those of other packages.
        trust_remote_code: Run Python code that a sentence-transformers model brings along.
        threads: Of a pass over documents, for ONNX models; all physical cores if 0.

    Raises:
        EncoderError: If the model cannot be loaded, or is no encoder.
        ExtensionError: If a package that offers it fails.
        InputError: If it is a URL that cannot be one of a model.
        MissingExtraError: If it needs sentence-transformers or httpx, which is not installed.
    """
    if not isinstance(model, str | os.PathLike):
        return _checked(model)
    name = os.fspath(model)
    if isinstance(model, str) and name.lower().startswith(_URLS):
        from skillret.encoders.remote import RemoteEncoder

        return RemoteEncoder(name)
    if name.startswith("~"):
        name = str(expand(name))
    is_path = not isinstance(model, str) or name.startswith((".", "/"))
    folder = _DEFAULT_FOLDER if model == DEFAULT_MODEL else Path(name)
    if name and (folder / "model.onnx").is_file():
        from skillret.encoders.onnx import OnnxEncoder

        return OnnxEncoder(folder, threads)
    options: dict[str, Any] = {"device": device, "trust_remote_code": trust_remote_code}
    if name and folder.is_dir():
        if not any((folder / file).is_file() for file in _MODEL_FILES):
            raise EncoderError(
                f"the folder {name} holds no model: neither model.onnx with profile.json nor a"
                " sentence-transformers model"
            )
    elif is_path:
        raise EncoderError(f"no model folder {name}")
    elif (extension := find_extension(ENCODERS, name)) is not None:
        return _checked(extension.make(name, kind=Encoder, **options))
    elif not _HUB_ID.fullmatch(name):
        offered = ", ".join(extension_names(ENCODERS))
        raise EncoderError(
            f"no model {name!r}: it is neither a folder nor a hub id like owner/name"
            + (f", nor one of those that packages offer: {offered}" if offered else "")
        )

    from skillret.encoders.sentence_transformers import SentenceTransformerEncoder

    return SentenceTransformerEncoder(name, **options)


def _checked(encoder: object) -> Encoder:
    """An encoder of someone else's, if it is one."""
    if isinstance(encoder, Encoder) and not isinstance(encoder, type):
        profile = encoder.profile
        if isinstance(profile, Profile) and profile.dim and profile.weights:
            return encoder
        raise EncoderError(
            f"{type(encoder).__name__} is no encoder: its `profile` must be a skillret.Profile"
            " that says `dim` and `weights`, a hash of what its vectors come from"
        )
    lacking = [
        n for n in ("profile", "encode_queries", "encode_documents") if not hasattr(encoder, n)
    ]
    raise EncoderError(
        f"no model: {encoder!r:.60} is neither a name, a path nor an encoder"
        + (f" (it has no {', '.join(lacking)})" if lacking else "")
    )
