"""What a search says of a library: who wins whose queries.

An agent that reads descriptions confuses what a search confuses. So each skill is searched for by
what its author wrote of it: its trigger tests, and the sentences and quoted phrases of its
description, but not by what that says the skill is not for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from skillret.agents.doctor.finding import Examined, Finding
from skillret.datasets.library_tests import LibraryTest, PassedOver, read_library_tests
from skillret.errors import InputError
from skillret.retrieval import Retriever
from skillret.retrieval.sentences import split_sentences
from skillret.skills.exclusions import read_purpose
from skillret.types import Hit, Skill

__all__ = ["check", "needless_queries", "queries_of"]

_MOST = 5  # queries made of a description
_TESTS = 20  # of a skill that are run
_WORDS = 4  # of a sentence at least, and ...
_PHRASE = 2  # ... of a quoted phrase
_LEAST = 2  # needless queries that a skill attracts; one may be chance
_DEPTH = 10  # hits in which a skill must be, or the query says nothing about it
_BATCH = 256
_SHOWN = 90  # characters of a query
_QUOTED = re.compile(
    r"[\"“](?P<said>[^\"“”\n]{6,120})[\"”]|'(?P<single>[^'\n]{8,120})'(?=[,;.)\s]|$)"
)


class _Asked(NamedTuple):
    """A query that a skill should win, and the hits."""

    skill: Skill
    query: str
    hits: list[Hit]
    tested: bool

    @property
    def place(self) -> int | None:
        """The rank of the skill, or of another one of its name."""
        ranks = (h.rank for h in self.hits if h.id == self.skill.id or h.name == self.skill.name)
        return next(ranks, None)


def check(examined: Examined) -> Iterator[Finding]:
    """Own queries that others win, pairs that win each other's, tests, and needless queries."""
    retriever = examined.retriever
    if retriever is None:
        return
    skills = [skill for skill in examined.skills if skill.shadowed_by is None]
    asked: list[_Asked] = []
    made = [(skill, query) for skill in skills for query in queries_of(skill)]
    tests, broken = _tests(skills)
    yield from broken
    wanted = [(s, q) for s, q, should in tests if should]
    total = len(made) + len(wanted)
    for done, one in enumerate(_ask(retriever, made, tested=False), start=1):
        asked.append(one)
        examined.progress(done, total)
    for done, one in enumerate(_ask(retriever, wanted, tested=True), start=len(made) + 1):
        asked.append(one)
        examined.progress(done, total)
    yield from _never_first(asked)
    yield from _pairs(asked)
    if retriever.mode == "hybrid" and retriever.calibration is not None:
        yield from _near_misses(retriever, [(s, q) for s, q, wanted in tests if not wanted])
        yield from _needless(retriever)


def queries_of(skill: Skill) -> list[str]:
    """Queries made of what a description says the skill is for: quoted phrases, then sentences."""
    wanted = read_purpose(skill.description, skill.name).wanted
    phrases = [(m["said"] or m["single"]).strip() for m in _QUOTED.finditer(wanted)]
    found = [p for p in phrases if len(p.split()) >= _PHRASE or not p.isascii()]
    plain = _QUOTED.sub(" ", wanted)
    found += [s for s in split_sentences(plain) if len(s.split()) >= _WORDS or not s.isascii()]
    return list(dict.fromkeys(found))[:_MOST]


@cache
def needless_queries() -> tuple[str, ...]:
    """What people say to agents that needs no skill."""
    text = (Path(__file__).parent / "needless.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def _ask(
    retriever: Retriever, wanted: Sequence[tuple[Skill, str]], *, tested: bool
) -> Iterator[_Asked]:
    """Search for queries; those that hold nothing to search for are left out."""
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        for (skill, query), hits in zip(
            some, _search(retriever, [q for _, q in some]), strict=True
        ):
            if hits:
                yield _Asked(skill, query, hits, tested)


def _search(retriever: Retriever, queries: list[str]) -> list[list[Hit]]:
    try:
        return retriever.search_batch(queries, _DEPTH)
    except InputError:  # one of them is empty once it is cleaned
        found: list[list[Hit]] = []
        for query in queries:
            try:
                found.append(retriever.search(query, _DEPTH))
            except InputError:
                found.append([])
        return found


def _tests(skills: Sequence[Skill]) -> tuple[list[tuple[Skill, str, bool]], list[Finding]]:
    """The tests beside skills, and the files of tests that cannot be read."""
    passed: list[PassedOver] = []
    by_skill: dict[str, list[LibraryTest]] = {}
    for test in read_library_tests(skills, passed):
        by_skill.setdefault(test.skill_id, []).append(test)
    found: list[tuple[Skill, str, bool]] = []
    for skill in skills:
        tests = by_skill.get(skill.id, [])
        triggers = [t for t in tests if t.kind == "trigger"]
        found += [(skill, t.text, t.should_trigger) for t in (triggers or tests)[:_TESTS]]
    remedy = "mend the file; `skillret evaluate` reads it too"
    broken = [
        Finding("tests", "warning", p.skill.name, str(p.file), None, str(p), remedy)
        for p in passed
        if p.why is not None and p.skill is not None
    ]
    return found, broken


def _never_first(asked: Sequence[_Asked]) -> Iterator[Finding]:
    """Skills that win none of their own queries."""
    by_skill: dict[tuple[str, bool], list[_Asked]] = {}
    for one in asked:
        by_skill.setdefault((one.skill.id, one.tested), []).append(one)
    lost = [g for g in by_skill.items() if not any(one.place == 1 for one in g[1])]
    # Descriptions that say the very same are one finding, not one each.
    same = Counter(_key(group, tested) for (_, tested), group in lost)
    told: set[tuple[object, ...]] = set()
    for (_, tested), group in lost:
        key = _key(group, tested)
        if key in told:
            continue
        told.add(key)
        skill, worst = group[0].skill, group[0]
        kind, what = (
            ("own-tests", "its tests")
            if tested
            else ("own-description", "queries made of its description")
        )
        place = f"place {worst.place}" if worst.place else f"not among the best {_DEPTH}"
        yield Finding(
            kind,
            "warning",
            skill.name,
            skill.path,
            None,
            f"never comes first for {what} ({len(group)}): {_quoted(worst.query)} finds"
            f" {worst.hits[0].name} ({place})"
            + (f"; {same[key] - 1} more say the very same" if same[key] > 1 else ""),
            "say in the description what only this skill does, in words that users type",
        )


def _key(group: Sequence[_Asked], tested: bool) -> tuple[object, ...]:
    """What findings of one cause have in common."""
    return (tested, *sorted({one.query for one in group}))


def _pairs(asked: Sequence[_Asked]) -> Iterator[Finding]:
    """Pairs of skills that each win a query of the other one."""
    lost: dict[tuple[str, str], _Asked] = {}
    for one in asked:
        winner = one.hits[0]
        # What does not find the skill at all says nothing about it.
        if one.place is not None and one.place > 1:
            lost.setdefault((one.skill.id, winner.id), one)
    for (mine, theirs), one in lost.items():
        other = lost.get((theirs, mine))
        if other is None or mine > theirs:
            continue
        yield Finding(
            "overlap",
            "warning",
            one.skill.name,
            one.skill.path,
            None,
            f"{one.skill.name} and {other.skill.name} win each other's queries:"
            f" {_quoted(one.query)} finds {other.skill.name}, {_quoted(other.query)} finds"
            f" {one.skill.name}",
            'merge the two, or tell them apart in both descriptions ("Not for ...; use ...")',
        )


def _near_misses(retriever: Retriever, unwanted: Sequence[tuple[Skill, str]]) -> Iterator[Finding]:
    """Tests that must not start a skill and do."""
    told = set()
    for skill, query in unwanted:
        best = _selected(retriever, query)[:1]
        if best and best[0].id == skill.id and skill.id not in told:
            told.add(skill.id)
            yield Finding(
                "own-tests",
                "warning",
                skill.name,
                skill.path,
                None,
                f"is selected first for a test that must not start it: {_quoted(query)}",
                'say so in its description ("Not for ...")',
            )


def _needless(retriever: Retriever) -> Iterator[Finding]:
    """Skills that are selected for what needs none."""
    drawn: dict[str, tuple[Hit, list[str]]] = {}
    for query in needless_queries():
        for hit in _selected(retriever, query)[:1]:
            drawn.setdefault(hit.id, (hit, []))[1].append(query)
    for hit, queries in drawn.values():
        if len(queries) < _LEAST:
            continue
        shown = ", ".join(map(_quoted, queries[:2]))
        yield Finding(
            "needless",
            "warning",
            hit.name,
            hit.path,
            None,
            f"is selected for {len(queries)} of {len(needless_queries())} queries that need no"
            f" skill: {shown}",
            "make its description narrower: name the things that it works on",
        )


def _selected(retriever: Retriever, query: str) -> Sequence[Hit]:
    try:
        return retriever.select(query).hits
    except InputError:
        return ()


def _quoted(query: str) -> str:
    short = query if len(query) <= _SHOWN else query[: _SHOWN - 4].rstrip() + " ..."
    return f'"{short}"'
