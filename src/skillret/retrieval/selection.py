"""Which of the ranked skills an agent is handed: as many as the request needs."""

from __future__ import annotations

from collections.abc import Sequence

from skillret.arrays import Float32

__all__ = ["MAX_SELECTED", "SAME", "choose"]

MAX_SELECTED = 10
# Cosine from which a skill does what a selected one already does.
SAME = 0.9

# Of the share, where a skill fits a part of the request that no selected one fits.
_NEW_PART = 0.4

# Probability that a selected skill has at least. A request may well ask for something that no skill
# of a small library does: in parts of dev's with 60 skills a tenth of such requests get nothing, at
# .05 it would be a third. But casual requests, whose probabilities are low, lose the right skill
# then, 3.6 of 100 beside the example skills (benchmarks/absent.py).
_LEAST = 0.01


def choose(
    likely: Sequence[float],
    vectors: Float32,
    parts: Sequence[int],
    share: float,
    limit: int = MAX_SELECTED,
) -> list[int]:
    """Positions of the selected skills among ranked ones, best first.

    Args:
        likely: Probability that each ranked skill is needed, or any other score, best first.
        vectors: Their vectors, float32 `(m, dim)`, rows of unit length.
        parts: The part of the request that each fits best; -1 where none is known. A request for
            several skills names each in a sentence of its own, so the best of another part needs
            less.
        share: The best one is joined by those that reach this share of its probability. On dev a
            share does better than a fixed probability: where a request needs several skills, each
            of them is less sure.
        limit: How many at most.
    """
    chosen: list[int] = []
    met = {-1}
    for position, (p, part) in enumerate(zip(likely, parts, strict=True)):
        if len(chosen) == limit or p < _LEAST:
            break
        if chosen and p < (share if part in met else _NEW_PART * share) * likely[0]:
            continue
        if chosen and float((vectors[chosen] @ vectors[position]).max()) >= SAME:
            continue
        chosen.append(position)
        met.add(part)
    return chosen
