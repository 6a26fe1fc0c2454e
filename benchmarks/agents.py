"""What is named at a prompt, by eagerness: prints tables.

    python benchmarks/agents.py DATA --sessions SESSIONS

For the queries of each split, dev and dev2 if none is named: how often one of at most three named
skills is right, and how often anything is named where nothing is needed. With `--sessions`, a
folder of messages that need no skill (`needless.jsonl`) and of working sessions (`sessions.jsonl`),
the same of these messages over the skills of each split, and what becomes of each kind of turn over
those of the last one: a session is told of no skill twice, and is forgotten at /compact and /clear.
Which skill is right in a session nobody has said: what is counted is whether something was named
there, or had been.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from skillret import Index, Retriever, load_encoder
from skillret.agents.decision import Turn
from skillret.agents.route import route
from skillret.agents.session import SessionMemory
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.evaluation.sets import measure_named, name_skills
from skillret.evaluation.systems import answer, open_searcher
from skillret.retrieval.naming import LEVELS
from skillret.retrieval.searcher import Searcher
from skillret.types import Skill

AGENT = "claude-code"


def read_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def quality(data: Dataset, searcher: Searcher, messages: list[dict[str, Any]]) -> None:
    """A row for each eagerness; every query is ranked once."""
    needless = {f"needless-{n}": query for n, query in enumerate(data.negatives)}
    near = {id_ for id_, q in needless.items() if q.extra.get("kind") == "near-miss"}
    asked = [(q.id, q.text) for q in data.queries]
    asked += [(id_, q.text) for id_, q in needless.items()]
    asked += [(m["id"], m["query"]) for m in messages]
    answers = answer(data, searcher, asked, "hybrid")
    gold = {q.id: data.qrels[q.id] for q in data.queries if q.id in data.qrels}
    named = name_skills(answers.selected, answers.likely, answers.sure)
    groups = {
        "near misses": near,
        "other negatives": needless.keys() - near,
        "messages": {m["id"] for m in messages},
    }
    kinds = sorted({m["kind"] for m in messages})
    groups |= {kind: {m["id"] for m in messages if m["kind"] == kind} for kind in kinds}
    groups = {name: ids for name, ids in groups.items() if ids}
    heads = [f"{name} ({len(ids)})" for name, ids in groups.items()]
    print(f"| eagerness | right one named ({len(gold)}) | any named | " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * (2 + len(groups)))
    measured = {name: measure_named(named, gold, ids) for name, ids in groups.items()}
    for eagerness, values in measure_named(named, gold, ()).items():
        cells = [values["right"], values["any"]]
        cells += [of[eagerness]["needless"] for of in measured.values()]
        print(f"| {eagerness} | " + " | ".join(f"{100 * c:.1f} %" for c in cells) + " |")


class Rows(Index):
    """The skills of a data set, as an index."""

    known: Mapping[str, Skill]

    def get(self, id_: str) -> Skill | None:
        return self.known.get(id_)


class Searched(Retriever):
    """A retriever over the skills of a data set, whose vectors are known."""

    def __init__(self, skills: Sequence[Skill], searcher: Searcher) -> None:
        index = Rows.in_memory(model=searcher.encoder)
        assert isinstance(index, Rows)
        index.known = {skill.id: skill for skill in skills}
        super().__init__(index)
        self._known = searcher
        self._seen: dict[str, Any] = {}

    def look_up(self, query: str, k: int = 5, **_: Any) -> Any:
        """Ranked once, for all eagernesses."""
        if query not in self._seen:
            self._seen[query] = super().look_up(query, k)
        return self._seen[query]

    def searcher(self) -> Searcher:
        return self._known


def decisions(
    retriever: Retriever, sessions: list[dict[str, Any]], eagerness: Any
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Session, turn and decision, with a transcript and a memory as an agent has them."""
    with tempfile.TemporaryDirectory() as folder:
        memory = SessionMemory(Path(folder) / "sessions")
        for session in sessions:
            transcript = Path(folder) / f"{session['session']}.jsonl"
            for turn in session["turns"]:
                prompt = turn["prompt"]
                asked = Turn(prompt, AGENT, Path(folder), session["session"], transcript)
                yield session["session"], turn, route(asked, retriever, memory, eagerness)
                written = prompt
                if prompt in ("/compact", "/clear"):
                    memory.forget(AGENT, session["session"])
                    written = f"<command-name>{prompt}</command-name>"
                message = {"role": "user", "content": written}
                with transcript.open("a", encoding="utf-8") as out:
                    out.write(json.dumps({"type": "user", "message": message}) + "\n")


def sessions_table(retriever: Retriever, sessions: list[dict[str, Any]], *, shown: bool) -> None:
    print("\n| eagerness | turns that want | number | named | told already | silent |")
    print("|---|---|---:|---:|---:|---:|")
    for eagerness in LEVELS:
        counts: Counter[tuple[str, str]] = Counter()
        met: set[tuple[str, str]] = set()
        twice = 0
        for session, turn, decision in decisions(retriever, sessions, eagerness):
            if turn["prompt"] in ("/compact", "/clear"):
                met = {pair for pair in met if pair[0] != session}
            new = {(session, named.id) for named in decision.named}
            twice += len(new & met)
            met |= new
            told = decision.silent == "the session was told already"
            outcome = "named" if decision.named else "told" if told else "silent"
            counts[turn["want"], outcome] += 1
            if shown:
                names = ", ".join(n.name for n in decision.named)
                print(f"    {turn['want']:9} {outcome:6} {turn['prompt'][:60]!r} {names}")
        for want in ("task", "follow-up", "nothing"):
            cells = [counts[want, outcome] for outcome in ("named", "told", "silent")]
            row = " | ".join(map(str, (sum(cells), *cells)))
            print(f"| {eagerness} | {want} | {row} |")
        print(f"| {eagerness} | named twice | {twice} | | | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="../shared/data/openskillret-2")
    parser.add_argument("--split", action="append", help="repeatable (default: dev, dev2)")
    parser.add_argument("--sessions", type=Path, help="folder of needless.jsonl, sessions.jsonl")
    parser.add_argument("--show", action="store_true", help="print each turn")
    parser.add_argument("--no-queries", action="store_true", help="sessions only")
    args = parser.parse_args()
    encoder = load_encoder()
    splits = args.split or ["dev", "dev2"]
    messages = read_lines(args.sessions / "needless.jsonl") if args.sessions else []
    for split in splits[-1:] if args.no_queries else splits:
        data = load_dataset(args.dataset, split)
        searcher = open_searcher(data.skills, "hybrid", encoder)
        if not args.no_queries:
            print(f"\n{split}: {len(data.queries)} queries, {len(data.skills)} skills\n")
            quality(data, searcher, messages)
    if args.sessions:
        retriever = Searched(data.skills, searcher)
        sessions_table(retriever, read_lines(args.sessions / "sessions.jsonl"), shown=args.show)


if __name__ == "__main__":
    main()
