"""Everything that happens once before the first step: tables, mining, teacher, lengths."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from skillret.datasets.labelled import LabelledData, LabelledSplit
from skillret.datasets.layouts import choose_split, open_source
from skillret.datasets.query_file import QUERY_SUFFIXES, QueryFile
from skillret.encoders import DEFAULT_MODEL, load_encoder
from skillret.encoders.token_projection import TokenProjection
from skillret.errors import DatasetError, InputError
from skillret.files import parse_json
from skillret.retrieval.rerankers.pairs import PairTokens
from skillret.training.augment import augment
from skillret.training.dev_split import Dev
from skillret.training.late_interaction import fit_on, states_dim
from skillret.training.recipe import Recipe
from skillret.training.reranker.groups import GROUPS, open_groups, write_groups
from skillret.training.rows import (
    PAIRS,
    Tables,
    open_pairs,
    open_tables,
    write_pairs,
    write_tables,
)
from skillret.training.starting_model import base_facts, length_facts, load_base, summary
from skillret.types import Skill

__all__ = ["Prepared", "prepare"]

READY = "ready.json"  # written last
POOL = "pool.npy"
_SAMPLE = 1000  # texts whose tokens are counted
_PROJECTED = 700  # queries, and documents, whose tokens a projection is fitted on


@dataclass(frozen=True, slots=True)
class Prepared:
    """What training starts from.

    Attributes:
        model: The base model, a `SentenceTransformer` or a `PairModel`.
        tables: The open tables.
        pairs: `datasets.Dataset` of the pairs or groups, as texts and labels.
        teacher: `.npy` files of the teacher's query and document vectors, or None.
        projection: Of tokens, for late interaction, or None.
        pool: What a reranker is judged by, int64 `(dev queries, depth)`, or None.
        facts: For run.json.
        base: What the base model is, for run.json.
        report: Lines to print before training.
    """

    model: Any
    tables: Tables
    pairs: Any
    teacher: tuple[Path, Path] | None
    projection: TokenProjection | None
    pool: Any
    facts: Mapping[str, Any]
    base: Mapping[str, Any]
    report: Sequence[str]


def prepare(
    recipe: Recipe,
    folder: Path,
    data: str | None,
    libraries: Sequence[str],
    device: str,
    say: Callable[[str], None],
) -> Prepared:
    """Load the base model and prepare `folder`, unless an earlier call has done it.

    The caller sees to it that one process at a time does this.

    Raises:
        InputError: If the batch is larger than the data, an argument is at fault, or `folder` was
            prepared from other data.
        DatasetError: If the data is empty, incomplete or malformed.
        EncoderError: If the base model, the miner or the teacher cannot be loaded.
    """
    ready = folder / READY
    reader: LabelledData | None = None
    if not ready.is_file():
        # Data before weights: what is wrong with it is found in seconds.
        train = open_train(recipe, data, libraries)
        say(f"reading {train.name}")
        for note in train.source.notes:
            say(note)
        dev = _dev_split(train, recipe)
        reader = augment(train, recipe.data, recipe.train.seed)
        write_tables(
            reader,
            dev,
            recipe,
            folder,
            one_corpus=train.source.one_corpus,
            repeated=train.source.repeated() if isinstance(train.source, QueryFile) else 0,
        )
        _check_leaks(train, dev, open_tables(folder).dev)
    tables = open_tables(folder)
    if data is not None or libraries:
        _check_same(open_train(recipe, data, libraries), tables.facts)
    _check_batch(recipe, tables.facts)
    model = load_base(recipe.model, device) if recipe.kind == "embedding" else None
    if model is None:
        from skillret.training.reranker.model import load_pair_model

        model = load_pair_model(recipe, device)
    if reader is not None:
        if recipe.kind == "embedding":
            rows, more = _write_pairs(recipe, tables, model, reader, device, say)
        else:
            rows, more = _write_groups(recipe, tables, model, reader, dev, device, say)
        facts = {
            **tables.facts,
            **more,
            "pairs_sha256": hashlib.sha256(rows.read_bytes()).hexdigest(),
            "base": base_facts(model, recipe.model),
        }
        ready.write_text(json.dumps(facts, allow_nan=False) + "\n", encoding="utf-8")
    facts = parse_json(ready.read_text(encoding="utf-8"))
    base = facts.pop("base")
    teacher = _teacher_files(folder) if facts.get("teacher") else None
    limit, pool = recipe.model.max_tokens, None
    if recipe.kind == "embedding":
        pairs = open_pairs(tables, limit)
    else:
        pairs, pool = open_groups(tables, limit), np.load(folder / POOL)
    projection = None
    if recipe.loss.late_interaction:
        shape = (states_dim(model), recipe.loss.token_dim)
        projection = TokenProjection.load(folder, facts["token_projection"], shape)
    return Prepared(model, tables, pairs, teacher, projection, pool, facts, base, _report(facts))


def _write_pairs(
    recipe: Recipe,
    tables: Tables,
    model: Any,
    reader: LabelledData,
    device: str,
    say: Callable[[str], None],
) -> tuple[Path, dict[str, Any]]:
    """What an embedding model learns from: the file of its rows, and facts."""
    dim = int(model.get_embedding_dimension())
    _check_dimensions(recipe, dim)
    negatives = _mine(recipe, tables, reader, device, say)
    teacher = _teach(recipe, tables, negatives, dim, device, say)
    write_pairs(tables, recipe.loss.mask, negatives, dim if recipe.loss.matryoshka else 0)
    return tables.folder / PAIRS, {
        "lengths": _lengths(model, recipe, tables),
        "hard_negatives": 0 if negatives is None else int(negatives.shape[1]),
        "teacher": bool(teacher),
        "token_projection": _project(recipe, model, tables),
    }


def _write_groups(
    recipe: Recipe,
    tables: Tables,
    model: Any,
    reader: LabelledData,
    dev: LabelledData | None,
    device: str,
    say: Callable[[str], None],
) -> tuple[Path, dict[str, Any]]:
    """What a reranker learns from and is judged by: the file of its rows, and facts."""
    from skillret.training.reranker.pool import ceiling, find_pool, measure_pool

    section, depth = recipe.negatives, recipe.evaluate.pool
    source = next((s for s in section.sources if s != "run"), "retriever")
    encoder = None if source == "bm25" else _miner(recipe, source, device)
    skills: list[Skill] = []
    if source == "retriever":
        known = {s.id: s for s in (dev or reader).skills()}
        skills = [known[id_] for id_ in tables.dev.skill_ids]
    say(f"the pool of dev: the first {depth} of {_named(source, encoder)}")
    pool = find_pool(tables.dev, source, encoder, skills, depth)
    np.save(tables.folder / POOL, pool)
    negatives = _mine(recipe, tables, reader, device, say)
    ignored = write_groups(tables, negatives)
    metric = recipe.evaluate.metric
    return tables.folder / GROUPS, {
        "lengths": _pair_lengths(model, recipe, tables),
        "hard_negatives": int(negatives.shape[1]),
        "ignored": ignored,
        "pool": {
            "by": _named(source, encoder),
            "depth": depth,
            "metric": metric,
            "found": measure_pool(tables.dev, pool),
            "best": ceiling(tables.dev, pool),
        },
    }


def _named(source: str, encoder: Any) -> str:
    """What people are told of a first stage."""
    if encoder is None:
        return "BM25"
    name = encoder.profile.name
    return f"hybrid search with {name}" if source == "retriever" else str(name)


def open_train(recipe: Recipe, data: str | None, libraries: Sequence[str]) -> LabelledSplit:
    """The split to train on.

    Args:
        recipe: Its section `data` is used.
        data: Instead of the recipe's data set.
        libraries: Folders of skills. Without `data` their own tests give way to the recipe's data
            set only where that is a file of queries.

    Raises:
        DatasetError: If there is no such data set or split.
        InputError: If there is nothing to read, or a combination makes no sense.
    """
    spec = recipe.data.source if data is None else data
    if data is None and libraries and not spec.lower().endswith(QUERY_SUFFIXES):
        spec = ""
    if not spec and not libraries:
        raise InputError(
            "no training data: name it with data.source in the recipe, --data or --library"
        )
    # All splits of the hub: dev chooses checkpoints, test is kept apart.
    source = open_source(spec, libraries=libraries)
    split = choose_split(spec, source, None, recipe.data.train_split)
    return LabelledSplit(source, split)


def _dev_split(train: LabelledSplit, recipe: Recipe) -> LabelledSplit | None:
    """The dev split of the same data set; None if there is none."""
    split = recipe.data.dev_split
    if split == train.split or split not in train.source.splits():
        return None
    return LabelledSplit(train.source, split)


def _check_leaks(train: LabelledSplit, dev: LabelledSplit | None, made: Dev) -> None:
    """Refuse a dev split that would let test skills choose the checkpoint.

    Where all splits share one corpus it is the queries that must not be shared.
    """
    test = None
    if "test" in train.source.splits() and train.split != "test":
        test = LabelledSplit(train.source, "test")
    if not train.source.one_corpus:
        shared = _shared((s.id for s in test.skills()), made.skill_ids) if test else []
        if shared:
            raise DatasetError(
                f"{len(shared)} skills of dev are in the test split too (first: {shared[0]}); a"
                " checkpoint must not be chosen on test"
            )
        return
    for name, other in (("train", train if dev else None), ("test", test)):
        shared = _shared((q.id for q in other.bare_queries()), made.query_ids) if other else []
        if shared:
            raise DatasetError(
                f"{len(shared)} queries of dev are in the {name} split too (first: {shared[0]})"
            )


def _shared(ids: Iterable[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [id_ for id_ in ids if id_ in known]


def _check_same(source: LabelledSplit, facts: Mapping[str, Any]) -> None:
    """What was prepared is of the data that is asked for; otherwise it would pass for the new."""
    if (source.name, source.revision) != (facts["data"], facts["revision"]):
        raise InputError(
            f"cannot resume: the run was prepared from {facts['data']} (revision"
            f" {facts['revision']}), not from {source.name} (revision {source.revision}); a run"
            " goes on with the data that it began with"
        )


def _check_batch(recipe: Recipe, facts: Mapping[str, Any]) -> None:
    own, devices, pairs = recipe.train.batch_size, recipe.train.devices, facts["pairs"]
    batch = own * devices
    if pairs < 2 and recipe.kind == "embedding":
        raise DatasetError("there is only one pair to train on; a contrastive loss needs two")
    if batch > pairs:
        gone = [
            (facts.get("repeated", 0), "rows repeat another one"),
            (facts["unlabelled"], "queries have no gold skill"),
            (facts.get("pairs_held_out", 0), "pairs are held out for dev (data.dev_share)"),
            (facts["pairs_available"] - pairs, "are beyond data.max_pairs"),
        ]
        told = "".join(f", {count} {what}" for count, what in gone if count)
        raise InputError(
            f"a batch of {batch} ({own} x {devices}) is larger than the data: {facts['queries']}"
            f" labelled queries{told}; {pairs} pairs are left. Add --set"
            f" train.batch_size={max(2, pairs // devices)} or less"
        )


def _check_dimensions(recipe: Recipe, dim: int) -> None:
    wide = [d for d in recipe.loss.matryoshka if d > dim]
    if wide:
        raise InputError(
            f"recipe: loss.matryoshka holds {wide[0]}; allowed: at most {dim}, the dimension of"
            f" {recipe.model.base}"
        )


def _project(recipe: Recipe, model: Any, tables: Tables) -> str:
    """Fit the projection of tokens on texts of the pairs, and write it; its SHA-256, or ""."""
    if not recipe.loss.late_interaction:
        return ""
    queries, skills = (sorted(set(rows)) for rows in tables.pairs.T.tolist())
    draw = random.Random(recipe.train.seed)  # noqa: S311 (no secrets)
    texts: list[str] = []
    for table, column, rows in (
        (tables.queries, "text", queries),
        (tables.skills, "document", skills),
    ):
        drawn = draw.sample(rows, min(_PROJECTED, len(rows)))
        texts += table[drawn][column]
    return fit_on(model, texts, recipe.loss.token_dim).save(tables.folder)


def _encoder(recipe: Recipe, name: str, device: str) -> Any:
    """An encoder by name; the base model with the recipe's prompts if there is none."""
    if name:
        trust = recipe.model.trust_remote_code and name == recipe.model.base
        return load_encoder(name, device=device, trust_remote_code=trust)
    from skillret.encoders.profile import Profile
    from skillret.encoders.sentence_transformers import SentenceTransformerEncoder

    section = recipe.model
    profile = Profile(
        section.base,
        query_prompt=section.query_prompt,
        document_prompt=section.document_prompt,
        max_query_tokens=section.max_tokens,
        max_document_tokens=section.max_tokens,
    )
    base = f"{section.base}@{section.revision}" if section.revision else section.base
    return SentenceTransformerEncoder(
        base,
        device=device,
        profile=profile,
        trust_remote_code=section.trust_remote_code,
    )


def _miner(recipe: Recipe, source: str, device: str) -> Any:
    """The encoder of a source of rankings: of the retriever, unless it is named, the packaged."""
    name = recipe.negatives.encoder
    return _encoder(recipe, name or (DEFAULT_MODEL if source == "retriever" else ""), device)


def _mine(
    recipe: Recipe,
    tables: Tables,
    reader: LabelledData,
    device: str,
    say: Callable[[str], None],
) -> Any:
    section = recipe.negatives
    if not section.per_pair:
        return None
    from skillret.training.negatives import mine

    encoder = None
    for source in ("encoder", "retriever"):
        if source in section.sources:
            encoder = _miner(recipe, source, device)
            say(f"mining negatives with {_named(source, encoder)}")
    skills = list(reader.skills()) if "retriever" in section.sources else []
    negatives, told = mine(tables, section, encoder, recipe.train.seed, skills)
    say(told)
    return negatives


def _teacher_files(folder: Path) -> tuple[Path, Path]:
    return folder / "teacher-queries.npy", folder / "teacher-documents.npy"


def _teach(
    recipe: Recipe,
    tables: Tables,
    negatives: Any,
    dim: int,
    device: str,
    say: Callable[[str], None],
) -> bool:
    """Write the teacher's vectors, if there is a teacher."""
    if not recipe.distill.teacher:
        return False
    from skillret.training.teacher import write_teacher

    encoder = _encoder(recipe, recipe.distill.teacher, device)
    say(f"encoding texts with the teacher {encoder.profile.name}")
    reduced = dim if recipe.distill.target == "embeddings" else 0
    met = tables.pairs[:, 1] if negatives is None else np.append(negatives, tables.pairs[:, 1])
    write_teacher(encoder, tables, _teacher_files(tables.folder), reduced, met)
    return True


def _lengths(model: Any, recipe: Recipe, tables: Tables) -> dict[str, Any]:
    draw = np.random.default_rng(recipe.train.seed)
    found: dict[str, Any] = {}
    for name, table, column, prompt in (
        ("queries", tables.queries, "text", recipe.model.query_prompt),
        ("documents", tables.skills, "document", recipe.model.document_prompt),
    ):
        rows = draw.permutation(len(table))[:_SAMPLE].tolist()
        found[name] = length_facts(model, table[rows][column], prompt, recipe.model.max_tokens)
    found["limit"] = recipe.model.max_tokens
    return found


def _pair_lengths(model: Any, recipe: Recipe, tables: Tables) -> dict[str, Any]:
    """Tokens of queries with their gold skills, the prompt included."""
    draw = np.random.default_rng(recipe.train.seed)
    chosen = tables.pairs[draw.permutation(len(tables.pairs))[:_SAMPLE]]
    queries = tables.queries[chosen[:, 0].tolist()]["text"]
    documents = tables.skills[chosen[:, 1].tolist()]["document"]
    limit = recipe.model.max_tokens
    whole = replace(model.profile, max_tokens=1 << 20)
    tokens = PairTokens(model.tokenizer.backend_tokenizer, whole)
    counts = [len(p.ids) for p in tokens.encode(list(zip(queries, documents, strict=True)))]
    return {"pairs": summary(counts, limit), "limit": limit}


def _report(facts: Mapping[str, Any]) -> list[str]:
    dev, lengths = facts["dev"], facts["lengths"]
    lines = [
        f"data: {facts['data']}, revision {facts['revision']}, skills"
        f" {facts['skills_sha256'][:12]}, queries {facts['queries_sha256'][:12]}",
        f"train: {facts['pairs']:,} pairs of {facts['pairs_available']:,};"
        f" {facts['queries']:,} queries, {facts['skills']:,} skills,"
        f" {facts['near_duplicates']:,} of them near-duplicates",
        *_unlabelled(facts),
        f"dev: {dev['origin']}; {dev['queries']:,} queries, {dev['skills']:,} skills",
    ]
    for name in (n for n in lengths if n != "limit"):
        f = lengths[name]
        lines.append(
            f"{name}: median {f['median']} tokens, 90 % {f['p90']}, 99 % {f['p99']}, longest"
            f" {f['max']}; {f['truncated']:.1%} cut at {lengths['limit']} ({f['texts']:,} counted)"
        )
    if pool := facts.get("pool"):
        metric = pool["metric"]
        lines.append(
            f"the first {pool['depth']} of {pool['by']}: dev {metric} {pool['found'][metric]:.4f}"
            f" as found, {pool['best'][metric]:.4f} if ordered perfectly"
        )
    return lines


def _unlabelled(facts: Mapping[str, Any]) -> list[str]:
    n = facts.get("unlabelled", 0)
    return [f"{n:,} queries have no gold skill and are not trained on"] if n else []
