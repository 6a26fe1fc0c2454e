"""A second stage: the best hits read once more, with the query.

A reranker sees the text of each hit beside the query, which is too slow for a library and better
than vectors for a few (SkillRet, arXiv:2605.05726, section 4: the best 20). A calibration that was
fitted with it takes its score for one more feature of the ranker (`skillret.retrieval.features`).
Without one it decides the order, and scores stay what they were fitted to be, the largest for the
first hit. It is a cross-encoder in a folder or on the hub (`skillret.retrieval.rerankers`), or what
another package brings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from skillret.arrays import Float32, Float64
from skillret.encoders.profile import DOCUMENT_TEMPLATE
from skillret.errors import ExtensionError, InputError, SkillretError
from skillret.extensions import RERANKERS, extension_names, find_extension
from skillret.files import expand
from skillret.skills import document_text
from skillret.types import Skill

__all__ = [
    "DEPTH",
    "Reranker",
    "likeliest",
    "load_reranker",
    "read_again",
    "read_likeliest",
    "rerank_scores",
    "reranker_identity",
    "reranker_name",
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


def reranker_identity(reranker: Reranker) -> str:
    """What tells it from another one: its name, and of its weights the start of a hash if known."""
    weights = str(getattr(getattr(reranker, "profile", None), "weights", ""))
    return f"{reranker_name(reranker)} {weights[:16]}".strip()


def read_again(
    reranker: Reranker,
    query: str,
    keys: Sequence[int],
    texts: Callable[[Sequence[int]], Mapping[int, Skill]],
) -> dict[int, float]:
    """A reranker's score of each skill, by its key; those that are gone meanwhile have none.

    Args:
        reranker: The reranker.
        query: The query.
        keys: Of the skills, the likeliest first.
        texts: Gives skills by their keys.

    Raises:
        EncoderError: As `rerank_scores` does.
        ExtensionError: As `rerank_scores` does.
    """
    skills = texts(keys)
    known = [key for key in keys if key in skills]
    template = str(getattr(reranker, "template", "") or DOCUMENT_TEMPLATE)
    documents = [document_text(skills[key], template) for key in known]
    return dict(zip(known, rerank_scores(reranker, query, documents).tolist(), strict=True))


def likeliest(outputs: Float64) -> NDArray[np.int64]:
    """The candidates that are read once more, by what a ranker orders them by; best first."""
    return np.argsort(-outputs, kind="stable")[:DEPTH]


def read_likeliest(
    reranker: Reranker,
    query: str,
    keys: NDArray[np.int64],
    outputs: Float64,
    texts: Callable[[Sequence[int]], Mapping[int, Skill]],
) -> Float32:
    """A reranker's scores of the candidates that a ranker puts first, float32 `(m,)`.

    The others have the smallest of these.

    Args:
        reranker: The reranker.
        query: The query.
        keys: Of its candidates, `(m,)`.
        outputs: What the ranker orders them by, `(m,)`.
        texts: Gives skills by their keys.
    """
    found = read_again(reranker, query, keys[likeliest(outputs)].tolist(), texts)
    least = min(found.values(), default=0.0)
    return np.array([found.get(key, least) for key in keys.tolist()], dtype=np.float32)


def rerank_scores(reranker: Reranker, query: str, documents: Sequence[str]) -> Float64:
    """A reranker's scores of some documents, `(n,)`, the larger the better.

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
    return scores
