"""Robustness on dev: what odd queries and odd skills cost, as NDCG@10 of the packaged hybrid.

    python benchmarks/robustness.py --dataset ../shared/data/openskillret --split dev

Queries are damaged one way at a time, with a fixed seed; then skills are. The last table stuffs
the description of skills that a query does not need with the commonest words of all queries, or
with the words of that very query, and tells how often that carries them into its top 5.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from skillret import load_encoder
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.encoders import Encoder, read_documents
from skillret.evaluation.corpora import read_corpus
from skillret.evaluation.metrics import measure
from skillret.evaluation.runs import order
from skillret.evaluation.significance import bootstrap_mean
from skillret.evaluation.systems import make_run
from skillret.index.memory import corpus_of
from skillret.lexical.analyzer import STOP_WORDS
from skillret.lexical.grams import gram_reader
from skillret.retrieval.calibration import load_calibration
from skillret.retrieval.searcher import Searcher
from skillret.skills import document_text

NOISE = (
    "The weather was better than the forecast said and the train was late again. My neighbour is"
    " painting the fence and the whole street smells of it. We had soup for lunch. The meeting took"
    " longer than anyone wanted and nobody wrote anything down. There is a new plant in the office."
    " I slept badly, the dog barked at every car. Somebody should water the flowers. The lift"
    " is out of order until Thursday. My sister visits next month and brings the kids. The coffee"
    " machine blinks and nobody knows why. I found an old photo of the house. The bakery around the"
    " corner closes earlier now. It is my turn to bring cake. The bus driver waved. I read half"
    " a book on Sunday and forgot the title. The radio played one song twice. We might go to the"
    " lake if it stays warm. The keys were in my other coat. He said he would call and did not."
)
FOREIGN = (
    " Bitte so schnell wie möglich, das ist für morgen früh sehr wichtig, vielen Dank im Voraus."
)


def typos(text: str, draw: random.Random) -> str:
    """Two letters swapped in every fourth word of four letters and more."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if draw.random() > 0.25:
            return word
        i = draw.randrange(1, len(word) - 2)
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]

    return re.sub(r"[A-Za-z]{4,}", swap, text)


def ndcg(data: Dataset, encoder: Encoder) -> dict[str, float]:
    run, _ = make_run(data, "hybrid", encoder)
    return {q: m["ndcg@10"] for q, m in measure(order(run), data.qrels, (10,)).items()}


def show(name: str, found: dict[str, float], plain: dict[str, float]) -> None:
    (change,) = bootstrap_mean(np.array([[found[q] - plain[q]] for q in plain]))
    mean = np.mean(list(found.values()))
    print(
        f"| {name} | {mean:.4f} | {change.mean:+.4f} | {change.low:+.4f} .. {change.high:+.4f} |",
        flush=True,
    )


def stuffing(data: Dataset, encoder: Encoder, count: int) -> None:
    """How far a stuffed description lifts a skill that the query does not need."""
    draw = random.Random(0)
    words = Counter(
        word
        for query in data.queries
        for word in re.findall(r"[a-z]{3,}", query.text.lower())
        if word not in STOP_WORDS
    )
    common = " ".join(word for word, _ in words.most_common(80))
    known = read_corpus(data.skills, encoder)
    vectors = np.array(known.vectors)
    grams = list(gram_reader().read_skills(data.skills))
    calibration = load_calibration(encoder)

    def rank_of(row: int, text: str, description: str | None) -> int:
        skills, own, read = list(data.skills), vectors[row].copy(), list(grams)
        tokens = None if known.tokens is None else list(known.tokens)
        if description is not None:
            skills[row] = replace(skills[row], description=description[:1024])
            document = document_text(skills[row], encoder.profile.template)
            anew = read_documents(encoder, [document])
            vectors[row] = anew.vectors[0]
            if tokens is not None and anew.tokens is not None:
                tokens[row] = anew.tokens[0]
            read[row] = gram_reader().read_skill(skills[row])
        corpus = corpus_of(skills, vectors, encoder.profile, read, tokens)
        ranking = Searcher(corpus, encoder, calibration).rank(text, len(skills))
        vectors[row] = own
        return int(np.flatnonzero(ranking.keys == row)[0]) + 1

    cases = []
    for query in draw.sample(list(data.queries), min(count, len(data.queries))):
        row = draw.randrange(len(data.skills))
        if data.skills[row].id not in data.qrels[query.id]:
            cases.append((query.text, row))
    print(f"\n| a random skill's description, {len(cases)} cases | median rank | in the top 5 |")
    print("|---|---:|---:|")
    ways: Sequence[tuple[str, Callable[[str], str | None]]] = (
        ("as it is", lambda text: None),
        ("the 80 commonest words of all requests", lambda text: common),
        ("the query itself", lambda text: text),
        ("the query itself, ten times", lambda text: " ".join([text] * 10)),
    )
    for name, stuffed in ways:
        ranks = np.array([rank_of(row, text, stuffed(text)) for text, row in cases])
        print(f"| {name} | {np.median(ranks):.0f} | {np.mean(ranks <= 5):.1%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="../shared/data/openskillret")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--model", default="default")
    parser.add_argument("--sample", type=int, default=0, help="so many queries at random")
    parser.add_argument("--stuffed", type=int, default=40, help="skills to stuff")
    args = parser.parse_args()
    data = load_dataset(args.dataset, args.split)
    if args.sample:
        queries = random.Random(0).sample(list(data.queries), args.sample)
        data = replace(data, queries=queries, qrels={q.id: data.qrels[q.id] for q in queries})
    encoder = load_encoder(args.model)
    plain = ndcg(data, encoder)
    print(
        f"{args.dataset}, {args.split}, revision {data.revision}; {len(data.queries)} queries;"
        f" {encoder.profile.name}\n"
    )
    print("| queries | NDCG@10 | difference | 95 % interval |\n|---|---:|---:|---:|")
    show("as they are", plain, plain)
    draw = random.Random(0)
    damages: Sequence[tuple[str, Callable[[str], str]]] = (
        ("typos in every fourth word", lambda t: typos(t, draw)),
        ("in capitals", str.upper),
        ("cut to ten words", lambda t: " ".join(t.split()[:10])),
        ("200 words of small talk before", lambda t: f"{NOISE} {t}"),
        ("200 words of small talk after", lambda t: f"{t} {NOISE}"),
        ("a German sentence after", lambda t: t + FOREIGN),
    )
    for name, damage in damages:
        queries = [replace(q, text=damage(q.text)) for q in data.queries]
        show(name, ndcg(replace(data, queries=queries), encoder), plain)
    print("\n| skills | NDCG@10 | difference | 95 % interval |\n|---|---:|---:|---:|")
    for name, skills in (
        ("without description", [replace(s, description="") for s in data.skills]),
        ("without body", [replace(s, body="") for s in data.skills]),
    ):
        show(name, ndcg(replace(data, skills=skills), encoder), plain)
    stuffing(data, encoder, args.stuffed)


if __name__ == "__main__":
    main()
