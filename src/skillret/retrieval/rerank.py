"""A second stage that other packages bring: the best hits read once more, with the query.

A reranker sees the text of each hit beside the query, which is too slow for a library and better
than vectors for a few (SkillRet, arXiv:2605.05726, section 4: the best 20). It decides the order;
scores stay what they were fitted to be, the largest for the first hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from skillret.errors import ExtensionError, InputError
from skillret.extensions import RERANKERS, extension_names, find_extension

__all__ = ["DEPTH", "Reranker", "load_reranker", "rerank_order"]

DEPTH = 20  # hits that are read once more


@runtime_checkable
class Reranker(Protocol):
    """Says how well documents fit a query. May be called from several threads."""

    def scores(self, query: str, documents: Sequence[str]) -> Sequence[float]:
        """A number for each document, the larger the better.

        Args:
            query: The query.
            documents: `name | description | body` of each skill.
        """
        ...


def load_reranker(reranker: str | Reranker | None) -> Reranker | None:
    """A reranker by the name of its entry point (`skillret.rerankers`), or as it is.

    Raises:
        InputError: If no installed package offers one of that name, or an object is none.
        ExtensionError: If the package is broken.
    """
    if reranker is None:
        return None
    if not isinstance(reranker, str):
        if not isinstance(reranker, Reranker):
            raise InputError(f"a {type(reranker).__name__} is no reranker: it has no `scores`")
        return reranker
    extension = find_extension(RERANKERS, reranker)
    if extension is None:
        known = ", ".join(extension_names(RERANKERS)) or "none"
        raise InputError(f"no reranker {reranker!r}; installed packages offer: {known}")
    made: Reranker = extension.make(reranker, kind=Reranker)
    return made


def rerank_order(reranker: Reranker, query: str, documents: Sequence[str]) -> list[int]:
    """Positions of documents, best first; of equal scores the earlier one.

    Raises:
        ExtensionError: If there is not one finite number for each document.
    """
    scores = np.asarray(reranker.scores(query, documents), dtype=np.float64)
    if scores.shape != (len(documents),) or not np.isfinite(scores).all():
        raise ExtensionError(
            f"the reranker {type(reranker).__name__} gave scores of shape {scores.shape} or no"
            f" numbers for {len(documents)} documents; update its package, or do without it"
        )
    return [int(i) for i in np.argsort(-scores, kind="stable")]
