"""How the wording of a request decides whether it gets a skill: prints a table.

    python benchmarks/wording.py --dataset ../shared/data/openskillret --split train

Tasks are the first words of skills' descriptions ("Resize images"), said in several ways; names are
those of the skills as they are. Both come from a split that the probe was not fitted on. What needs
no skill was written for this script alone. Never choose settings by this on a test split.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skillret import Index, Retriever, load_encoder
from skillret.evaluation.tables import read_skills
from skillret.index import Sources
from skillret.types import Skill

TASK = re.compile(r"(?:[A-Z][a-z]+ )(?:[^\s.,;:(]+ ){1,6}[^\s.,;:(]+(?=[.,;:(])")
# No "use", "this" and third persons ("Creates ..."): the others read like a task.
NO_VERB = re.compile(r"(?i)(use|this|the|a|an|when|expert|comprehensive|\w+s|\w+ing) ")
WORDINGS = (
    "{}",
    "please {}",
    "can you {}?",
    "could you {} for me?",
    "would you mind helping me {}",
    "I'd like you to {}",
    "I want to {}",
    "how do I {}?",
)
IDLE_WORDINGS = ("{}", "hey, {}", "can you tell me {}", "one more thing: {}")
IDLE = tuple(
    line.strip()
    for line in """
    how many people live in portugal
    what is the boiling point of ethanol
    who painted the night watch
    why is the sky red in the evening
    is it spelled gray or grey
    what does idempotent mean
    is 91 a prime number
    how long is a football match
    what day of the week is christmas this year
    when did the first iphone come out
    how tall is the eiffel tower
    who won the world cup in 1998
    what is the plural of octopus
    do you like what you do
    which language do they speak in brazil
    how do you say good night in spanish
    what comes after a quadrillion
    can dogs eat grapes
    if it is going well so far
    why everybody here loves rust
    whether tabs are better than spaces
    my train is late again
    that was a good idea of yours
    I will be back after lunch
    the coffee machine is broken once more
    nobody reads the changelog anyway
    the last answer was too long
    say that again in one sentence
    which of the two you would take
    what you think of the new logo
    """.strip().splitlines()
)


def tasks(skills: Sequence[Skill]) -> dict[str, str]:
    """Text by skill id."""
    found = ((s.id, TASK.match(s.description.strip())) for s in skills)
    return {i: m.group() for i, m in found if m and not NO_VERB.match(m.group())}


def said(wording: str, text: str) -> str:
    return text if wording == "{}" else wording.format(text[0].lower() + text[1:])


def measure(retriever: Retriever, asked: Sequence[tuple[str, str]]) -> tuple[float, float, float]:
    """Shares of requests that get something and that get their skill; mean size of the sets."""
    rows = []
    for text, skill in asked:
        chosen = [hit.id for hit in retriever.select(text).hits]
        rows.append((bool(chosen), skill in chosen, len(chosen)))
    some, right, size = np.mean(rows, axis=0).tolist()
    return some, right, size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--model", default="default")
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 500])
    parser.add_argument("--tasks", type=int, default=200)
    args = parser.parse_args()
    draw = random.Random(5)
    skills = read_skills(args.dataset, args.split)
    print("| skills | request | n | gets something | its own skill | size |")
    print("|---:|---|---:|---:|---:|---:|")
    for size in args.sizes:
        parts = [draw.sample(skills, size) for _ in range(max(1, 500 // size))]
        rows: dict[str, list[tuple[float, ...]]] = {}
        with tempfile.TemporaryDirectory() as scratch:
            for number, part in enumerate(parts):
                asked = list(tasks(part).items())[: max(1, args.tasks // len(parts))]
                names = [(re.sub(r"[-_]+", " ", s.name), s.id) for s in part]
                groups = {f'"{w}"': [(said(w, t), i) for i, t in asked] for w in WORDINGS}
                groups["a name of one word"] = [n for n in names if " " not in n[0]]
                groups["a longer name"] = [n for n in names if " " in n[0]][: args.tasks]
                for wording in IDLE_WORDINGS:
                    groups[f'needs none: "{wording}"'] = [(said(wording, t), "") for t in IDLE]
                with Index.open(Path(scratch) / f"{size}-{number}.db", create=True) as index:
                    index.update(part, load_encoder(args.model), sources=Sources(dataset="-"))
                    with Retriever(index, load_encoder(args.model)) as retriever:
                        for name, group in groups.items():
                            row = [(len(group), *measure(retriever, group))] if group else []
                            rows.setdefault(name, []).extend(row)
        for name, found in rows.items():
            n = sum(r[0] for r in found)
            some, right, mean = (sum(r[0] * r[i] for r in found) / n for i in (1, 2, 3))
            own = "" if name.startswith("needs none") else f"{right:.1%}"
            print(f"| {size} | {name} | {n:.0f} | {some:.1%} | {own} | {mean:.1f} |", flush=True)


if __name__ == "__main__":
    main()
