"""How the wording of a query decides whether it gets a skill: prints a table.

    python benchmarks/wording.py --dataset ../shared/data/openskillret --split train

The casual queries beside the example skills, and the first words of skills' descriptions
("Resize images"), said in several ways, and names of skills as they are. The skills come from a
split that the probe was not fitted on; what needs no skill was written for this script alone. Never
choose settings by this on a test split.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from skillret import load_encoder
from skillret.datasets.dataset import load_dataset
from skillret.datasets.labelled import open_split
from skillret.evaluation.systems import open_searcher
from skillret.retrieval.searcher import Searcher
from skillret.types import Skill

EXAMPLES = Path(__file__).parents[1] / "examples" / "skills"
Asked = tuple[str, str]  # a query and the id of its skill
Case = tuple[Sequence[Skill], dict[str, list[Asked]]]  # a library and what it is asked
Row = tuple[int, float, float, float]

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
# Looked at once: four of them got something before polite turns taught the probe.
TURNS = tuple(
    turn.strip()
    for turn in """
    yes please | please continue | go on please | please do | please stop | yes, please do that |
    please try again | can you continue? | could you repeat that? | can you go on? |
    would you mind repeating? | please go ahead | no thanks, please leave it |
    can you explain that again? | could you say that more simply? | please wait |
    can you undo that? | could you run it again please | I'd like you to stop |
    I'd like you to go on | please keep it | can you show me again? | could you shorten that? |
    can you do the same for the rest? | help me understand | please be brief | can you hurry up |
    hey, are you there? | please don't | would you?
    """.split("|")
)


def tasks(skills: Sequence[Skill]) -> dict[str, str]:
    """Text by skill id."""
    found = ((s.id, TASK.match(s.description.strip())) for s in skills)
    return {i: m.group() for i, m in found if m and not NO_VERB.match(m.group())}


def said(wording: str, text: str) -> str:
    return text if wording == "{}" else wording.format(text[0].lower() + text[1:])


def measure(searcher: Searcher, skills: Sequence[Skill], asked: Sequence[Asked]) -> Row:
    """Number of queries; shares that get something and their skill; mean size of the sets."""
    rows = []
    for text, skill in asked:
        chosen = [skills[p.key].id for p in searcher.select(text).picked]
        rows.append((bool(chosen), skill in chosen, len(chosen)))
    some, right, size = np.mean(rows, axis=0).tolist()
    return len(asked), some, right, size


def in_ways(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    """The queries in every wording, and what needs no skill."""
    groups = {f'"{w}"': [(said(w, t), i) for t, i in asked] for w in WORDINGS}
    for w in IDLE_WORDINGS:
        groups[f'needs none: "{w}"'] = [(said(w, t), "") for t in IDLE]
    groups["needs none: a polite turn"] = [(t, "") for t in TURNS]
    return groups


def parts_of(skills: Sequence[Skill], size: int, count: int) -> Iterator[Case]:
    """Random libraries of one size with some of their tasks, and their skills' names."""
    draw = random.Random(5)
    number = max(1, 500 // size)
    for _ in range(number):
        part = draw.sample(skills, size)
        groups = in_ways([(t, i) for i, t in tasks(part).items()][: max(1, count // number)])
        names = [(re.sub(r"[-_]+", " ", s.name), s.id) for s in part]
        groups["a name of one word"] = [n for n in names if " " not in n[0]]
        groups["a longer name"] = [n for n in names if " " in n[0]]
        yield part, groups


def casual() -> Iterator[Case]:
    """The example skills with the queries that stand beside them, in casual words for the most."""
    data = load_dataset(EXAMPLES)
    asked = [(q.text.strip().rstrip(".?!"), min(data.qrels[q.id])) for q in data.queries]
    yield list(data.skills), in_ways(asked)


def print_rows(title: str, cases: Iterable[Case], model: str) -> None:
    rows: dict[str, list[Row]] = {}
    encoder = load_encoder(model)
    for skills, groups in cases:
        searcher = open_searcher(skills, "hybrid", encoder, cache=False)
        for name, group in groups.items():
            if group:
                rows.setdefault(name, []).append(measure(searcher, skills, group))
    for name, found in rows.items():
        n = sum(r[0] for r in found)
        some, right, mean = (sum(r[0] * r[i] for r in found) / n for i in (1, 2, 3))
        own = "" if name.startswith("needs none") else f"{right:.1%}"
        print(f"| {title} | {name} | {n} | {some:.1%} | {own} | {mean:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/openskillret"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--model", default="default")
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 500])
    parser.add_argument("--tasks", type=int, default=200)
    args = parser.parse_args()
    skills = list(open_split(args.dataset, args.split).skills())
    print("| skills | query | n | gets something | its own skill | size |")
    print("|---:|---|---:|---:|---:|---:|")
    print_rows("46 examples", casual(), args.model)
    for size in args.sizes:
        print_rows(str(size), parts_of(skills, size, args.tasks), args.model)


if __name__ == "__main__":
    main()
