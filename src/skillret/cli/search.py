"""`skillret search`."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import time
from shlex import quote
from typing import Any

from skillret.cli.common import (
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
from skillret.retrieval.retriever import MAX_QUERY_CHARACTERS, clean_query
from skillret.retrieval.selection import MAX_SELECTED
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
        "request", nargs="+", metavar="REQUEST", help="what you want to do; - reads stdin"
    )
    parser.add_argument(
        "--library",
        action="append",
        metavar="DIR",
        help="folder that holds skills, repeatable (default: .agents/skills and .claude/skills"
        " of the project and of the home directory)",
    )
    parser.add_argument("--index", metavar="FILE", help="index file (default: one per library)")
    parser.add_argument("-k", type=positive, metavar="N", help="hits (default: 5)")
    parser.add_argument(
        "--mode", choices=("hybrid", "dense", "lexical"), default="hybrid", help="default: hybrid"
    )
    parser.add_argument(
        "--select",
        action="store_true",
        help="print the set of skills that the request needs, perhaps none; -k limits it"
        " (default: 10)",
    )
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which terms and sentences of the request carried each hit",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.select and args.mode != "hybrid":
        raise InputError(f"--select works in hybrid mode, not with --mode {args.mode}")
    # Checked here as well: an empty request should not first build an index.
    request = clean_query(_stdin() if args.request == ["-"] else " ".join(args.request))
    *before, last = args.request
    if before and not args.library and "/" in last and os.path.isdir(last):  # noqa: PTH112
        note(f"{last} is read as part of the request; to look there: --library {quote(last)}")
    with progress_bar("encoding") as progress:
        retriever = Retriever.open(
            index=args.index,
            library=args.library,
            model=args.model,
            mode=args.mode,
            trust_remote_code=args.trust_remote_code,
            on_update=note,
            progress=progress,
        )
    with retriever:
        need: float | None = None
        start = time.perf_counter()
        if args.select:
            limit = args.k or MAX_SELECTED
            selection = retriever.select(request, limit=limit, explain=args.explain)
            hits, need = list(selection.hits), selection.need
            if not retriever.threshold:
                note(
                    "nothing says when this model should hand over nothing, so it never does;"
                    " `skillret calibrate` fits that on labelled requests"
                )
        else:
            hits = retriever.search(request, k=args.k or 5, explain=args.explain)
        took = (time.perf_counter() - start) * 1000
        model = retriever.encoder.profile.name
        why = "" if hits or args.json else _why_none(retriever, request, need)
    if args.json:
        document: dict[str, Any] = {
            "query": request,
            "mode": args.mode,
            "model": model,
            "took_ms": round(took, 3),
            "hits": [_json(h) for h in hits],
        }
        if need is not None:
            document |= {"need": round(need, 6), "threshold": retriever.threshold}
        print_json(document)
    elif hits:
        _print(hits)
    else:
        note(why)
    return 0


def _why_none(retriever: Retriever, request: str, need: float | None) -> str:
    """Why nothing was found: what a selection turned away is named, so that it can be judged."""
    if retriever.index.info().skills == 0:
        return "this index holds no skills"
    if need is None:
        return "no skill shares a word with the request; try --mode hybrid"
    nearest = ", ".join(hit.name for hit in retriever.search(request, k=_NEAREST))
    told = f"the nearest: {nearest}; without --select they are shown"
    if need >= retriever.threshold:
        return f"no skill of this library seems to do what is asked; {told}"
    sure = f"probability that one is: {need:.2f}, threshold {retriever.threshold:.2f}"
    return f"no skill seems to be needed ({sure}); {told}"


def _stdin() -> str:
    """What stdin holds, as far as a request is read; what is no UTF-8 is replaced."""
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
    if hit.explanation is not None:
        document["dense"] = hit.dense
        document["lexical"] = hit.lexical
        document["terms"] = [{"term": t, "score": s} for t, s in hit.explanation.terms]
        document["sentences"] = [
            {"sentence": t, "similarity": s} for t, s in hit.explanation.sentences
        ]
    return document


def _print(hits: list[Hit]) -> None:
    # Some terminals say that they are 0 columns wide.
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)
    for hit in hits:
        print(f"{hit.rank:>2}. {printable(hit.name)}  {hit.score:.3f}")
        print(wrap(hit.description, width, "    ", 2))
        if hit.path:
            print(f"    {printable(hit.path)}")
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
