"""Which of the ranked skills an agent is handed: as many as a query needs, or none.

One policy and one function, for searches, calibration, evaluation and benchmarks alike: what is
measured is what an agent gets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from skillret.arrays import Float32
from skillret.lexical.polite import is_small_talk
from skillret.retrieval.called import CALLS, calls_in, plain_name
from skillret.retrieval.negation import only_declines
from skillret.retrieval.sentences import is_list, tasks
from skillret.retrieval.talk import Talk, is_talk, read_talk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skillret.retrieval.calibration import Calibration

__all__ = [
    "TASKS",
    "Chosen",
    "Picked",
    "Ranked",
    "SelectionPolicy",
    "choose",
    "select",
    "spells_identifier",
]

TASKS = 4  # parts of a query that are asked for by themselves at most, where a ranker is at work
_LIKELY = 0.03  # the least probability that a skill is selected at
_GROWTH_POWER = 0.2  # power of a library's size by which shares grow as it shrinks, ...
_LARGEST_SHARE = 0.45  # ... that of rivals to no more than this, ...
_LARGEST_PART = 0.8  # ... and this of it where a skill fits another part of the query
_FEW = 100  # skills; of fewer the best one must be likelier in proportion ...
_LARGEST_LEAST = 0.08  # ... to no more than this
_OF_MATERIAL = 0.2  # the least probability of the best skill beside pasted material
_SERVED = 0.001  # probability of a selected skill in a part of the query that it may well do too
_HEARD = 0.003  # probability in the whole query of a skill that a part of it asks for
_FEWEST_WORDS, _MOST_WORDS = 3, 8  # of a query that spells an identifier
_IDENTIFIER = partial(re.compile, r"\b[A-Za-z]+(?:_[A-Za-z0-9]+|(?<=[a-z])[A-Z][A-Za-z0-9]*)+\b")
_NO_TALK = Talk(frozenset(), frozenset(("/",)))


class Ranked(Protocol):
    """What a selection looks at: skills ranked for one query, best first; see `Ranking`."""

    @property
    def text(self) -> str:
        """The query."""
        ...

    @property
    def keys(self) -> NDArray[np.int64]:
        """int64 `(m,)`."""
        ...

    @property
    def scores(self) -> Float32:
        """Probability that each is needed, or any other score, `(m,)`."""
        ...

    @property
    def parts(self) -> NDArray[np.int64]:
        """The part of the query that each fits best; -1 where none is known."""
        ...

    @property
    def vectors(self) -> Float32 | None:
        """float32 `(m, dim)`, rows of unit length."""
        ...

    @property
    def need(self) -> float | None:
        """Probability that any skill is needed."""
        ...

    @property
    def asks(self) -> float | None:
        """Log odds that the query asks for something, whatever there is."""
        ...


class Picked(NamedTuple):
    """A selected skill: the ranking that it comes from, of the query or a part, and its place."""

    ranking: Ranked
    position: int

    @property
    def key(self) -> int:
        """Its key."""
        return int(self.ranking.keys[self.position])

    @property
    def score(self) -> float:
        """Its score."""
        return float(self.ranking.scores[self.position])


class Chosen(NamedTuple):
    """What an agent is handed.

    Attributes:
        picked: The skills, best first.
        need: Probability that any skill is needed, as of the ranking.
        missing: What of the query no skill does, in its order.
        for_user: Skills that would be picked too if they were not left to the user, best first.
    """

    picked: list[Picked]
    need: float | None
    missing: tuple[str, ...] = ()
    for_user: tuple[Picked, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectionPolicy:
    """How a set is chosen.

    Attributes:
        threshold: Probability of need, or else largest cosine, below which nothing is selected.
        share: Of the best skill's score that another one has at least. On dev a share does better
            than a fixed probability: where a query needs several skills, each is less sure.
        smaller: How many times smaller the library is than the one that the share was chosen in.
            Others need a larger share then: among few skills hardly two do the same, and the second
            one fits by chance.
        new_part: Of the share, where a skill fits a part of the query that no selected one fits: a
            query for several skills names each in a sentence of its own.
        least: Score that a selected skill has at least; a probability .03. In all of dev2 sets are
            complete for 1.7 of 100 queries fewer at .06.
        least_best: The same of the best skill, if it is more. The fewer skills there are, the more
            queries ask for what none of them does: in parts of dev2's and dev's with 60 skills 21
            and 22 of 100 such queries get nothing at .03, 30 and 29 at .05, where 0.3 and 0.2 of
            100 others lose their skill. What stands beside pasted material is brief, and most of
            it asks for nothing that a skill does ("translate this:"): see `beside_material`.
        same: Cosine from which a skill does what a selected one already does.
        tasks: Parts of a query that are asked for by themselves too; more are a story, and none are
            where scores are no probabilities.
        sure: Probability of the best skill of such a part.
        asks: Log odds from which a text surely asks for something: what finds no skill then is
            missing. In parts of dev2 with 60 skills, 33 of 100 tasks beside another one are told
            to be so if their skill is absent, 1 if it is there, and 2 of 100 sentences of queries
            whose skills are all selected; with 300 skills 21, 0 and 2. At 2 it tells 41 of absent
            ones, and 22 of 100 remarks by themselves ("it should look professional") instead of 8.
        limit: How many skills at most.
    """

    threshold: float = 0.0
    share: float = 0.6
    smaller: float = 1.0
    new_part: float = 0.4
    least: float = 0.01
    least_best: float = 0.0
    same: float = 0.9
    tasks: int = 0
    sure: float = 0.2
    asks: float = 3.0
    limit: int = 10

    @classmethod
    def of(cls, calibration: Calibration | None) -> SelectionPolicy:
        """The policy that was fitted, or the one for scores that are no probabilities."""
        if calibration is None:
            return cls()
        share = calibration.ranker.share
        return cls(calibration.threshold or 0.0, share, least=_LIKELY, tasks=TASKS)

    def among(self, skills: int, calibration: Calibration | None) -> SelectionPolicy:
        """The policy for a library of some size."""
        if calibration is None:
            return self
        return replace(
            self,
            smaller=max(calibration.ranker.need_skills / max(skills, 1), 1.0),
            least_best=min(self.least * _FEW / max(skills, 1), _LARGEST_LEAST),
        )

    def beside_material(self) -> SelectionPolicy:
        """The policy for a query of which pasted material was left out that it gives no name.

        In parts of dev's and dev2's with 60 skills 22 such queries get their skill, each at .3 or
        more.
        """
        return replace(self, least_best=max(self.least_best, _OF_MATERIAL))

    @property
    def rivals_share(self) -> float:
        """Of the best skill's score that one has at least which fits what a selected one fits."""
        return max(self.share, min(self.share * self._growth, _LARGEST_SHARE))

    @property
    def others_share(self) -> float:
        """The same of one that fits another part of the query."""
        part = max(self.new_part, min(self.new_part * self._growth, _LARGEST_PART))
        return self.share * part

    @property
    def _growth(self) -> float:
        return math.pow(self.smaller, _GROWTH_POWER)

    @property
    def depth(self) -> int:
        """Ranked skills that are looked at."""
        return 2 * self.limit


def select(
    whole: Ranked,
    rank: Callable[[str, int], Ranked],
    names: Callable[[Sequence[int]], Mapping[int, Collection[str]]],
    policy: SelectionPolicy,
) -> Chosen:
    """The skills that an agent is handed, and what none of them does.

    Nothing if a skill is not likely enough to be needed, else the best hit and the others that are
    likely enough, without near-duplicates. A query that is a skill's name gets that skill in any
    case: a word says little, unless it is what a skill is called. If people say it anyway ("ok",
    "continue please") the skill is left out, unless it is called by a sign ("/continue"); in
    Korean, Japanese and Chinese, which most encoders do not read, it gets nothing at all, and
    neither does a query that only declines ("don't use X"). A call, by a sign or by a name that is
    no word, asks for nothing else. Where a query has two to four parts, or lists up to ten tasks,
    each is searched for by itself as well, since the skill for one task stands little chance beside
    that for another one. A part that surely asks for something, and finds nothing likely, is
    missing; so is the whole query where nothing is selected.

    Args:
        whole: The ranking of the query.
        rank: Ranks another text: asked for the best skills of each part.
        names: All names of skills, by their keys.
        policy: How to choose.
    """
    talk = _NO_TALK if whole.text.startswith(CALLS) else read_talk(whole.text)
    if (talk is not _NO_TALK and is_small_talk(whole.text)) or only_declines(whole.text):
        return Chosen([], whole.need)
    positions = choose(whole, policy)
    if whole.need is not None and whole.need < policy.threshold:
        positions = []
    called, alone = _called(whole, names, policy)
    positions = called if alone else sorted({*positions, *called})
    picked = _meant(
        [Picked(whole, position) for position in positions[: policy.limit]], names, talk
    )
    if not talk.asked:
        return Chosen(picked, whole.need)
    missing: list[str] = []
    needed = whole.need is None or whole.need >= policy.threshold
    if policy.tasks and len(whole.keys) and (picked or needed):
        # Where no skill fits the whole, its sentences are hardly tasks; what it lists are.
        parts = tasks(whole.text, policy.tasks if picked else 0)
        added, missing = _of_parts(whole, parts, picked, rank, policy)
        picked += _meant(added, names, talk)
        picked.sort(key=lambda p: -p.score)
    if not picked:
        missing = _asked_in_vain(whole, policy)
    return Chosen(picked[: policy.limit], whole.need, tuple(missing))


def choose(ranked: Ranked, policy: SelectionPolicy) -> list[int]:
    """Positions of the selected skills in one ranking, best first."""
    chosen: list[int] = []
    met = {-1}
    least = max(policy.least, policy.least_best)
    scores, parts = ranked.scores[: policy.depth].tolist(), ranked.parts.tolist()
    vectors = ranked.vectors
    assert vectors is not None
    for position, score in enumerate(scores):
        if len(chosen) == policy.limit or score < least:
            break
        share = policy.rivals_share if parts[position] in met else policy.others_share
        if chosen and score < share * scores[0]:
            continue
        if chosen and float((vectors[chosen] @ vectors[position]).max()) >= policy.same:
            continue
        chosen.append(position)
        least = policy.least
        met.add(parts[position])
    return chosen


def _called(
    ranked: Ranked,
    names: Callable[[Sequence[int]], Mapping[int, Collection[str]]],
    policy: SelectionPolicy,
) -> tuple[list[int], bool]:
    """Positions of the skills that are called what the query says, or that it names in its text.

    And whether it asks for nothing else.
    """
    calls = calls_in(ranked.text)
    if not (calls.said or calls.whole):
        return [], False
    keys = ranked.keys[: policy.depth].tolist()
    known = names(keys)
    called = [i for i, key in enumerate(keys) if calls.fit(known.get(key, ()))]
    own = {name.casefold() for i in called for name in known[keys[i]]}
    return called, calls.alone in own


def _meant(
    picked: list[Picked],
    names: Callable[[Sequence[int]], Mapping[int, Collection[str]]],
    talk: Talk,
) -> list[Picked]:
    """Those of the picked skills that are not called by what people say between tasks."""
    if not picked or not (talk.said or talk.back):
        return picked
    known = names([p.key for p in picked])
    return [p for p in picked if not any(map(talk.has, known.get(p.key, ())))]


def spells_identifier(query: str, text: str) -> bool:
    """Whether a query says, word by word, how an identifier in a text begins.

    "no such bean definition" is NoSuchBeanDefinitionException: nobody says that by chance, though
    its words say little. Names of code are of several words, in camelCase or with underscores.
    """
    words = plain_name(query).split()
    if not _FEWEST_WORDS <= len(words) <= _MOST_WORDS or is_talk(query):
        return False
    wanted = "".join(words)
    return any(
        found[0].replace("_", "").casefold().startswith(wanted)
        for found in _IDENTIFIER().finditer(text)
    )


def _of_parts(
    whole: Ranked,
    parts: Sequence[tuple[int, int]],
    picked: Sequence[Picked],
    rank: Callable[[str, int], Ranked],
    policy: SelectionPolicy,
) -> tuple[list[Picked], list[str]]:
    """The best skill of each part of a query, where it is likely and none of the picked.

    And the parts that no skill does.

    Taken by itself a part ("and what should I charge") may ask for what the query does not; then
    the skill fits the query as a whole hardly at all. What is listed is asked for.
    """
    heard = dict(zip(whole.keys.tolist(), whole.scores.tolist(), strict=True))
    below = float(whole.scores[-1]) if len(whole.keys) >= policy.depth else 0.0  # at most
    listed = is_list(whole.text)
    added: list[Picked] = []
    missing: list[str] = []
    assert whole.vectors is not None
    vectors = whole.vectors[np.array([p.position for p in picked], dtype=np.int64)]
    for start, end in parts:
        ranked = rank(whole.text[start:end], policy.depth)
        if not len(ranked.keys):
            continue
        best = Picked(ranked, 0)
        assert ranked.vectors is not None
        known = {p.key for p in (*picked, *added)}
        like = (vectors @ ranked.vectors[0]).max(initial=np.float32(-1.0))
        if best.key in known or float(like) >= policy.same:
            continue
        if best.score < policy.sure:
            served = ranked.scores[np.isin(ranked.keys, list(known))].max(initial=np.float32(0.0))
            missing += _asked_in_vain(ranked, policy) if served < _SERVED else []
            continue
        if (ranked.need or 0.0) < policy.threshold:
            continue
        if not listed and heard.get(best.key, below) < _HEARD:
            continue
        added.append(best)
        vectors = np.concatenate([vectors, ranked.vectors[:1]])
    return added, missing


def _asked_in_vain(ranked: Ranked, policy: SelectionPolicy) -> list[str]:
    """The text of a ranking in which nothing is selected, if it surely asks for something."""
    return [ranked.text] if ranked.asks is not None and ranked.asks >= policy.asks else []
