"""Everything that happens once before the first step: documents are read and queries ranked."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skillret.datasets.dataset import Dataset, load_dataset
from skillret.datasets.labelled import open_split
from skillret.encoders.onnx import OnnxEncoder
from skillret.errors import DatasetError
from skillret.messages import counted
from skillret.retrieval.query import clean_query
from skillret.retrieval.ranker import Ranker
from skillret.training.query_tokens.candidates import (
    Found,
    Group,
    group,
    rank,
    read_found,
    write_found,
)
from skillret.training.query_tokens.evaluate import DevQuery
from skillret.training.query_tokens.states import States, open_states, write_states
from skillret.training.sections import QueryTokensSection, kind_weight
from skillret.types import Query

__all__ = ["Data", "Prepared", "open_data", "prepare"]

Say = Callable[[str], None]

_QUERY_TOKENS = 128  # of a query of dev, as late interaction reads it
_SEEN_SPLIT = "train"
_TOLD = 1000  # documents or queries from one line to the next


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Data:
    """What is learnt from and measured on.

    Attributes:
        train: The split to learn from, with the queries that are used: clean, and with a gold
            skill each.
        dev: The split to measure on, as well.
        seen: Texts that the encoder was trained on, clean.
        facts: For run.json.
    """

    train: Dataset
    dev: Dataset
    seen: frozenset[str]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prepared:
    """What the first step needs.

    Attributes:
        groups: Queries with their candidates.
        states: Of the documents of train.
        dev: Queries of dev with their candidates.
        dev_states: Of the documents of dev.
    """

    groups: Sequence[Group]
    states: States
    dev: Sequence[DevQuery]
    dev_states: States


def open_data(
    data: str | os.PathLike[str],
    seen: str | os.PathLike[str] | None,
    settings: QueryTokensSection,
) -> Data:
    """Read both splits, and which texts the encoder knows.

    Args:
        data: Data set with the splits that the settings name.
        seen: Data set whose train split the encoder was trained on, if it is known.
        settings: Which queries are used.

    Raises:
        DatasetError: If something is missing or malformed.
        InputError: As `load_dataset`.
    """
    train, dev = (_labelled(data, s) for s in (settings.train_split, settings.dev_split))
    draw = random.Random(settings.seed)  # noqa: S311 (no secrets)
    shares, most = settings.shares, settings.max_queries
    used = [q for q in train.queries if draw.random() < kind_weight(shares, _kind(q))]
    asked = draw.sample(dev.queries, min(most, len(dev.queries))) if most else dev.queries
    train, dev = replace(train, queries=used), replace(dev, queries=asked)
    facts = {"train": _facts(train), "dev": _facts(dev)}
    known: frozenset[str] = frozenset()
    if seen is not None:
        split = open_split(seen, _SEEN_SPLIT)
        known = frozenset(clean_query(query.text) for query in split.bare_queries())
        count = sum(query.text in known for query in used)
        facts["seen"] = {"data": split.name, "revision": split.revision, "queries": count}
    return Data(train, dev, known, facts)


def prepare(
    data: Data,
    encoder: OnnxEncoder,
    ranker: Ranker,
    settings: QueryTokensSection,
    folder: Path,
    say: Say = lambda line: None,
) -> Prepared:
    """Fill a folder, as far as an earlier call has not done it, and open what is in it.

    Args:
        data: What is learnt from and measured on.
        encoder: Reads documents; queries too, for the ranker.
        ranker: Finds candidates.
        settings: Sizes and weights.
        folder: Always of the same data, models and settings.
        say: Takes a line for people.

    Raises:
        DatasetError: If there are fewer queries with candidates than a batch has.
        EncoderError: If the encoder cannot be loaded or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gold = _gold_rows(data.train)
    states = _states(data.train, encoder, folder, say)
    found = _found(data.train, gold, states, encoder, ranker, settings.depth, folder, say)
    names = [skill.name for skill in data.train.skills]
    groups: list[Group] = []
    tokens = _tokens(data.train.queries, encoder, settings.max_tokens)
    for query, own, ids, candidates in zip(data.train.queries, gold, tokens, found, strict=True):
        made = group(ids, own, candidates, names, states.vectors)
        weight = kind_weight(settings.weights, _kind(query))
        if made is not None and query.text in data.seen:
            weight *= settings.seen_weight
            made = made._replace(sure=settings.seen_outputs)
        if made is not None and weight:
            groups.append(made._replace(weight=weight))
    if len(groups) < settings.batch_size:
        raise DatasetError(
            f"{counted(len(groups), 'query')} of {data.train.name} can be learnt from, with a gold"
            f" skill and another one among the candidates; a batch has {settings.batch_size}: lower"
            " query_tokens.batch_size"
        )
    dev_states = _states(data.dev, encoder, folder, say)
    found = _found(data.dev, None, dev_states, encoder, ranker, settings.depth, folder, say)
    tokens = _tokens(data.dev.queries, encoder, _QUERY_TOKENS)
    names = [query.id for query in data.dev.queries]
    dev = [DevQuery(*parts) for parts in zip(names, tokens, found, strict=True)]
    return Prepared(groups, states, dev, dev_states)


def _states(split: Dataset, encoder: OnnxEncoder, folder: Path, say: Say) -> States:
    """States of a split's documents."""
    states = open_states(folder, split.split)
    if states is None:
        told = _progress(f"documents of {split.split} read", say)
        states = write_states(encoder, split.skills, folder, split.split, told)
    return states


def _found(
    split: Dataset,
    gold: Sequence[frozenset[int]] | None,
    states: States,
    encoder: OnnxEncoder,
    ranker: Ranker,
    depth: int,
    folder: Path,
    say: Say,
) -> list[Found]:
    """Candidates of a split's queries; see `rank`."""
    file = folder / f"{split.split}.candidates.npz"
    if not file.is_file():
        texts = [query.text for query in split.queries]
        told = _progress(f"queries of {split.split} ranked", say)
        skills, vectors = split.skills, states.vectors
        found = rank(texts, skills, vectors, encoder, ranker, depth, gold, told)
        write_found(list(found), file)
    return read_found(file)


def _tokens(queries: Sequence[Query], encoder: OnnxEncoder, most: int) -> list[list[int]]:
    """Ids of the first tokens of each query."""
    p = encoder.profile
    texts = [query.text for query in queries]
    return [ids[:most] for ids in encoder.tokenize(texts, p.query_prompt, p.max_query_tokens)]


def _gold_rows(split: Dataset) -> list[frozenset[int]]:
    """Rows of the gold skills of each query."""
    row = {skill.id: number for number, skill in enumerate(split.skills)}
    return [frozenset(row[id_] for id_ in split.qrels[query.id]) for query in split.queries]


def _labelled(data: str | os.PathLike[str], split: str) -> Dataset:
    """A split without queries that have no gold skill; texts as they are searched for."""
    made = load_dataset(data, split)
    own = [replace(q, text=clean_query(q.text)) for q in made.queries if q.id in made.qrels]
    return replace(made, queries=own)


def _progress(what: str, say: Say) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if done % _TOLD == 0 or done == total:
            say(f"{done:,} of {total:,} {what}")

    return told


def _facts(split: Dataset) -> dict[str, Any]:
    if not split.queries:
        raise DatasetError(f"no query of the split {split.split} of {split.name} is used")
    return {
        "data": split.name,
        "revision": split.revision,
        "split": split.split,
        "skills": len(split.skills),
        "queries": len(split.queries),
    }


def _kind(query: Query) -> str:
    return str(query.extra.get("kind") or "")
