"""Published figures on SkillRet's two test splits: reference rows, never ours.

They belong to one split each and are shown beside results of that split alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Published", "published_rows"]


@dataclass(frozen=True, slots=True)
class Published:
    """One row that someone else measured.

    Attributes:
        system: Model and kind of retrieval.
        source: Where the figures stand.
        metrics: What was published, by our names of metrics.
    """

    system: str
    source: str
    metrics: Mapping[str, float]


_PAPER = "arXiv:2605.05726"
_CARD = "model card"
_README = "README of the authors' code, split v1.1"

_CARD_CUTS = tuple(f"{f}@{k}" for f in ("ndcg", "recall", "completeness") for k in (5, 10, 15))
_README_CUTS = ("ndcg@5", "ndcg@10", "recall@10", "completeness@10")


def _card(system: str, *values: float) -> Published:
    return Published(system, _CARD, dict(zip(_CARD_CUTS, values, strict=True)))


def _readme(system: str, *percent: float) -> Published:
    values = (round(p / 100, 6) for p in percent)
    return Published(system, _README, dict(zip(_README_CUTS, values, strict=True)))


def _paper(system: str, ndcg: float) -> Published:
    return Published(system, _PAPER, {"ndcg@10": ndcg})


# By number of skills and of queries, which tell the two splits apart.
_ROWS: dict[tuple[int, int], Sequence[Published]] = {
    (6660, 4997): (
        _paper("BM25", 0.489),
        _paper("bge-small-en-v1.5", 0.517),
        _paper("snowflake-arctic-embed-s", 0.530),
        _paper("Qwen3-Embedding-0.6B", 0.584),
        _paper("harrier-oss-v1-0.6b", 0.666),
        _paper("SkillRouter-Embedding-0.6B", 0.704),
        _card(
            "SkillRet-Embedding-0.6B",
            *(0.7557, 0.7803, 0.7887, 0.7915, 0.8542, 0.8809, 0.6596, 0.7509, 0.7903),
        ),
        _card(
            "SkillRet-Embedding-8B",
            *(0.8123, 0.8345, 0.8418, 0.8558, 0.9123, 0.9355, 0.7562, 0.8463, 0.8841),
        ),
    ),
    (6006, 4392): (
        _readme("BM25", 49.31, 51.69, 59.41, 44.56),
        _readme("bge-small-en-v1.5", 52.57, 54.51, 60.01, 43.97),
        _readme("snowflake-arctic-embed-s", 54.48, 56.39, 61.96, 46.22),
        _readme("bge-large-en-v1.5", 57.04, 59.00, 64.37, 48.34),
        _readme("Qwen3-Embedding-0.6B", 59.92, 61.94, 67.87, 51.09),
        _readme("harrier-oss-v1-0.6b", 68.16, 70.26, 76.16, 61.61),
        Published("SkillRet-Edge-22M", _CARD, {"ndcg@10": 0.7526}),
        _readme("SkillRet-Embedding-0.6B", 79.02, 81.12, 87.74, 78.94),
        # The card of Edge-22M: measured again with the query prompt of training.
        Published(
            "SkillRet-Embedding-0.6B, corrected", "card of SkillRet-Edge-22M", {"ndcg@10": 0.7848}
        ),
        _readme("SkillRet-Embedding-8B", 84.58, 86.44, 93.25, 88.11),
    ),
}


def published_rows(n_skills: int, n_queries: int) -> Sequence[Published]:
    """The published rows of the split with so many skills and queries; none of any other data."""
    return _ROWS.get((n_skills, n_queries), ())
