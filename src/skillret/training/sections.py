"""The sections of a recipe: every key with its default, what is allowed, and what it means.

The defaults are the published SkillRet recipes (arXiv:2605.05726, section 4 and the model cards)
where they say something. A recipe is for an embedding model or for a reranker; some keys make sense
for one of them only, and some have another default for a reranker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from skillret.encoders.families import SKILL_INSTRUCTION
from skillret.encoders.profile import DOCUMENT_TEMPLATE
from skillret.retrieval.rerankers.profile import RERANK_INSTRUCTION
from skillret.skills import is_template
from skillret.toml_keys import above_zero, at_least_zero, choice, flag, key, share, text, whole

__all__ = [
    "KINDS",
    "DataSection",
    "DistillSection",
    "EvaluateSection",
    "LossSection",
    "ModelSection",
    "NegativesSection",
    "OutputSection",
    "QueryTokensSection",
    "TrainSection",
    "kind_weight",
]

KINDS = ("embedding", "reranker")
SOURCES = ("encoder", "bm25", "retriever", "run")
MASKS = ("none", "skill", "gold", "duplicates")
REPEAT = re.compile(r"[^=]+=\d{1,3}(\.\d+)?")
METRIC = re.compile(r"(ndcg|recall|completeness|map)@(5|10|15)")


def _only(kind: str, key: Any) -> Any:
    """A key of recipes of one kind."""
    return field(default=key.default, metadata={**key.metadata, "only": kind})


def _reranker(default: Any, key: Any) -> Any:
    """A key with another default for a reranker."""
    return field(default=key.default, metadata={**key.metadata, "reranker": default})


def _rules() -> Any:
    return key((), lambda v: all(REPEAT.fullmatch(r) for r in v), 'a list such as ["scenario=3"]')


def _is_split(name: str) -> bool:
    return bool(name.strip()) and not name.strip().lower().startswith("test")


@dataclass(frozen=True, slots=True)
class ModelSection:
    """The model that is trained and how it sees texts.

    Attributes:
        base: Folder or hub id of a sentence-transformers or transformers model.
        base_name: What the model card calls the base; empty for `base` itself.
        revision: Revision of a hub id; empty for the newest.
        query_prompt: Put before every query (embedding).
        document_prompt: Put before every document (embedding).
        instruction: What a decoder is told to judge (reranker).
        template: Document template over `name`, `description`, `purpose` (the description without
            what the skill is not for), `body` and `instructions` (the body without that).
        max_tokens: Texts, or pairs of query and document, are cut here, special tokens and prompt
            included.
        trust_remote_code: Run Python code that the model brings along.
        attention: Attention kernel of transformers (`sdpa`, `flash_attention_2`, `eager`).
    """

    base: str = _reranker(
        "Qwen/Qwen3-Reranker-0.6B",
        key("Qwen/Qwen3-Embedding-0.6B", lambda v: bool(v.strip()), "a folder or hub id"),
    )
    base_name: str = text()
    revision: str = text()
    query_prompt: str = _only("embedding", text(SKILL_INSTRUCTION))
    document_prompt: str = _only("embedding", text())
    instruction: str = _only("reranker", text(RERANK_INSTRUCTION))
    template: str = key(
        DOCUMENT_TEMPLATE,
        is_template,
        "text with {name}, {description}, {purpose}, {body} or {instructions} and no others",
    )
    max_tokens: int = whole(8192, 8)
    trust_remote_code: bool = flag(False)
    attention: str = choice("sdpa", "sdpa", "flash_attention_2", "eager")


@dataclass(frozen=True, slots=True)
class DataSection:
    """What is trained on.

    Attributes:
        source: Data set of any layout, as in `skillret.datasets.layouts.open_source`; `--data`
            overrides it.
        train_split: Split to train on.
        dev_split: Split that chooses the checkpoint; made from train by skill if there is none.
        dev_share: Share of the queries that a made dev split takes, with all of their skills.
        max_pairs: Train on this many pairs, drawn at random; 0 for all.
        repeat: `KIND=WEIGHT` each, the first that fits a query's kind counts (`*` is a wildcard):
            such queries are taken so many times, a fraction by chance.
        composed: So many queries for two or three skills, made by joining queries for one.
        sections: So many skills whose description asks for a section of their body.
    """

    source: str = text()
    train_split: str = key("train", _is_split, "a split, never one called test")
    dev_split: str = key("dev", _is_split, "a split, never one called test")
    dev_share: float = share(0.05, zero=False, one=False)
    max_pairs: int = whole(0)
    repeat: tuple[str, ...] = _rules()
    composed: int = whole(0)
    sections: int = whole(0)


@dataclass(frozen=True, slots=True)
class TrainSection:
    """Optimization.

    Attributes:
        batch_size: Pairs per device and step; of a reranker groups of a gold skill and negatives.
        accumulate: Steps whose gradients are added up before the weights change (reranker).
        devices: Processes the recipe is made for, one per device.
        epochs: Passes over the pairs.
        max_steps: Stop after this many optimizer steps; 0 for `epochs`.
        learning_rate: Peak of the schedule.
        warmup: Share of the steps over which the rate rises from 0.
        schedule: Shape of the rate after the warm-up.
        weight_decay: Of AdamW.
        max_grad_norm: Gradients are clipped here; 0 for never.
        precision: `bf16` and `fp16` run the forward pass in autocast, weights stay float32.
        group_by_length: Batches of queries of similar length: no padding, harder negatives
            (embedding).
        activation_checkpointing: Recompute activations instead of keeping them.
        optimizer: By the names of transformers.
        seed: Of data order, dropout and everything else that is drawn.
        device: `auto` takes a GPU if there is one.
    """

    batch_size: int = _reranker(12, whole(96, 1))
    accumulate: int = _only("reranker", whole(1, 1))
    devices: int = whole(1, 1)
    epochs: float = above_zero(1.0)
    max_steps: int = whole(0)
    learning_rate: float = above_zero(2e-5)
    warmup: float = share(0.1, one=False)
    schedule: str = choice("linear", "linear", "cosine", "constant_with_warmup")
    weight_decay: float = at_least_zero(0.0)
    max_grad_norm: float = at_least_zero(1.0)
    precision: str = choice("bf16", "fp32", "bf16", "fp16")
    group_by_length: bool = _only("embedding", flag(False))
    activation_checkpointing: bool = flag(False)
    optimizer: str = choice("adamw_torch", "adamw_torch", "adamw_torch_fused", "adafactor")
    seed: int = whole(42)
    device: str = choice("auto", "auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class LossSection:
    """A reranker's loss, or multiple-negatives ranking loss (arXiv:1705.00652, section 4.4).

    Attributes:
        objective: Of a reranker. `pointwise`: binary cross-entropy of every document, as
            published. `listwise`: softmax cross-entropy over a group (arXiv:2603.22455).
        scale: Cosines are multiplied by it; the inverse of the temperature. This and the rest, but
            for `duplicate_threshold`, is for embeddings.
        gather: Share in-batch negatives across devices.
        mask: Which columns are no negatives of an anchor. `none`: the published loss. `skill`:
            another copy of its own gold skill. `gold`: also its other gold skills. `duplicates`:
            also near-duplicates of any of them.
        duplicate_threshold: Jaccard over word 5-grams from which two documents are near-duplicates.
        mini_batch_size: Rows of one forward pass with gradient caching (arXiv:2101.06983); 0: off.
        matryoshka: Dimensions to train beside the full one (arXiv:2205.13147).
        late_interaction: Weight of the same loss over late interaction of tokens (MaxSim;
            arXiv:2004.12832); the loss over single vectors has weight 1. 0: off.
        late_scale: Scores of late interaction are multiplied by it.
        token_dim: Values of a token vector.
    """

    objective: str = _only("reranker", choice("pointwise", "pointwise", "listwise"))
    scale: float = _only("embedding", above_zero(20.0))
    gather: bool = _only("embedding", flag(True))
    mask: str = _only("embedding", choice("duplicates", *MASKS))
    duplicate_threshold: float = share(0.8, zero=False)
    mini_batch_size: int = _only("embedding", whole(0))
    matryoshka: tuple[int, ...] = _only(
        "embedding", key((), lambda v: all(d > 0 for d in v), "a list of dimensions")
    )
    late_interaction: float = _only("embedding", at_least_zero(0.0))
    late_scale: float = _only("embedding", above_zero(24.0))
    token_dim: int = _only("embedding", whole(48, 1))


@dataclass(frozen=True, slots=True)
class NegativesSection:
    """Hard negatives, mined once before training (filters: SkillRouter, arXiv:2603.22455).

    Attributes:
        per_pair: Negatives per pair; 0 for none.
        sources: Where candidates come from, taken in turn. `retriever`: our own hybrid search.
            `encoder`: cosines. `bm25`. `run`: a TREC run of any system. The first of them that is
            no run also finds the pool that a reranker is evaluated on.
        encoder: Model that mines; empty for the base model of the recipe, or the packaged one for
            `retriever`.
        run: File of the run, with the training queries.
        first_rank: Best rank a negative may have.
        last_rank: Worst rank a negative may have.
        same_name: Whether a skill named like a gold skill may be a negative.
        max_overlap: Largest word-trigram Jaccard with a gold skill's document; 1 for any.
        max_share: Largest score as a share of the positive's score by the same source; 0 for any.
    """

    per_pair: int = _reranker(7, whole(0))
    sources: tuple[str, ...] = _reranker(
        ("retriever",),
        key(
            ("encoder", "bm25"),
            lambda v: bool(v) and set(v) <= set(SOURCES) and len(set(v)) == len(v),
            "a list of " + ", ".join(f'"{s}"' for s in SOURCES),
        ),
    )
    encoder: str = text()
    run: str = text()
    first_rank: int = _reranker(21, whole(1, 1))
    last_rank: int = _reranker(60, whole(50, 1))
    same_name: bool = flag(False)
    max_overlap: float = share(0.6, zero=False)
    max_share: float = _reranker(0.0, share(0.95))


@dataclass(frozen=True, slots=True)
class DistillSection:
    """Learning from a teacher, beside the labels (embedding).

    Attributes:
        teacher: Encoder (folder or hub id); empty for none.
        target: `scores`: its distribution over the batch's documents (KL divergence).
            `margins`: its margins between positive and others (MarginMSE, arXiv:2010.02666).
            `embeddings`: its vectors, reduced to the student's dimension (arXiv:2301.12005).
        weight: Of the teacher's term; the ranking loss has weight 1.
        teacher_scale: Its cosines are multiplied by this for `scores`.
    """

    teacher: str = _only("embedding", text())
    target: str = _only("embedding", choice("scores", "scores", "margins", "embeddings"))
    weight: float = _only("embedding", above_zero(1.0))
    teacher_scale: float = _only("embedding", above_zero(20.0))


@dataclass(frozen=True, slots=True)
class EvaluateSection:
    """Evaluation on dev while training.

    Attributes:
        every_steps: Evaluation, log row and checkpoint every so many steps.
        metric: Chooses the best checkpoint.
        keep: `best` makes a model of the best checkpoint, `last` of the last one.
        batch_size: Texts of one forward pass.
        max_queries: Evaluate on this many queries of dev, drawn at random; 0 for all.
        pool: A reranker orders so many of the first stage's hits.
    """

    every_steps: int = whole(50, 1)
    metric: str = _reranker(
        "ndcg@10", key("ndcg@15", lambda v: METRIC.fullmatch(v) is not None, "such as ndcg@10")
    )
    keep: str = choice("best", "best", "last")
    batch_size: int = whole(32, 1)
    max_queries: int = whole(0)
    pool: int = _only("reranker", whole(20, 2))


@dataclass(frozen=True, slots=True)
class OutputSection:
    """What is kept and who is told.

    Attributes:
        keep_checkpoints: Newest checkpoints to keep; the best one is always kept.
        report_to: Trackers of transformers.
    """

    keep_checkpoints: int = whole(3, 2)
    report_to: tuple[str, ...] = key(
        (),
        lambda v: set(v) <= {"tensorboard", "wandb", "trackio"},
        'a list of "tensorboard", "wandb" and "trackio"',
    )


@dataclass(frozen=True, slots=True)
class QueryTokensSection:
    """The training of what reads queries for late interaction: `fit_query_tokens`.

    Such a recipe has this section alone. The defaults were chosen on dev splits.

    Attributes:
        train_split: Split to train on.
        dev_split: Split to measure on, of which nothing is learnt.
        depth: So many of a query's best candidates are looked at.
        candidates: So many of them are read in a step, gold ones included.
        shares: `KIND=SHARE` each, as `repeat` of a recipe's data: so many of the queries of a kind
            are used at all.
        weights: `KIND=WEIGHT` each: how often a query of a kind is drawn, beside those of others.
        seen_weight: The same for queries that the encoder was trained on.
        seen_outputs: The ranker's outputs for these are multiplied by it: it is surer of them than
            of new ones.
        max_tokens: Of a query in training.
        frozen: First layers of the encoder that stay as they are, beside its embeddings.
        steps: How many.
        batch_size: Queries of a step.
        learning_rate: Of the encoder's layers, at its largest.
        head_learning_rate: Of all else.
        warmup: Steps of a linear warmup; then the rates fall linearly, to a fiftieth.
        weight_decay: Of AdamW.
        max_grad_norm: Gradients are clipped here.
        residual: Weight of the loss of the ranker's outputs with late interaction added.
        late_weight: What late interaction is multiplied by there at first; it is learnt.
        pure: Weight of the loss of late interaction alone.
        scale: What late interaction is multiplied by there.
        every_steps: Evaluation, log row and checkpoint every so many steps.
        max_queries: Evaluate on this many queries of dev, drawn at random; 0 for all.
        seed: Of all that is drawn.
    """

    train_split: str = key("train", _is_split, "a split, never one called test")
    dev_split: str = key("dev", _is_split, "a split, never one called test")
    depth: int = whole(64, 2)
    candidates: int = whole(24, 2)
    shares: tuple[str, ...] = _rules()
    weights: tuple[str, ...] = _rules()
    seen_weight: float = share(0.7)
    seen_outputs: float = share(0.6)
    max_tokens: int = whole(96, 1)
    frozen: int = whole(2)
    steps: int = whole(450, 1)
    batch_size: int = whole(32, 1)
    learning_rate: float = above_zero(5e-5)
    head_learning_rate: float = above_zero(1e-3)
    warmup: int = whole(50, 1)
    weight_decay: float = share(0.01)
    max_grad_norm: float = above_zero(1.0)
    residual: float = share(1.0)
    late_weight: float = above_zero(12.0)
    pure: float = share(0.5)
    scale: float = above_zero(20.0)
    every_steps: int = whole(250, 1)
    max_queries: int = whole(0)
    seed: int = whole(0)


def kind_weight(rules: Sequence[str], kind: str) -> float:
    """The number of the first of some rules `KIND=NUMBER` that fits a kind; 1 if none does.

    Args:
        rules: `*` in a kind is a wildcard.
        kind: Of a query.
    """
    for rule in rules:
        pattern, _, number = rule.rpartition("=")
        if fnmatchcase(kind, pattern):
            return float(number)
    return 1.0
