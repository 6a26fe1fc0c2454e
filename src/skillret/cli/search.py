"""`skillret search`."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from skillret.cli.common import (
    add_agent,
    add_calibration,
    add_model_arguments,
    note,
    positive,
    print_json,
    printable,
    progress_bar,
    wrap,
)
from skillret.errors import InputError
from skillret.retrieval import Retriever
from skillret.retrieval.query import MAX_QUERY_CHARACTERS, clean_query
from skillret.retrieval.refresh import invocable_names
from skillret.types import Hit

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret search "turn this scanned PDF into a spreadsheet"
  skillret search "review my pull request" --library ~/team/skills -k 3 --explain
  echo "my pods keep restarting" | skillret search - --json
"""
_SHOWN_TERMS = 6
_NEAREST = 3  # named where a selection is empty


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
        " of the home directory look; see `skillret places`)",
    )
    add_agent(parser)
    parser.add_argument("--index", metavar="FILE", help="index file (default: one per library)")
    parser.add_argument("-k", type=positive, metavar="N", help="hits (default: 5)")
    parser.add_argument(
        "--mode", choices=("hybrid", "dense", "lexical"), default="hybrid", help="default: hybrid"
    )
    parser.add_argument(
        "--reranker",
        metavar="NAME",
        help="let an installed package's reranker order the best hits",
    )
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
    add_model_arguments(parser)
    add_calibration(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which terms and sentences of the query carried each hit",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.calibration and args.mode != "hybrid":
        raise InputError(f"--calibration works in hybrid mode, not with --mode {args.mode}")
    if args.select and args.mode != "hybrid":
        raise InputError(f"--select works in hybrid mode, not with --mode {args.mode}")
    # Checked here as well: an empty query should not first build an index.
    query = clean_query(_stdin() if args.query == ["-"] else " ".join(args.query))
    where = _where(args.where or ())
    *before, last = args.query
    if before and not args.library and "/" in last and os.path.isdir(last):  # noqa: PTH112
        note(f"{last} is read as part of the query; to look there: --library {quote(last)}")
    with progress_bar("encoding") as progress:
        retriever = Retriever.open(
            index=args.index,
            library=args.library,
            agent=args.agent,
            model=args.model,
            mode=args.mode,
            calibration=args.calibration,
            reranker=args.reranker,
            trust_remote_code=args.trust_remote_code,
            on_update=note,
            progress=progress,
        )
    with retriever:
        need: float | None = None
        start = time.perf_counter()
        if args.select:
            selection = retriever.select(query, limit=args.k, where=where, explain=args.explain)
            hits, need = list(selection.hits), selection.need
            if not retriever.policy.threshold:
                note(
                    "nothing says when this model should hand over nothing, so it never does;"
                    " `skillret calibrate` fits that on labelled requests"
                )
        else:
            hits = retriever.search(query, k=args.k or 5, where=where, explain=args.explain)
        took = (time.perf_counter() - start) * 1000
        model = retriever.encoder.profile.name
        names = invocable_names(retriever.index, hits)
        why = "" if hits or args.json else _why_none(retriever, query, need, where)
    if args.json:
        document: dict[str, Any] = {
            "query": query,
            "mode": args.mode,
            "model": model,
            "took_ms": round(took, 3),
            "hits": [_json(h) | names.get(h.id, {}) for h in hits],
        }
        if need is not None:
            document |= {"need": round(need, 6), "threshold": retriever.policy.threshold}
        print_json(document)
    elif hits:
        _print(hits, names)
    else:
        note(why)
    return 0


def _why_none(
    retriever: Retriever, query: str, need: float | None, where: dict[str, list[str]] | None
) -> str:
    """Why nothing was found: what a selection turned away is named, so that it can be judged."""
    if retriever.index.info().skills == 0:
        return "this index holds no skills"
    if where and not retriever.search(query, k=1, mode="dense", where=where):
        conditions = " ".join(
            f"{name}={value}" for name, values in where.items() for value in values
        )
        return f"no skill has metadata as --where asks for: {conditions}"
    if need is None:
        return "no skill shares a word with the query; try --mode hybrid"
    nearest = ", ".join(hit.name for hit in retriever.search(query, k=_NEAREST, where=where))
    told = f"the nearest: {nearest}; without --select they are shown"
    if need >= retriever.policy.threshold:
        return f"no skill of this library seems to do what is asked; {told}"
    sure = f"probability that one is: {need:.2f}, threshold {retriever.policy.threshold:.2f}"
    return f"no skill seems to be needed ({sure}); {told}"


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
    """What stdin holds, as far as a query is read; what is no UTF-8 is replaced."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    return sys.stdin.read(MAX_QUERY_CHARACTERS)


def _json(hit: Hit) -> dict[str, Any]:
    document: dict[str, Any] = {
        "rank": hit.rank,
        "id": hit.id,
        "name": hit.name,
        "description": hit.description,
        "path": hit.path,
        "score": round(hit.score, 6),
    }
    if hit.metadata:
        document["metadata"] = dict(hit.metadata)
    if hit.explanation is not None:
        document["dense"] = hit.dense
        document["lexical"] = hit.lexical
        document["terms"] = [{"term": t, "score": s} for t, s in hit.explanation.terms]
        document["sentences"] = [
            {"sentence": t, "similarity": s} for t, s in hit.explanation.sentences
        ]
    return document


def _print(hits: list[Hit], names: Mapping[str, dict[str, str | None]]) -> None:
    # Some terminals say that they are 0 columns wide.
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)
    for hit in hits:
        print(f"{hit.rank:>2}. {printable(hit.name)}  {hit.score:.3f}")
        print(wrap(hit.description, width, "    ", 2))
        if hit.path:
            print(f"    {printable(hit.path)}")
        called = names.get(hit.id, {})
        if called.get("shadowed_by"):
            print(f"    not invoked: {printable(called['shadowed_by'] or '')} has its name")
        elif called.get("invocable_name") not in (None, hit.name):
            print(f"    invoked as {printable(called['invocable_name'] or '')}")
        if hit.explanation is not None:
            _print_explanation(hit, width)


def _print_explanation(hit: Hit, width: int) -> None:
    parts = []
    if hit.dense is not None:
        parts.append(f"cosine {hit.dense:.3f}")
    if hit.lexical is not None:
        parts.append(f"BM25 {hit.lexical:.1f}")
    explanation = hit.explanation
    assert explanation is not None
    terms = ", ".join(f"{t} {s:.1f}" for t, s in explanation.terms[:_SHOWN_TERMS])
    if terms:
        parts.append(f"words: {terms}")
    print(wrap("why: " + "; ".join(parts), width, "    ", 3))
    if len(explanation.sentences) > 1:
        sentence, similarity = explanation.sentences[0]
        print(wrap(f'most of it from: "{sentence}" ({similarity:.3f})', width, "    ", 2))
