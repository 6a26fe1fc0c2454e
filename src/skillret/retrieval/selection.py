"""Which of the ranked skills an agent is handed: as many as the request needs."""

from __future__ import annotations

from collections.abc import Sequence

from skillret.encoders import Float32

__all__ = ["MAX_SELECTED", "SAME", "choose"]

MAX_SELECTED = 10
# Cosine from which a skill does what a selected one already does.
SAME = 0.9


def choose(
    likely: Sequence[float], vectors: Float32, share: float, limit: int = MAX_SELECTED
) -> list[int]:
    """Positions of the selected skills among ranked ones, best first.

    Args:
        likely: Probability that each ranked skill is needed, or any other score, best first.
        vectors: Their vectors, float32 `(m, dim)`, rows of unit length.
        share: The best one is joined by those that reach this share of its probability. On dev a
            share does better than a fixed probability: where a request needs several skills, each
            of them is less sure.
        limit: How many at most.
    """
    chosen: list[int] = []
    for position, p in enumerate(likely):
        if len(chosen) == limit or (chosen and p < share * likely[0]):
            break
        if chosen and float((vectors[chosen] @ vectors[position]).max()) >= SAME:
            continue
        chosen.append(position)
    return chosen
