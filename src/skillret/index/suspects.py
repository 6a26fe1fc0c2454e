"""Skills that draw queries which are not theirs: what a person should look at, and perhaps remove.

Told by their text alone, in a second or two for thousands of skills. A body of other skills'
queries speaks as users do, of ever new things: of what many other skills do, or at least hardly of
what its own description says. A clone has the description of another skill under another name.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from skillret.lexical.analyzer import STOP_WORDS
from skillret.types import Skill

__all__ = ["Suspect", "find_suspects"]

_WORD = re.compile(r"[^\W\d_]{3,}")
_TOKEN = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ASKS = re.compile(
    r"\b(?:i|i'm|i've|i'd|my|me|we|we're|our|us|can you|could you|please|let's|help)\b|\?\s*$",
    re.IGNORECASE,
)
# Chosen on two sets of 2,550 and 2,571 skills: none of them is taken for such a body. Of 144 bodies
# of 40 to 3,000 queries, some described by queries too, 140 are. Of 21,647 other skills five are.
_SAMPLE = 150  # sentences that are looked at, evenly over the body
_LEAST = 30
_NEW = 0.7  # distinct words among the first of the sample
_FIRST = 600
_ASKED = 0.15  # sentences that a user would say
_OWN = 0.6  # sentences that share a word with name or description, at most
_SPREAD = 0.3  # skills that are each meant by a sentence more than its own, for each sentence
_RARE = 0.02  # of the skills that a word may be used by to say which one is meant
_MEANT = 1.6  # rare words that do, of three skills each: a rarer one counts for more
# Among few skills such a body speaks of things that none of them does, and its text alone tells:
_FEW, _FEW_NEW, _FEW_OWN = 200, 0.75, 0.3
_ALIKE = 0.9  # shared words of two descriptions
_LEAST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Suspect:
    """A skill that may draw queries of others.

    Attributes:
        skill: It.
        reason: Why, for people; to be read after its name.
    """

    skill: Skill
    reason: str


def find_suspects(skills: Sequence[Skill]) -> list[Suspect]:
    """The skills of a library that may draw queries of others.

    Args:
        skills: In order of precedence: of two alike the later one is named.
    """
    copied = _copies(skills)
    topics = _Topics(skills)
    found = []
    for row, skill in enumerate(skills):
        if row in copied:
            like = skills[copied[row]]
            reason = f"its description is nearly that of {like.name!r}, under another name"
            found.append(Suspect(skill, reason))
        elif _holds_queries(skill, row, topics):
            found.append(Suspect(skill, "its text is mostly queries about other things"))
    return found


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def _evenly(parts: Sequence[str]) -> list[str]:
    step = max(1.0, len(parts) / _SAMPLE)
    return [parts[int(n * step)] for n in range(min(len(parts), _SAMPLE))]


class _Topics:
    """What each skill of a library says that it is for, by its words.

    Args:
        skills: The library.
    """

    def __init__(self, skills: Sequence[Skill]) -> None:
        self._skills = skills

    @cached_property
    def _users(self) -> dict[str, list[int]]:
        """Rows of the skills whose name or description holds each word."""
        users: dict[str, list[int]] = {}
        for row, skill in enumerate(self._skills):
            for word in _topic(skill):
                users.setdefault(word, []).append(row)
        return users

    def __len__(self) -> int:
        return len(self._skills)

    def spread(self, row: int, sentences: Sequence[Sequence[str]]) -> float:
        """How many other skills are meant by a sentence of a skill, for each of its sentences.

        Args:
            row: The skill's.
            sentences: Words of each.
        """
        count = len(self)
        enough = _MEANT * math.log(max(count / 3, 2))
        meant = set()
        for words in sentences:
            says: defaultdict[int, float] = defaultdict(float)
            for word in set(words):
                users = self._users.get(word, ())
                if len(users) <= max(3, _RARE * count):
                    for user in users:
                        says[user] += math.log(count / len(users))
            own = says.pop(row, 0.0)
            best, weight = max(says.items(), key=lambda item: item[1], default=(row, 0.0))
            if weight > own and weight >= enough:
                meant.add(best)
        return len(meant) / len(sentences)


def _topic(skill: Skill) -> set[str]:
    return {*_words(f"{skill.name.replace('-', ' ')} {skill.description}")}


def _holds_queries(skill: Skill, row: int, topics: _Topics) -> bool:
    """Whether a body is a list of what users ask for, about anything."""
    lines = _evenly([line for line in skill.body.splitlines() if line.strip()])
    parts = [part for line in lines for part in _SENTENCE_END.split(line)]
    sample = _evenly([part for part in parts if 4 <= len(part.split()) <= 60])
    words = [_words(part) for part in sample]
    first = [word for part in words for word in part][:_FIRST]
    new = len(set(first)) / max(len(first), 1)
    if len(sample) < _LEAST or new < _NEW:
        return False
    if sum(_ASKS.search(part) is not None for part in sample) < _ASKED * len(sample):
        return False
    own = _topic(skill)
    about = sum(not own.isdisjoint(part) for part in words) / len(sample)
    if len(topics) < _FEW and new >= _FEW_NEW and about <= _FEW_OWN:
        return True
    return about <= _OWN and topics.spread(row, words) >= _SPREAD


def _copies(skills: Sequence[Skill]) -> dict[int, int]:
    """Rows of skills whose description an earlier row has under another name, and that row.

    Two texts that share nine tenths of their words share one of the rarest tenth, so that few
    pairs are compared (Chaudhuri et al. 2006, prefix filtering).
    """
    texts = [frozenset(_TOKEN.findall(skill.description.lower())) for skill in skills]
    names = [frozenset(_TOKEN.findall(skill.name.lower())) for skill in skills]
    count = Counter(word for text in texts for word in text)
    met: dict[str, list[int]] = {}
    found: dict[int, int] = {}
    for row, text in enumerate(texts):
        if len(text) < _LEAST_WORDS:
            continue
        rarest = sorted(text, key=lambda word: (count[word], word))
        rarest = rarest[: len(text) - math.ceil(_ALIKE * len(text)) + 1]
        for other in sorted({o for word in rarest for o in met.get(word, ())}):
            theirs = texts[other]
            if (
                len(text & theirs) >= _ALIKE * len(text | theirs)
                and skills[other].name != skills[row].name
                and not _is_family((text, names[row]), (theirs, names[other]))
            ):
                found[row] = other
                break
        for word in rarest:
            met.setdefault(word, []).append(row)
    return found


def _is_family(one: tuple[frozenset[str], ...], other: tuple[frozenset[str], ...]) -> bool:
    """Whether each text says what its name says, and both are the same otherwise."""
    (text, name), (theirs, their_name) = one, other
    mine, others = text - theirs, theirs - text
    return bool(mine & name and others & their_name) or (
        text != theirs and mine <= name and others <= their_name
    )
