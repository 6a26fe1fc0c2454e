"""Which of the selected skills are sure enough to be named at a prompt that nobody searches for.

A set that was asked for may be generous; what is put beside every prompt may not. The levels were
chosen on dev2 and on prompts that need no skill (benchmarks/agents.py): it is `need` that keeps
silent where nothing fits. With a higher `score` less is named, and what is named is right no more
often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["LEVELS", "MOST_NAMED", "Level", "sure"]

MOST_NAMED = 3


class Level(NamedTuple):
    """How sure a skill must be to be named.

    Attributes:
        need: Probability that the prompt needs any skill, at least, beside the policy's threshold.
        score: Probability of the skill itself, at least.
        share: Of the best skill's, at least.
    """

    need: float
    score: float
    share: float


LEVELS: Mapping[str, Level] = {
    "quiet": Level(0.9, 0.1, 0.5),
    "normal": Level(0.7, 0.1, 0.3),
    "eager": Level(0.0, 0.05, 0.2),
}


def sure(scores: Sequence[float], need: float, level: Level) -> list[int]:
    """Positions of the selected skills that are named, three at most.

    Args:
        scores: Of the selected skills, best first.
        need: Probability that the query needs a skill.
        level: How sure they must be.
    """
    if not scores or need < level.need:
        return []
    least = max(level.score, level.share * scores[0])
    return [place for place, score in enumerate(scores) if score >= least][:MOST_NAMED]
