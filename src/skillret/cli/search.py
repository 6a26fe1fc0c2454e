"""`skillret search`."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any, NamedTuple

from skillret.cli.common import (
    add_agent,
    add_calibration,
    add_model_arguments,
    add_reranker,
    current_settings,
    note,
    positive,
    print_json,
    progress_bar,
)
from skillret.cli.terminal import bold, columns, dim, fold, tilde, width, yellow
from skillret.errors import InputError
from skillret.messages import meant, printable
from skillret.retrieval import Retriever
from skillret.retrieval.query import MAX_QUERY_CHARACTERS, valid_query
from skillret.retrieval.shown import invocable_names, left_to_user, merged
from skillret.settings import Settings
from skillret.types import Hit, Selection

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret search "turn this scanned PDF into a spreadsheet"
  skillret search "review my pull request" --library ~/team/skills -k 3 --explain
  echo "my pods keep restarting" | skillret search - --json
  skillret search -- -k    # a query that looks like an option
"""
_MOST_BYTES = 4 * MAX_QUERY_CHARACTERS
_HITS = 5
_SHOWN_TERMS = 6
_LEGENDS = {
    "ranked": "score: how likely it is that the query needs the skill, from 0 to 1",
    "hybrid": "score: words and meaning together; it orders the skills, and is no probability",
    "dense": "score: cosine of query and skill; it orders the skills, and is no probability",
    "lexical": "score: BM25 of the words that query and skill share",
}
_LEAST_ROOM = 20  # columns for a description beside a name
_NEAREST = 3  # named where nothing fits

_last: Retriever | None = None  # not taken apart at the end of the process, which takes a while


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    # Several words: who forgets the quotes meant the same.
    parser.add_argument(
        "query", nargs="+", metavar="QUERY", help="what you want to do; - reads stdin"
    )
    parser.add_argument(
        "--library",
        action="append",
        metavar="DIR",
        help="folder that holds skills, repeatable (default: where the agents of this project and"
        " of the home directory look, see `skillret places`, and the settings' roots)",
    )
    add_agent(parser)
    parser.add_argument(
        "--index",
        metavar="FILE",
        help="index file, or milvus://HOST:PORT/COLLECTION (default: one per library)",
    )
    parser.add_argument(
        "-k", type=positive, metavar="N", help="hits (default: the settings' limit, or 5)"
    )
    parser.add_argument(
        "--mode", choices=("hybrid", "dense", "lexical"), default="hybrid", help="default: hybrid"
    )
    add_reranker(parser)
    parser.add_argument(
        "--where",
        action="append",
        metavar="NAME=VALUE",
        help="only skills whose metadata holds this, repeatable; of one name any value will do",
    )
    parser.add_argument(
        "--select",
        action="store_true",
        help="print the set of skills that the query needs, perhaps none; -k limits it"
        " (default: 10)",
    )
    add_model_arguments(parser, by_settings=True)
    add_calibration(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which terms and sentences of the query carried each hit",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    for option, given in (
        ("calibration", args.calibration),
        ("select", args.select),
        ("rerank", args.reranker),
    ):
        if given and args.mode != "hybrid":
            raise InputError(f"--{option} works in hybrid mode, not with --mode {args.mode}")
    # Checked here as well: an empty query should not first build an index.
    query = valid_query(_stdin() if args.query == ["-"] else " ".join(args.query))
    where = _where(args.where or ())
    *before, last = args.query
    if before and not args.library and "/" in last and os.path.isdir(last):  # noqa: PTH112
        note(f"{last} is read as part of the query; to look there: --library {quote(last)}")
    settings = current_settings()
    with progress_bar("encoding") as progress:
        retriever = Retriever.open(
            index=args.index,
            library=args.library,
            agent=args.agent,
            model=args.model,
            mode=args.mode,
            calibration=args.calibration,
            reranker=args.reranker,
            settings=settings,
            trust_remote_code=args.trust_remote_code,
            on_update=note,
            progress=progress,
        )
    global _last
    _last = retriever
    with retriever:
        found = _look_up(retriever, query, where, settings, args)
        left = "" if found.selection is None else left_to_user(found.selection, "you")
        why = ""
        if not (found.hits or left or args.json):
            why = _why_none(retriever, query, found.need, where, found.missing)
    if found.language:
        note(
            f"this looks like {found.language}, which {found.model} does not read: by single words"
            " it finds less than in English; ask in English, or use a model that reads it (--model)"
        )
    if left:
        note(left)
    if args.json:
        print_json(_document(query, found, args))
    elif found.hits:
        _show(found, args)
    elif why:
        note(why)
    return 0


class _Found(NamedTuple):
    """What a search found, and what is said of it.

    Attributes:
        hits: What is shown.
        selection: What an agent would be handed, as far as that was asked for.
        names: By what names its agents invoke each; see `invocable_names`.
        model: Name of the encoder.
        ranked: Whether scores are probabilities.
        threshold: Of need.
        language: Of the query, if the encoder does not read it.
        took: Milliseconds.
    """

    hits: list[Hit]
    selection: Selection | None
    names: Mapping[str, dict[str, str | None]]
    model: str
    ranked: bool
    threshold: float
    language: str | None
    took: float

    @property
    def need(self) -> float | None:
        """Probability that the query needs a skill; None if nothing judges it."""
        return None if self.selection is None else self.selection.need

    @property
    def missing(self) -> Sequence[str]:
        """Parts of the query that no skill does."""
        return () if self.selection is None else self.selection.missing


def _look_up(
    retriever: Retriever,
    query: str,
    where: dict[str, list[str]] | None,
    settings: Settings,
    args: argparse.Namespace,
) -> _Found:
    """Search, or select."""
    selection: Selection | None = None
    start = time.perf_counter()
    if args.select:
        selection = retriever.select(query, limit=args.k, where=where, explain=args.explain)
        hits = list(selection.hits)
        if not retriever.policy.threshold and settings.threshold is None:
            note(
                "nothing says when this model should hand over nothing, so it never does;"
                " `skillret calibrate` fits that on labelled queries"
            )
    else:
        k = args.k or settings.limit or _HITS
        if args.mode != "hybrid":
            hits = retriever.search(query, k=k, where=where, explain=args.explain)
        else:
            hits, selection = retriever.look_up(query, k, where=where, explain=args.explain)
            hits = merged(hits, selection)[:k]
    took = (time.perf_counter() - start) * 1000
    return _Found(
        hits=hits,
        selection=selection,
        names=invocable_names(retriever.index, hits),
        model=retriever.encoder.profile.name,
        ranked=retriever.calibration is not None,
        threshold=retriever.policy.threshold,
        language=None if args.mode == "lexical" else retriever.unread_language(query),
        took=took,
    )


def _document(query: str, found: _Found, args: argparse.Namespace) -> dict[str, Any]:
    """What is found as JSON."""
    document: dict[str, Any] = {
        "query": query,
        "mode": args.mode,
        "model": found.model,
        "took_ms": round(found.took, 3),
        "hits": [_json(h) | found.names.get(h.id, {}) for h in found.hits],
    }
    if args.select:
        if found.need is not None:
            document |= {"need": round(found.need, 6), "threshold": found.threshold}
        document["missing"] = list(found.missing)
    return document


def _show(found: _Found, args: argparse.Namespace) -> None:
    """What is found, for people."""
    hits, selection = found.hits, found.selection
    fitting = {h.id for h in (hits if selection is None else selection)}
    if selection is not None and not args.select:  # people look for what they start, too
        fitting |= {h.id for h in selection.for_user}
    if not found.ranked and fitting:  # scores that are no probabilities do not say what fits
        fitting = {h.id for h in hits}
    if selection is not None and not fitting:
        print(yellow(_nothing_fits(selection, found.threshold)))
        hits = hits[: args.k or _NEAREST]
    _print(hits, fitting, found.names)
    for part in found.missing if fitting else ():
        print(yellow(fold(f"no skill here does this: {part}", width(), lines=2)))
    legend = "ranked" if found.ranked and args.mode == "hybrid" else args.mode
    print(dim(fold(_LEGENDS[legend], width(), lines=3)))


def _nothing_fits(selection: Selection, threshold: float) -> str:
    """What people are told where a selection would be empty."""
    need = selection.need or 0.0
    if selection.missing:
        return "no skill here does what is asked; nearest:"
    if need >= threshold:
        return "nothing here fits well; nearest:"
    return fold(
        f"nothing here fits well (probability that the query needs a skill of this library:"
        f" {need:.2f}, threshold {threshold:.2f}); nearest:",
        width(),
        lines=4,
    )


def _why_none(
    retriever: Retriever,
    query: str,
    need: float | None,
    where: dict[str, list[str]] | None,
    missing: Sequence[str],
) -> str:
    """Why nothing was found: what a selection turned away is named, so that it can be judged."""
    if retriever.index.info().skills == 0:
        return "this index holds no skills"
    if where and not retriever.search(query, k=1, mode="dense", where=where):
        conditions = " ".join(
            f"{name}={value}" for name, values in where.items() for value in values
        )
        likely = _meant(retriever, where)
        return f"no skill has metadata as --where asks for: {conditions}{likely}"
    if need is None:
        return "no skill shares a word with the query; try --mode hybrid"
    nearest = ", ".join(hit.name for hit in retriever.search(query, k=_NEAREST, where=where))
    told = f"the nearest: {nearest}; without --select they are shown"
    if need >= retriever.policy.threshold or missing:
        return f"no skill of this library seems to do what is asked; {told}"
    sure = f"probability that one is: {need:.2f}, threshold {retriever.policy.threshold:.2f}"
    return f"no skill seems to be needed ({sure}); {told}"


def _meant(retriever: Retriever, where: dict[str, list[str]]) -> str:
    """Which metadata there are that a filter likely means."""
    held: dict[str, set[str]] = {}
    for skill in retriever.index.skills():
        for name, value in skill.metadata.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            held.setdefault(str(name), set()).update(map(str, values))
    for name, values in where.items():
        if name not in held:
            return meant(name, held)
        for value in values:
            if value not in held[name]:
                return meant(value, held[name])
    return ""


def _where(conditions: Sequence[str]) -> dict[str, list[str]] | None:
    """The filter on metadata."""
    where: dict[str, list[str]] = {}
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not (name and equals):
            raise InputError(f"--where takes NAME=VALUE, got {condition!r}")
        where.setdefault(name, []).append(value)
    return where or None


def _stdin() -> str:
    """What stdin holds, as far as a query is read; one that is no UTF-8 is told."""
    if not isinstance(sys.stdin, io.TextIOWrapper):
        return sys.stdin.read(MAX_QUERY_CHARACTERS)
    from skillret.charsets import unmarked
    from skillret.skills.repair import decode

    data = sys.stdin.buffer.read(_MOST_BYTES)
    if len(data) == _MOST_BYTES:  # a character cut in two at the limit is the limit's fault
        data = re.sub(rb"[\xc0-\xff]?[\x80-\xbf]{0,3}\Z", b"", data)
    data = {"utf-16-be": b"\xfe\xff", "utf-16-le": b"\xff\xfe"}.get(unmarked(data), b"") + data
    remarks: list[str] = []
    text = decode(data, remarks)
    for remark in remarks:
        note(f"stdin: {remark}")
    return text.replace("\r\n", "\n").replace("\0", " ")[:MAX_QUERY_CHARACTERS]


def _json(hit: Hit) -> dict[str, Any]:
    document: dict[str, Any] = {
        "rank": hit.rank,
        "id": hit.id,
        "name": hit.name,
        "description": hit.description,
        "path": hit.path,
        "score": round(hit.score, 6),
    }
    if hit.user_only:
        document["user_only"] = True
    if hit.metadata:
        document["metadata"] = dict(hit.metadata)
    if hit.explanation is not None:
        document["dense"] = hit.dense
        document["lexical"] = hit.lexical
        document["tokens"] = hit.explanation.tokens
        document["excluded"] = hit.explanation.excluded
        document["terms"] = [{"term": t, "score": s} for t, s in hit.explanation.terms]
        document["sentences"] = [
            {"sentence": t, "similarity": s} for t, s in hit.explanation.sentences
        ]
    return document


def _print(
    hits: Sequence[Hit], fitting: set[str], names: Mapping[str, dict[str, str | None]]
) -> None:
    """Hits that fit in full, and a line for each of the others."""
    room = width()
    for hit in hits:
        name = printable(hit.name)
        only = "  (only you can start it)" * hit.user_only
        head = f"{hit.rank:>2}. {name}  {hit.score:.3f}{only}"
        if hit.id not in fitting and hit.explanation is None:
            left = room - columns(head) - 2
            more = f"  {fold(hit.description, left)}" if left >= _LEAST_ROOM else ""
            print(dim(head + more))
            continue
        print(f"{hit.rank:>2}. {bold(name)}  {hit.score:.3f}{only}")
        print(fold(hit.description, room, "    ", 2))
        if hit.path:
            print(dim(f"    {tilde(printable(hit.path))}"))
        called = names.get(hit.id, {})
        if called.get("shadowed_by"):
            winner = tilde(printable(called["shadowed_by"] or ""))
            print(dim(f"    not invoked: {winner} has its name"))
        elif called.get("invocable_name") not in (None, hit.name):
            print(f"    invoked as {printable(called['invocable_name'] or '')}")
        if hit.explanation is not None:
            _print_explanation(hit, room)


def _print_explanation(hit: Hit, room: int) -> None:
    parts = []
    if hit.dense is not None:
        parts.append(f"cosine {hit.dense:.3f}")
    if hit.lexical is not None:
        parts.append(f"BM25 {hit.lexical:.1f}")
    explanation = hit.explanation
    assert explanation is not None
    if explanation.tokens is not None:
        parts.append(f"tokens {explanation.tokens:.3f}")
    if explanation.excluded:
        parts.append(f"of the query {explanation.excluded:.0%} is what it is not for")
    terms = ", ".join(f"{t} {s:.1f}" for t, s in explanation.terms[:_SHOWN_TERMS])
    if terms:
        parts.append(f"words: {terms}")
    print(fold("why: " + "; ".join(parts), room, "    ", 3))
    if len(explanation.sentences) > 1:
        sentence, similarity = explanation.sentences[0]
        print(fold(f'most of it from: "{sentence}" ({similarity:.3f})', room, "    ", 2))
