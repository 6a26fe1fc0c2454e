"""Training tables: texts written once to Arrow files and memory-mapped, pairs as row numbers.

A step reads the texts of its own batch and nothing else, so memory holds ids, not texts, however
large the corpus is. Next to its texts every pair carries a row of integers (`Labels` in
`skillret.training.loss`), from which the loss knows which columns are no negatives of an anchor.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.datasets.duplicates import near_duplicate_groups
from skillret.datasets.labelled import LabelledData, missing_gold, one_gold
from skillret.errors import DatasetError
from skillret.files import parse_json
from skillret.skills import document_text
from skillret.training.augment import SECTION
from skillret.training.dev_split import Dev, dev_from_source, dev_from_train, hold_out, read_dev
from skillret.training.recipe import Recipe

__all__ = [
    "CHARACTERS_PER_TOKEN",
    "PAIRS",
    "PairTexts",
    "Tables",
    "label_row",
    "mapped",
    "open_pairs",
    "open_tables",
    "table_texts",
    "write_arrow",
    "write_pairs",
    "write_tables",
]

Int64: TypeAlias = NDArray[np.int64]

PAIRS = "pairs.arrow"
FACTS = "facts.json"  # written last: tables without it are incomplete
# A tokenizer reads a whole text before it cuts it, which of a long body takes most of the time. No
# English text has so many characters a token: of OpenSkillRet's 10,624 documents, cut after 256
# tokens, this changes none.
CHARACTERS_PER_TOKEN = 16
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Tables:
    """Open training tables.

    Attributes:
        folder: Where they lie.
        skills: `datasets.Dataset` with `id`, `name`, `document`.
        queries: `datasets.Dataset` with `id`, `text`.
        dev: The dev split.
        gold: Skill rows that are gold for each query row.
        also: Skill rows that would do as well, for the query rows that have such.
        groups: int64 `(skills,)`; near-duplicates share a value.
        held_out: Skill rows of a dev split that was made from train; never trained on.
        pairs: int64 `(pairs, 2)`: query row, skill row.
        facts: What is printed before training and kept in run.json.
    """

    folder: Path
    skills: Any
    queries: Any
    dev: Dev
    gold: Sequence[tuple[int, ...]]
    also: Mapping[int, tuple[int, ...]]
    groups: Int64
    held_out: frozenset[int]
    pairs: Int64
    facts: Mapping[str, Any]


def write_tables(
    source: LabelledData,
    dev_source: LabelledData | None,
    recipe: Recipe,
    folder: Path,
    *,
    one_corpus: bool = False,
    repeated: int = 0,
) -> None:
    """Stream a source into tables, make or read the dev split, and draw the pairs.

    Args:
        source: The training data.
        dev_source: The dev data; None to hold out skills of the training data.
        recipe: Its sections `model`, `data`, `loss` and `train` are used.
        folder: Made anew; a folder without `facts.json` counts as not written.
        one_corpus: All splits share their skills on purpose, as in BEIR layout.
        repeated: Rows of the source that it left out, since they repeat others.

    Raises:
        DatasetError: If the data is empty, no query has a gold skill, a gold skill is unknown, or
            all documents or all gold skills are the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, skills_hash, texts = _write_skills(source, recipe.model.template, folder)
    if texts < 2:
        raise DatasetError(
            f"all {len(rows)} skills of {source.name} have the same text; there is nothing to learn"
        )
    gold, made, also, unlabelled, queries_hash = _write_queries(source, rows, folder)
    ids = [*rows]
    if same := one_gold([ids[row] for row in skills] for skills in gold):
        raise DatasetError(f"{source.name}: {same}: nothing can be learned from that")
    groups = np.arange(len(rows), dtype=np.int64)
    if recipe.loss.mask == "duplicates" or dev_source is None:
        documents = mapped(folder / "skills.arrow")
        groups = near_duplicate_groups(
            len(rows), lambda i: str(documents[i]["document"]), recipe.loss.duplicate_threshold
        )
    held_out: frozenset[int] = frozenset()
    if dev_source is None:
        wholes = ((r, i.removesuffix(SECTION)) for i, r in rows.items() if i.endswith(SECTION))
        parts = {row: rows[whole] for row, whole in wholes if whole in rows}
        share, seed = recipe.data.dev_share, recipe.train.seed
        held_out, dev_queries = hold_out(gold, made, parts, groups, share, seed)
        tables = mapped(folder / "skills.arrow"), mapped(folder / "queries.arrow")
        dev = dev_from_train(*tables, held_out, dev_queries, parts, gold, recipe)
    else:
        dev = dev_from_source(dev_source, recipe, rows, one_corpus=one_corpus)
        dev_queries = frozenset()
    pairs = [
        (q, s)
        for q, skills in enumerate(gold)
        if q not in dev_queries and not (made[q] and held_out.intersection(skills))
        for s in skills
        if s not in held_out
    ]
    available = len(pairs)
    if recipe.data.max_pairs and available > recipe.data.max_pairs:
        drawn = np.random.default_rng(recipe.train.seed).permutation(available)
        pairs = [pairs[i] for i in sorted(drawn[: recipe.data.max_pairs].tolist())]
    if not pairs:
        raise DatasetError(f"{source.name} leaves no pair to train on beside the dev split")
    _write_json(folder / "gold.json", gold)
    _write_json(folder / "also.json", also)
    _write_json(folder / "held_out.json", sorted(held_out))
    _write_json(folder / "dev.json", {s: getattr(dev, s) for s in Dev.__slots__})
    np.save(folder / "groups.npy", groups)
    np.save(folder / "pairs.npy", np.array(pairs, dtype=np.int64).reshape(-1, 2))
    facts = {
        "data": source.name,
        "revision": source.revision,
        "skills_sha256": skills_hash,
        "queries_sha256": queries_hash,
        "skills": len(rows),
        "queries": len(gold),
        "unlabelled": unlabelled,
        "repeated": repeated,
        "pairs": len(pairs),
        "pairs_available": available,
        "pairs_held_out": sum(map(len, gold)) - available,
        "near_duplicates": len(rows) - len(np.unique(groups)),
        "dev": {
            "origin": dev.origin,
            "skills": len(dev.skill_ids),
            "queries": len(dev.query_ids),
            "sha256": _hash_texts([*dev.documents, *dev.queries]),
        },
    }
    _write_json(folder / FACTS, facts)


def open_tables(folder: Path) -> Tables:
    """Open what `write_tables` wrote.

    Raises:
        DatasetError: If the folder holds no complete tables.
    """
    try:
        facts = parse_json((folder / FACTS).read_text(encoding="utf-8"))
        gold, also = (
            parse_json((folder / name).read_text(encoding="utf-8"))
            for name in ("gold.json", "also.json")
        )
        return Tables(
            folder=folder,
            skills=mapped(folder / "skills.arrow"),
            queries=mapped(folder / "queries.arrow"),
            dev=read_dev(folder / "dev.json"),
            gold=[tuple(g) for g in gold],
            also={query: tuple(skills) for query, skills in also},
            groups=np.load(folder / "groups.npy"),
            held_out=frozenset(parse_json((folder / "held_out.json").read_text(encoding="utf-8"))),
            pairs=np.load(folder / "pairs.npy"),
            facts=facts,
        )
    except (OSError, ValueError, TypeError) as e:
        raise DatasetError(f"{folder} holds no complete training tables: {e}") from None


def label_row(
    query: int,
    skills: Sequence[int],
    mask: str,
    gold: Sequence[int],
    groups: Int64,
    width: int,
) -> list[int]:
    """The integers that travel with one pair; see `skillret.training.loss.Labels`.

    Args:
        query: Row of the query.
        skills: Rows of the positive and of the hard negatives.
        mask: `loss.mask` of the recipe.
        gold: Rows of all gold skills of the query.
        groups: Near-duplicate groups of all skills.
        width: Room for the keys that must not be negatives; unused places are -1.
    """
    if mask == "duplicates":
        keys = [int(groups[s]) for s in skills]
        forbidden = sorted({int(groups[s]) for s in gold})
    else:
        keys = [int(s) for s in skills]
        forbidden = {"none": [], "skill": keys[:1], "gold": sorted(gold)}[mask]
    padded = [*forbidden, *([-1] * (width - len(forbidden)))]
    return [query, *map(int, skills), *keys, *padded]


def write_pairs(tables: Tables, mask: str, negatives: Int64 | None, avoid_width: int) -> None:
    """Write the pairs with their negatives and labels, for `open_pairs`.

    Args:
        tables: The tables.
        mask: `loss.mask` of the recipe.
        negatives: int64 `(pairs, per_pair)` of skill rows, or None.
        avoid_width: A label must not have this length (sentence-transformers' Matryoshka loss
            takes labels as long as a vector for vectors); 0 if any length is fine.
    """
    golds = _merge_by_text(tables)
    width = max((len(golds[q]) for q in tables.pairs[:, 0].tolist()), default=1)
    columns = 1 if negatives is None else 1 + negatives.shape[1]
    if 1 + 2 * columns + width == avoid_width:
        width += 1

    def rows() -> Iterable[dict[str, Any]]:
        for number, (query, skill) in enumerate(tables.pairs.tolist()):
            extra = [] if negatives is None else negatives[number].tolist()
            skills = [skill, *extra]
            label = label_row(query, skills, mask, golds[query], tables.groups, width)
            yield {"query": query, "skills": skills, "label": label}

    from datasets import Features, Value
    from datasets import List as ListOf

    whole = Value("int64")
    features = {"query": whole, "skills": ListOf(whole), "label": ListOf(whole)}
    write_arrow(tables.folder / PAIRS, Features(features), rows())


def open_pairs(tables: Tables, max_tokens: int) -> Any:
    """The pairs as `datasets.Dataset` with `query`, `skill`, `negative_1` ... and `label`.

    Memory-mapped; texts are looked up when a batch is read, without what is surely beyond
    `max_tokens`.
    """
    pairs = mapped(tables.folder / PAIRS)
    limit = max_tokens * CHARACTERS_PER_TOKEN
    return pairs.with_transform(PairTexts(tables.skills, tables.queries, limit))


@dataclass(frozen=True, slots=True)
class PairTexts:
    """Turns rows of the pair table into texts when a batch is read."""

    skills: Any
    queries: Any
    limit: int  # characters

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Columns `query`, `skill`, `negative_1` ... (texts) and `label` (integers)."""
        texts: dict[str, Any] = {"query": self._cut(self.queries[list(batch["query"])]["text"])}
        for number, rows in enumerate(zip(*batch["skills"], strict=True)):
            name = f"negative_{number}" if number else "skill"
            texts[name] = self._cut(self.skills[list(rows)]["document"])
        texts["label"] = batch["label"]
        return texts

    def _cut(self, texts: Iterable[str]) -> list[str]:
        return [text[: self.limit] for text in texts]


def _write_skills(
    source: LabelledData, template: str, folder: Path
) -> tuple[dict[str, int], str, int]:
    """Row by skill id, hash over all documents, and how many differ (counted up to 2)."""
    from datasets import Features, Value

    rows: dict[str, int] = {}
    digest = hashlib.sha256()
    different: set[bytes] = set()

    def stream() -> Iterable[dict[str, str]]:
        for skill in source.skills():
            rows[skill.id] = len(rows)
            document = document_text(skill, template)
            own = hashlib.sha256(document.encode("utf-8", "replace")).digest()
            if len(different) < 2:
                different.add(own)
            digest.update(skill.id.encode("utf-8", "replace") + b"\0" + own)
            yield {"id": skill.id, "name": skill.name, "document": document}

    features = Features({c: Value("string") for c in ("id", "name", "document")})
    write_arrow(folder / "skills.arrow", features, stream())
    return rows, digest.hexdigest(), len(different)


def _write_queries(
    source: LabelledData, rows: Mapping[str, int], folder: Path
) -> tuple[list[list[int]], list[bool], list[tuple[int, list[int]]], int, str]:
    """Gold rows by query, which were made, what would do as well, how many had none, and a hash."""
    from datasets import Features, Value

    gold: list[list[int]] = []
    made: list[bool] = []
    also: list[tuple[int, list[int]]] = []
    missing: list[tuple[str, str]] = []
    unlabelled = 0
    digest = hashlib.sha256()

    def stream() -> Iterable[dict[str, str]]:
        nonlocal unlabelled
        for query in source.queries():
            if not query.gold:
                unlabelled += 1
                continue
            missing.extend((query.id, g) for g in query.gold if g not in rows)
            if others := sorted({rows[s] for s in query.also if s in rows}):
                also.append((len(gold), others))
            gold.append(sorted({rows[g] for g in query.gold if g in rows}))
            made.append(query.made)
            line = json.dumps([query.id, query.text, sorted(query.gold)])
            digest.update(line.encode())
            yield {"id": query.id, "text": query.text}

    features = Features({"id": Value("string"), "text": Value("string")})
    write_arrow(folder / "queries.arrow", features, stream())
    if missing:
        raise DatasetError(missing_gold(source.name, len(missing), *missing[0]))
    if not gold:
        raise DatasetError(f"{source.name}: no query has a gold skill")
    return gold, made, also, unlabelled, digest.hexdigest()


def _merge_by_text(tables: Tables) -> list[tuple[int, ...]]:
    """Gold skills by query; queries of equal text share theirs."""
    first: dict[bytes, int] = {}
    merged: dict[int, set[int]] = {}
    owner: list[int] = []
    for query, text in enumerate(table_texts(tables.queries, "text")):
        plain = _SPACE.sub(" ", text).strip().lower().encode("utf-8", "replace")
        key = hashlib.blake2b(plain, digest_size=8).digest()
        home = first.setdefault(key, query)
        owner.append(home)
        merged.setdefault(home, set()).update(tables.gold[query])
    return [tuple(sorted(merged[home])) for home in owner]


def table_texts(table: Any, column: str) -> Iterable[str]:
    """A column of a mapped table, a thousand rows in memory at a time."""
    for start in range(0, len(table), 1000):
        yield from table[start : start + 1000][column]


def mapped(file: Path) -> Any:
    """A table on the disk as `datasets.Dataset`, memory-mapped."""
    from datasets import Dataset

    return Dataset.from_file(str(file))


def write_arrow(file: Path, features: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows with `datasets.Features` into an Arrow file."""
    from datasets.arrow_writer import ArrowWriter

    with ArrowWriter(path=str(file), features=features, writer_batch_size=200) as writer:
        for row in rows:
            writer.write(row)
        writer.finalize()


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, allow_nan=False) + "\n", encoding="utf-8")


def _hash_texts(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "replace") + b"\0")
    return digest.hexdigest()
