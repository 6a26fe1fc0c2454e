"""What the server does, without HTTP: searches, decisions, skills and libraries."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from skillret.agents.context import context_of
from skillret.agents.decision import Decision, Turn
from skillret.agents.route import route
from skillret.encoders import Encoder
from skillret.errors import InputError
from skillret.index.store import metadata_json
from skillret.lexical.texts import metadata_terms
from skillret.retrieval import Retriever
from skillret.retrieval.selection import SelectionPolicy
from skillret.serving.libraries import DEFAULT, Libraries
from skillret.serving.sessions import Sessions
from skillret.serving.skill_files import check_id
from skillret.settings import Eagerness
from skillret.skills.agents import find_agent
from skillret.types import Hit, Mode, Selection, Skill, UpdateReport, Where

__all__ = ["Counts", "Found", "Near", "Page", "Routed", "Selected", "Service", "UnknownSkillError"]

_MOST_CONTEXT = 9_000  # bytes; agents put more than 10,000 into a file
_CHUNK = 500  # records read at once
_PATIENCE = 20.0  # seconds for another writer
MOST_METADATA = 16_384  # bytes of one skill's, as JSON


class UnknownSkillError(InputError):
    """There is no skill of that id."""


class Found(NamedTuple):
    """What was found for some queries, all in one generation."""

    hits: list[list[Hit]]
    model: str
    generation: str


class Near(NamedTuple):
    """A hit, whether it is in the selection, and if not, why."""

    hit: Hit
    selected: bool
    reason: str


class Selected(NamedTuple):
    """A selection, and what is near."""

    selection: Selection
    threshold: float
    near: list[Near]
    model: str
    generation: str


class Routed(NamedTuple):
    """A decision, and the text that an agent is handed."""

    decision: Decision
    context: str


class Page(NamedTuple):
    """Some skills of a library; `next` is where those behind begin."""

    skills: list[Skill]
    next: str | None
    total: int


class Counts(NamedTuple):
    """What a library holds."""

    name: str
    writable: bool
    skills: int
    generation: int
    model: str | None


class Service:
    """Searches and changes libraries. Safe to share between threads.

    Args:
        libraries: The libraries.
    """

    def __init__(self, libraries: Libraries) -> None:
        self.libraries = libraries
        self._sessions = Sessions()

    def retriever(self, library: str = DEFAULT) -> AbstractContextManager[Retriever]:
        """A library's retriever, which stays open meanwhile; see `Libraries.lent`."""
        return self.libraries.lent(library)

    @property
    def encoder(self) -> Encoder:
        """The encoder of all libraries."""
        return self.libraries.encoder()

    def warm_up(self) -> None:
        """Open the default library and load the model, before anyone waits for it.

        Raises:
            UnknownLibraryError: If there is no default library; the model is loaded all the same.
            SkillretError: If one of both cannot be had.
        """
        try:
            with self.retriever() as retriever:
                retriever.searcher()
        finally:
            self.encoder.encode_queries(["warm up"])

    def close(self) -> None:
        """Close all libraries."""
        self.libraries.close()

    # --- searching -------------------------------------------------------------------------

    def search(
        self,
        queries: Sequence[str],
        k: int = 5,
        *,
        library: str = DEFAULT,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
        left: Callable[[], bool] = lambda: False,
    ) -> Found:
        """The best skills for each query; see `Retriever.search_batch`.

        Args:
            queries: The queries.
            k: As in `Retriever.search`.
            library: The library.
            mode: As in `Retriever.search`.
            where: As in `Retriever.search`.
            explain: As in `Retriever.search`.
            left: Whether nobody waits any more: then the rest is not searched for.
        """
        with self.retriever(library) as retriever:
            hits: list[list[Hit]] = []
            for found in retriever.search_each(queries, k, mode=mode, where=where, explain=explain):
                hits.append(found)
                if left():
                    break
            generation = retriever.searcher().corpus.generation
            return Found(hits, retriever.encoder.profile.name, generation)

    def select(
        self,
        query: str,
        *,
        limit: int | None = None,
        library: str = DEFAULT,
        where: Where | None = None,
        explain: bool = False,
        near: int = 0,
    ) -> Selected:
        """The skills that an agent would get, and why others that are near are not among them.

        Args:
            query: The query.
            limit: How many at most; the policy's own limit if None.
            library: The library.
            where: As in `Retriever.search`.
            explain: As in `Retriever.search`.
            near: How many hits to give beside.
        """
        with self.retriever(library) as retriever:
            policy = retriever.policy.among(len(retriever.index), retriever.calibration)
            if limit is not None:
                policy = replace(policy, limit=limit)
            hits: list[Hit] = []
            if near:
                hits, selection = retriever.look_up(
                    query, near, limit=policy.limit, where=where, explain=explain
                )
            else:
                selection = retriever.select(
                    query, limit=policy.limit, where=where, explain=explain
                )
            chosen = {hit.id for hit in selection}
            return Selected(
                selection,
                policy.threshold,
                [Near(hit, hit.id in chosen, _reason(hit, selection, policy)) for hit in hits],
                retriever.encoder.profile.name,
                retriever.searcher().corpus.generation,
            )

    # --- skills ----------------------------------------------------------------------------

    def skills(
        self,
        library: str = DEFAULT,
        *,
        limit: int = 100,
        after: str | None = None,
        name: str = "",
        where: Where | None = None,
    ) -> Page:
        """Some skills in the order in which they were added.

        Args:
            library: The library.
            limit: How many at most.
            after: `next` of the page before.
            name: What their names hold, whatever its case.
            where: As in `Retriever.search`.
        """
        with self.retriever(library) as retriever:
            keys, total = _matching(retriever, name, where)
            first = bisect_right(keys, _cursor(after))
            wanted = keys[first : first + limit]
            stored = dict(retriever.index.store.skills(wanted))
            more = first + limit < len(keys)
            skills = [stored[key] for key in wanted if key in stored]
            return Page(skills, str(wanted[-1]) if more else None, total)

    def skill(self, id_: str, library: str = DEFAULT) -> Skill:
        """A skill, body included.

        Raises:
            UnknownSkillError: If there is none of that id.
        """
        with self.retriever(library) as retriever:
            skill = retriever.index.get(check_id(id_))
        if skill is None:
            raise _no_skill(id_, library)
        return skill

    def put(self, skill: Skill, library: str) -> bool:
        """Add a skill, or put it in the place of the one of its id; whether it is a new one.

        Raises:
            ReadOnlyError: If callers may not change the library.
            InputError: If the skill cannot be stored.
            StoreError: If the library cannot be written.
        """
        return bool(self.put_all([skill], library).added)

    def put_all(self, skills: Iterable[Skill], library: str) -> UpdateReport:
        """Add skills, each in the place of the one of its id: all of them or none.

        Raises:
            ReadOnlyError: If callers may not change the library.
            InputError: If one cannot be stored, or two have one id.
            StoreError: If the library cannot be written.
        """
        self.libraries.check_writable(library)
        checked = [_checked(skill) for skill in skills]
        with self.retriever(library) as retriever:
            return retriever.index.add(checked, timeout=_PATIENCE)

    def remove(self, id_: str, library: str) -> None:
        """Remove a skill.

        Raises:
            UnknownSkillError: If there is none of that id.
            ReadOnlyError: If callers may not change the library.
            StoreError: If the library cannot be written.
        """
        self.libraries.check_writable(library)
        with self.retriever(library) as retriever:
            if not retriever.index.remove([check_id(id_)]):
                raise _no_skill(id_, library)

    # --- libraries -------------------------------------------------------------------------

    def counts(self, library: str = DEFAULT) -> Counts:
        """What a library holds."""
        with self.retriever(library) as retriever:
            info = retriever.index.info()
            model = retriever.encoder.profile.name
        return Counts(library, library != DEFAULT, info.skills, info.generation, model)

    # --- decisions -------------------------------------------------------------------------

    def route(
        self,
        prompt: str,
        *,
        agent: str = "claude-code",
        session: str | None = None,
        mode: Eagerness = "normal",
        library: str = DEFAULT,
    ) -> Routed:
        """Which skills to name at a prompt; see `skillret.agents.route.route`.

        What a session was told is remembered by this process, for the sessions heard of last.
        """
        # No transcript: its path would come from whoever asks.
        turn = Turn(prompt, agent, Path.cwd(), session)
        with self.retriever(library) as retriever:
            decision = route(turn, retriever, self._sessions.of(library), mode)
        sign = find_agent(agent).sign
        return Routed(decision, context_of(decision, _MOST_CONTEXT, sign))


def _no_skill(id_: str, library: str) -> UnknownSkillError:
    return UnknownSkillError(
        f"there is no skill {id_[:200]!r} in the library {library!r}: GET /v1/skills lists them"
    )


def _checked(skill: Skill) -> Skill:
    """A skill that a caller may store."""
    check_id(skill.id)
    for what, text in (("name", skill.name), ("description", skill.description)):
        if not text.strip():
            raise InputError(f"the skill {skill.id!r} has no {what}; send one")
    if len(metadata_json(skill)) > MOST_METADATA:
        raise InputError(
            f"the metadata of the skill {skill.id!r} is larger than {MOST_METADATA:,} bytes"
        )
    return skill


def _cursor(after: str | None) -> int:
    if after is None:
        return -1
    if not re.fullmatch(r"[0-9]{1,18}", after):
        raise InputError(f"no cursor: {after[:40]!r}; send `next` of the page before")
    return int(after)


def _matching(retriever: Retriever, name: str, where: Where | None) -> tuple[list[int], int]:
    """Keys of the skills that a list is to show, ascending, and how many they are."""
    store = retriever.index.store
    keys = sorted(state.key for state in store.states().values())
    if name or where:
        wanted, kept = name.casefold(), []
        for start in range(0, len(keys), _CHUNK):
            for key, record in store.records(keys[start : start + _CHUNK]).items():
                if wanted in record.name.casefold() and _holds(record.metadata, where or {}):
                    kept.append(key)
        keys = sorted(kept)
    return keys, len(keys)


def _holds(metadata: Mapping[str, Any], where: Where) -> bool:
    """Whether a search with the filter would see what has these metadata."""
    held = set(metadata_terms(metadata))
    return all(held.intersection(metadata_terms({key: value})) for key, value in where.items())


def _reason(hit: Hit, selected: Selection, policy: SelectionPolicy) -> str:
    """Why a hit is not in a selection; empty if it is. By the rules of `selection.select`."""
    if any(other.id == hit.id for other in selected):
        return ""
    if hit.user_only:
        return "only the user may start it, no agent"
    need = selected.need
    if need is not None and need < policy.threshold:
        if selected.for_user:
            return "what fits far better is left to its user"
        return f"the query seems to need no skill ({need:.2f}, at least {policy.threshold:.2f})"
    least = policy.least if selected else max(policy.least, policy.least_best)
    if hit.score < least:
        return f"too unlikely ({hit.score:.3f}, at least {least:.2f})"
    if not selected:
        return "too unlikely for a query that is little more than pasted material"
    if len(selected) >= policy.limit:
        return f"the selection is full ({policy.limit})"
    best = max((other.score for other in selected), default=hit.score)
    if hit.score < policy.others_share * best:
        return f"far less likely than the best one ({hit.score:.3f} against {best:.3f})"
    if hit.score < policy.rivals_share * best:
        return "less likely, and fits no part of the query that the selected ones leave open"
    return "does what a selected one does already"
