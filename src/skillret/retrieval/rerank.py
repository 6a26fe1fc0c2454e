"""A second stage: the best hits read once more, with the query.

A reranker sees the text of each hit beside the query, which is too slow for a library and better
than vectors for a few (SkillRet, arXiv:2605.05726, section 4: the best 20). It decides the order;
scores stay what they were fitted to be, the largest for the first hit. It is a cross-encoder in a
folder or on the hub (`skillret.retrieval.rerankers`), or what another package brings.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from skillret.encoders.profile import DOCUMENT_TEMPLATE
from skillret.errors import ExtensionError, InputError, SkillretError
from skillret.extensions import RERANKERS, extension_names, find_extension
from skillret.files import expand

__all__ = [
    "DEPTH",
    "Reranker",
    "load_reranker",
    "rerank_order",
    "reranker_name",
    "reranker_template",
]

DEPTH = 20  # hits that are read once more


@runtime_checkable
class Reranker(Protocol):
    """Says how well documents fit a query. May be called from several threads.

    It may have a `template`, how documents are to be made of skills, and a `name` for people.
    """

    def scores(self, query: str, documents: Sequence[str]) -> Sequence[float] | NDArray[Any]:
        """A number for each document, the larger the better.

        Args:
            query: The query.
            documents: `name | description | body` of each skill, or as its template says.
        """
        ...


def load_reranker(reranker: str | os.PathLike[str] | Reranker | None) -> Reranker | None:
    """A reranker by name, or as it is.

    Args:
        reranker: The name of an entry point (`skillret.rerankers`), a model folder, a hub id
            (`OWNER/NAME`, optionally `@revision`), or an object.

    Raises:
        InputError: If there is none of that name, or an object is none.
        EncoderError: If a model cannot be loaded, or is no reranker.
        ExtensionError: If a package is broken.
        MissingExtraError: If a library is not installed that the model needs.
    """
    if reranker is None:
        return None
    if not isinstance(reranker, str | os.PathLike):
        if not isinstance(reranker, Reranker):
            raise InputError(f"a {type(reranker).__name__} is no reranker: it has no `scores`")
        return reranker
    name = os.fspath(reranker)
    extension = find_extension(RERANKERS, name)
    if extension is not None:
        made: Reranker = extension.make(name, kind=Reranker)
        return made
    folder = expand(name)
    if (folder / "model.onnx").is_file():
        from skillret.retrieval.rerankers.onnx import OnnxReranker

        return OnnxReranker(folder)
    if (folder / "config.json").is_file() or (not folder.exists() and _is_hub_id(name)):
        from skillret.retrieval.rerankers.torch import TorchReranker

        return TorchReranker(name)
    if folder.is_dir():
        raise InputError(f"{name} is no reranker: it holds neither model.onnx nor config.json")
    known = ", ".join(extension_names(RERANKERS)) or "none"
    raise InputError(
        f"no reranker {name!r}; installed packages offer: {known}; a model is a folder, or a hub id"
        " such as OWNER/NAME"
    )


def _is_hub_id(name: str) -> bool:
    owner, slash, model = name.partition("/")
    return bool(owner and slash and model) and "/" not in model and not name.startswith((".", "~"))


def reranker_name(reranker: Reranker) -> str:
    """What people are told."""
    return str(getattr(reranker, "name", "") or type(reranker).__name__)


def reranker_template(reranker: Reranker) -> str:
    """How it wants documents."""
    return str(getattr(reranker, "template", "") or DOCUMENT_TEMPLATE)


def rerank_order(reranker: Reranker, query: str, documents: Sequence[str]) -> list[int]:
    """Positions of documents, best first; of equal scores the earlier one.

    Raises:
        EncoderError: If a model fails.
        ExtensionError: If a package's reranker fails, or does not give one finite number for each
            document.
    """
    name = reranker_name(reranker)
    try:
        scores = np.asarray(reranker.scores(query, documents), dtype=np.float64)
    except SkillretError:
        raise
    except Exception as e:  # it is not our code, or torch's classes of errors
        reason = " ".join(str(e).split())
        raise ExtensionError(
            f"the reranker {name} fails: {type(e).__name__}: {reason:.200}; search without it, or"
            " with another one"
        ) from e
    if scores.shape != (len(documents),) or not np.isfinite(scores).all():
        raise ExtensionError(
            f"the reranker {name} gave scores of shape {scores.shape} or no"
            f" numbers for {len(documents)} documents; update its package, or do without it"
        )
    return [int(i) for i in np.argsort(-scores, kind="stable")]
